"""Starts the process that compiles: the one place where the engine runs another program.

A server within walls can run none. There the spawner starts it, see `start_elsewhere`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, Self

from wsgi_wasm.files.python import entry_point

_PAGE = os.sysconf("SC_PAGE_SIZE")
_CLOCK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Resident memory in bytes, and CPU time of all threads in seconds."""

    resident: int
    cpu: float


def usage_in(statm: bytes, stat: bytes) -> Usage | None:
    """From the content of two files of proc(5); None where they make no sense, as when the process
    has just ended."""
    try:
        times = stat.rpartition(b")")[2].split()
        return Usage(int(statm.split()[1]) * _PAGE, (int(times[11]) + int(times[12])) / _CLOCK)
    except (IndexError, ValueError):
        return None


class CompilerProcess(Protocol):
    """A process that compiles. As a context manager it is killed, if it still runs, and reaped."""

    @property
    def returncode(self) -> int | None:
        """As `subprocess.Popen.returncode`."""

    def communicate(self, timeout: float) -> tuple[bytes, bytes] | None:
        """All that it wrote to standard output and error, once it has ended; None where it goes on
        for longer than `timeout` seconds."""

    def usage(self) -> Usage | None:
        """What it uses; None where that cannot be told."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


_elsewhere: Callable[[Sequence[str]], CompilerProcess] | None = None


def start_elsewhere(start: Callable[[Sequence[str]], CompilerProcess] | None) -> None:
    """From now on, have compilers of this process started by this function, which takes the
    arguments of `engine.compiling`; by None, here again."""
    global _elsewhere
    _elsewhere = start


def start_compiler(arguments: Sequence[str], environment: Mapping[str, str]) -> CompilerProcess:
    """Start `engine.compiling` with these arguments. Raises OSError where no process can be had."""
    if _elsewhere is not None:
        return _elsewhere(arguments)
    return start(entry_point("wsgi_wasm.engine.compiling", *arguments), environment)


_SPARE = 24  # descriptors: those that a start takes for a moment, and some for everybody else


class Child:
    """As `CompilerProcess`: one that was started here."""

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

    def usage(self) -> Usage | None:
        """What it uses; None where that cannot be told, as without /proc."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as size, open(f"/proc/{self.pid}/stat", "rb") as times:
                return usage_in(size.read(), times.read())
        except OSError:
            return None

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


def _check_descriptors() -> None:
    """Raises OSError."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # there is no /proc
        if len(os.listdir("/proc/self/fd")) + _SPARE > resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def start(argv: Sequence[str], environment: Mapping[str, str], fds: Collection[int] = ()) -> Child:
    """Start a program with this environment and these descriptors besides the standard ones.

    Its standard input is a pipe that ends when this process does, however that happens, and brings
    nothing before. Raises OSError where no process can be had, also where it would take the last
    descriptors: servers need some to accept connections, and end without.
    """
    _check_descriptors()
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
