"""A directory of the host as a guest reads it: name after name, each by its number."""

from __future__ import annotations

import os
from collections import deque

# filetype of preview 1
_UNKNOWN, _DIRECTORY, _FILE, _LINK = 0, 3, 4, 7


class Listing:
    """A directory that a guest reads. A cookie is the number of a name, from 0 on for `.`."""

    def __init__(self, descriptor: int) -> None:
        """Takes an open directory over."""
        try:
            self._inode = os.fstat(descriptor).st_ino
            self._entries = os.scandir(descriptor)
        finally:
            os.close(descriptor)
        self._ahead: deque[tuple[int, int, bytes]] = deque()  # inode, type and name
        self.cookie = 0  # of the first one ahead
        self._read = 0

    def peek(self, nth: int) -> tuple[int, int, bytes] | None:
        """The nth name ahead; None where there are no more. Raises OSError."""
        while len(self._ahead) <= nth:
            found = self._next()
            if found is None:
                return None
            self._ahead.append(found)
        return self._ahead[nth]

    def skip(self, count: int) -> None:
        """Leave names behind. Raises OSError."""
        for _ in range(count):
            if self._ahead:
                self._ahead.popleft()
            elif self._next() is None:
                return
            self.cookie += 1

    def _next(self) -> tuple[int, int, bytes] | None:
        self._read += 1
        if self._read <= 2:
            return self._inode, _DIRECTORY, b"." * self._read
        entry = next(self._entries, None)
        if entry is None:
            return None
        if entry.is_symlink():
            kind = _LINK
        elif entry.is_dir(follow_symlinks=False):
            kind = _DIRECTORY
        else:
            kind = _FILE if entry.is_file(follow_symlinks=False) else _UNKNOWN
        return entry.inode(), kind, os.fsencode(entry.name)

    def close(self) -> None:
        self._entries.close()
