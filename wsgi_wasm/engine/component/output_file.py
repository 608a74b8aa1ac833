"""Files in memory that a component's standard output and errors go to, read while it runs.

Wasmtime writes to a file on the calling thread, at once; its other ways lead through a second
thread, which cannot stop the guest. A slot of the pool keeps a pair of files: opening one by its
path truncates it, so nothing of an earlier run is left.
"""

from __future__ import annotations

import ctypes
import os

PIECE = 1 << 18  # bytes that are read at a time

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # fallocate(2)
_PUNCHED = 1 << 20  # bytes that are read before their pages are given back

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class OutputFile:
    """One file. `path` opens it for writing."""

    descriptor = -1

    def __init__(self, name: str) -> None:
        self.descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
        # `self` would be one link more to follow
        self.path = f"/proc/{os.getpid()}/fd/{self.descriptor}".encode()
        self.taken = 0  # bytes that have been read
        self._punched = 0

    def begin(self) -> None:
        """Before a run: nothing has been read."""
        self.taken = self._punched = 0

    def waiting(self) -> int:
        """Bytes that have been written and not read."""
        return os.fstat(self.descriptor).st_size - self.taken

    def take(self, size: int) -> bytes:
        """Up to `size` bytes of what has not been read yet."""
        data = os.pread(self.descriptor, size, self.taken)
        self.taken += len(data)
        self._give_back()
        return data

    def skip(self) -> None:
        """Take what there is without reading it."""
        self.taken += self.waiting()
        self._give_back()

    def _give_back(self) -> None:
        if self.taken - self._punched > _PUNCHED:
            # The writer's own position stays where it is, so the file keeps its size and loses
            # its pages.
            _libc.fallocate(self.descriptor, _KEEP_SIZE | _PUNCH_HOLE, self._punched, self.taken - self._punched)
            self._punched = self.taken

    def end(self) -> None:
        """After a run: keep no pages that a next one would not need."""
        if self.taken > _PUNCHED:
            os.ftruncate(self.descriptor, 0)

    def __del__(self) -> None:
        # At exit of the interpreter the function may be gone already.
        if os is not None and self.descriptor >= 0:
            os.close(self.descriptor)
