"""Reads files that somebody else wrote: regular ones alone, without waiting for anybody."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class NotRegular(OSError):
    """A pipe, a socket, a device: nothing to read."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file that is open for reading."""

    descriptor: int
    info: os.stat_result

    def read(self, most: int) -> bytes:
        """From its beginning, at most so many bytes."""
        data = b""
        while len(data) < most:
            piece = os.pread(self.descriptor, most - len(data), len(data))
            if not piece:
                break
            data += piece
        return data


@contextmanager
def opened(path: Path) -> Iterator[OpenFile]:
    """A regular file, or one that a link leads to. Raises NotRegular, OSError."""
    before = os.stat(path)
    if not stat.S_ISREG(before.st_mode):
        raise NotRegular(0, "not a regular file")
    # The file may be another by now: a pipe must not be waited for, nor a terminal taken.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise NotRegular(0, "not a regular file")
        yield OpenFile(descriptor, info)
    finally:
        os.close(descriptor)
