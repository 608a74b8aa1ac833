"""The files of a directory that somebody else fills: each regular file once, opened without waiting
for a pipe's other end and without following directories that are links."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MOST_FILES = 1_000_000
_LEFT_OUT = frozenset({".git", ".svn", ".hg", "CVS", "__pycache__"})


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


@dataclass(slots=True)
class Walk:
    """The names of the files below `root`, in order. What was passed over is in `remarks`."""

    root: Path
    remarks: list[str] = field(default_factory=list)
    count: int = 0

    def files(self, progress: Callable[[int], None]) -> Iterator[str]:
        """Paths below the root. `progress` is called with the number of files so far."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            names, folders = self._entries(folder)
            waiting += reversed(folders)
            for name in names:
                self.count += 1
                progress(self.count)
                if self.count > MOST_FILES:
                    self.remarks.append(f"more than {MOST_FILES} files: the rest was not looked at")
                    return
                yield name

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        names, folders = [], []
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    name = os.path.join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _LEFT_OUT:
                            folders.append(name)
                    elif entry.is_symlink() and os.path.isdir(entry.path):
                        self.remarks.append(f"{name}: a link to a directory, which was not followed")
                    else:
                        names.append(name)
        except OSError as error:
            self.remarks.append(f"{folder or '.'}: cannot be read: {error.strerror}")
        return sorted(names), sorted(folders)
