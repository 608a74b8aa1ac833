"""Locks between processes, on files and on directories. The kernel frees them when their holder
ends (flock(2))."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def locked_file(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file, which is made where it is missing.

    Raises BlockingIOError where somebody else has it and we do not `wait`; OSError.
    """
    with _exclusive(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), wait):
        yield


@contextlib.contextmanager
def locked_directory(path: Path) -> Iterator[None]:
    """Have a directory for oneself. Raises BlockingIOError where anybody uses it, see
    `use_directory`; OSError."""
    with _exclusive(os.open(path, _DIRECTORY), wait=False):
        yield


def use_directory(path: Path) -> int:
    """A descriptor that keeps others from having the directory for themselves.

    It does so until it is closed, and each copy of it in a child. Where the file system has no
    locks, it keeps nobody from it. Raises OSError.
    """
    descriptor = os.open(path, _DIRECTORY)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextlib.contextmanager
def _exclusive(descriptor: int, wait: bool) -> Iterator[None]:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
