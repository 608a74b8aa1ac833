"""A directory of the host as a guest reads it: name after name, each by its number."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence

DIRECTORY = 3
"""A filetype of preview 1."""

_UNKNOWN, _FILE, _LINK = 0, 4, 7

_U64 = (1 << 64) - 1


class Listing:
    """A directory that a guest reads. A cookie is the number of a name, from 0 on for `.`."""

    def __init__(self, descriptor: int | None, own_inode: int = 0, more: Sequence[tuple[int, int, bytes]] = ()) -> None:
        """Takes an open directory over, if there is one. `more` are inode, type and name of what
        lies in it besides, in the place of what has the same names."""
        self._device, self._inode = 0, own_inode
        self._scanned = None
        if descriptor is not None:
            try:
                status = os.fstat(descriptor)
                self._device, self._inode = status.st_dev, inode(status.st_dev, status.st_ino)
                self._scanned = os.scandir(descriptor)
            finally:
                os.close(descriptor)
        self._entries = self._listed(more)
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
            return self._inode, DIRECTORY, b"." * self._read
        return next(self._entries, None)

    def _listed(self, more: Sequence[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
        hidden = {name for _, _, name in more}
        for entry in self._scanned or ():
            name = os.fsencode(entry.name)
            if name not in hidden:
                yield inode(self._device, entry.inode()), _kind(entry), name
        yield from more

    def close(self) -> None:
        if self._scanned is not None:
            self._scanned.close()


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return _LINK
    if entry.is_dir(follow_symlinks=False):
        return DIRECTORY
    return _FILE if entry.is_file(follow_symlinks=False) else _UNKNOWN


def inode(device: int, number: int) -> int:
    """What Wasmtime gives for a file's inode in its status: a SipHash-1-3 of device and number,
    with a key of zeros, as Rust's standard library has it."""
    a, b, c, d = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    for word in (device & _U64, number & _U64, 16 << 56):
        a, b, c, d = _round(a, b, c, d ^ word)
        a ^= word
    c ^= 0xFF
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d


def _round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a, c = (a + b) & _U64, (c + d) & _U64
    b, d = ((b << 13 | b >> 51) & _U64) ^ a, ((d << 16 | d >> 48) & _U64) ^ c
    a = (a << 32 | a >> 32) & _U64
    c, a = (c + b) & _U64, (a + d) & _U64
    b, d = ((b << 17 | b >> 47) & _U64) ^ c, ((d << 21 | d >> 43) & _U64) ^ a
    return a, b, (c << 32 | c >> 32) & _U64, d
