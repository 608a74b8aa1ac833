"""Starts the process that compiles: the one place where the engine runs another program."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from typing import Self


class Child:
    """A process that was started. It ends with this object: as a context manager, it is killed if
    it still runs, and reaped."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        self._process = process
        self._lifeline = lifeline
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        """As `subprocess.Popen.returncode`."""
        return self._process.returncode

    def communicate(self, timeout: float) -> tuple[bytes, bytes] | None:
        """All that it wrote to standard output and error, once it has ended; None where it goes on
        for longer than `timeout` seconds."""
        try:
            return self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lifeline)
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def start(argv: Sequence[str], environment: Mapping[str, str], fds: Collection[int] = ()) -> Child:
    """Start a program with this environment and these descriptors besides the standard ones.

    Its standard input is a pipe that ends when this process does, however that happens, and brings
    nothing before. Raises OSError where no process can be had.
    """
    reading, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            argv, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, pass_fds=tuple(fds)
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(reading)
    return Child(process, lifeline)
