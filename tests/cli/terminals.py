"""A terminal of a test's own, and a command that runs in it as the foreground."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

from .conftest import TIMEOUT, command_line, environment

CTRL_C = b"\x03"


class Session:
    """A command in a terminal. `output` is what it wrote to standard output, where that is no terminal."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self.shown = b""

    def read_until(self, enough: Callable[[bytes], bool]) -> bytes:
        """All that the terminal has shown, once that is enough or the command has ended."""
        while not enough(self.shown) and select.select([self._terminal], [], [], TIMEOUT)[0]:
            try:
                piece = os.read(self._terminal, 65536)
            except OSError:  # EIO: nobody has the terminal any more
                break
            self.shown += piece
        return self.shown

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def end(self) -> int:
        """Wait for the end."""
        self.read_until(lambda _: False)
        return self.process.wait(TIMEOUT)


@contextlib.contextmanager
def session(tmp: Path, *arguments: object, columns: int = 80, cache: Path | None = None) -> Iterator[Session]:
    """`wsgi-wasm ARGUMENTS` in a terminal of this width, killed at the end if it still runs."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    # Its first terminal becomes the one that controls it, whose keys send signals to all of its processes. Where the
    # tests run in the background, they have inherited that interrupts are ignored, as would it.
    code = (
        "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = command_line(*arguments)
    process = subprocess.Popen(
        [command[0], "-c", code, *command],
        cwd=tmp, env=environment(cache, {"TERM": "xterm"}), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Session(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
