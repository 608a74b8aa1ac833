"""Whether there is room in a process: for an engine, by one budget for all of them and by what the
kernel says; and for the memory of a guest beside those that run. A leaf.

An engine reserves addresses for every memory and table of its pool. Wasmtime ends the process where
it does not get them, so that all of it is looked at before.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.errors import ModuleError, NoRoom, Unavailable
from wsgi_wasm.messages import size_text

# bytes of address space that all engines of a process may reserve together: half of what a process
# has with 47 bits
ADDRESS_SPACE = 64 << 40
SPARE_ADDRESSES = 1 << 30  # bytes that the process needs besides
SPARE_MAPPINGS = 200  # that the process needs besides, for modules and threads


class Reservation(NamedTuple):
    """What an engine takes of a process: bytes of addresses for memories, and for tables, which can
    be written to at once; and the most mappings that it comes to have."""

    memories: int
    tables: int
    mappings: int

    @property
    def addresses(self) -> int:
        """Bytes."""
        return self.memories + self.tables


def check_room(wanted: Reservation, held: Iterable[Reservation]) -> None:
    """Raises NoRoom where an engine finds no place in this process beside those that it has."""
    others = list(held)
    _check_addresses(wanted.addresses, sum(one.addresses for one in others))
    _check_mappings(wanted.mappings, sum(one.mappings for one in others))
    _try_to_reserve(wanted)


def _gib(size: int) -> str:
    return f"{size >> 30} GiB"


def _check_addresses(wanted: int, held: int) -> None:
    if held + wanted > ADDRESS_SPACE:
        raise NoRoom(
            f"has no room in this process: its engine reserves {_gib(wanted)} of address space (without "
            f"using it), and the others have {_gib(held)} of the {_gib(ADDRESS_SPACE)} for all: lower "
            "`engine: instances`"
        )


def _check_mappings(wanted: int, held: int) -> None:
    try:
        most = int(Path("/proc/sys/vm/max_map_count").read_bytes())
        has = Path("/proc/self/maps").read_bytes().count(b"\n")
    except (OSError, ValueError):
        return
    except MemoryError:
        has = most
    # The others do not have all of theirs yet, and the process has more than theirs.
    if max(held + SPARE_MAPPINGS, has) + wanted + SPARE_MAPPINGS > most:
        raise NoRoom(
            f"has no room in this process: its engine takes up to {wanted} mappings, the others {held}, and "
            f"the process has {has}, but vm.max_map_count allows {most} in all: raise that, or lower "
            "`engine: instances`"
        )


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_size_t
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_OF_SIGNALS = 1 << 20  # bytes, more than Wasmtime maps for a thread
_NORESERVE = 0x4000  # of mmap(2), as Wasmtime maps
_FAILED = (1 << 8 * ctypes.sizeof(ctypes.c_size_t)) - 1


def _try_to_reserve(wanted: Reservation) -> None:
    """Map as much as Wasmtime will, and give it back: only the kernel knows what limits of the
    process and of the machine leave."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE
    # The tables can be written to, which counts where the machine does not overcommit.
    pieces = ((wanted.memories + SPARE_ADDRESSES, 0), (wanted.tables, mmap.PROT_READ | mmap.PROT_WRITE))
    mapped: list[tuple[int, int]] = []
    try:
        for size, protection in pieces:
            at = _libc.mmap(None, size, protection, flags, -1, 0)
            if at == _FAILED:
                raise NoRoom(_not_reserved(wanted.addresses, ctypes.get_errno()))
            mapped.append((at, size))
    finally:
        for at, size in mapped:
            _libc.munmap(at, size)


def check_thread() -> None:
    """Raises Unavailable where a thread that runs its first guest gets no memory for handling
    signals: Wasmtime would end the process."""
    at = _libc.mmap(None, _OF_SIGNALS, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE, -1, 0)
    if at != _FAILED:
        # Each piece is two mappings more: the run needs some of its own before Wasmtime's.
        step, writable = _OF_SIGNALS // 8, mmap.PROT_READ | mmap.PROT_WRITE
        pieces = range(at, at + _OF_SIGNALS, step)
        well = all(_libc.mprotect(piece, step // 2, writable) == 0 for piece in pieces)
        _libc.munmap(at, _OF_SIGNALS)
        if well:
            return
    raise Unavailable(f"the system has no memory for a thread: {os.strerror(ctypes.get_errno())}")


def _not_reserved(size: int, error: int) -> str:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        return (
            f"has no room in this process, which may use {limit >> 20} MiB of address space, and its engine reserves "
            f"{_gib(size)} of it (without using it): raise RLIMIT_AS (mod_wsgi: virtual-memory-limit, systemd: "
            "LimitAS, shell: ulimit -v) or lower `engine: instances`"
        )
    return (
        f"has no room in this process: its engine reserves {_gib(size)} of address space (without using it), but the "
        f"system does not give it ({os.strerror(error)}): lower `engine: instances`"
    )


class GuestMemory:
    """The memory of all guests of a process together, where it has a `bound` (bytes; None for no
    bound). A guest counts with all that it may come to use."""

    def __init__(self) -> None:
        self.bound: int | None = None
        self._used = 0
        self._changed = threading.Condition()

    def begin_anew(self) -> None:
        """In a child after a fork, where none of the guests run."""
        self._used = 0
        self._changed = threading.Condition()

    def check(self, size: int) -> None:
        """Raises ModuleError for a guest that may use more than all together."""
        if self.bound is not None and size > self.bound:
            raise ModuleError(
                f"may use {size_text(size)} of memory, but `engine: memory` allows all guests of a process only "
                f"{size_text(self.bound)} together: raise that, or lower `memory`"
            )

    def take(self, size: int, timeout: float) -> float:
        """Count a guest that begins, once there is room for it, and the seconds that this took.
        Raises Unavailable after `timeout` seconds."""
        with self._changed:
            if self._fits(size):
                self._used += size
                return 0.0
            started = time.monotonic()
            if self._changed.wait_for(lambda: self._fits(size), timeout):
                self._used += size
                return time.monotonic() - started
            used = self._used
        raise Unavailable(
            f"the guests that run may use {size_text(used)} of memory, which leaves no room for {size_text(size)} "
            f"more within the {size_text(self.bound or 0)} of `engine: memory`",
            waited=timeout,
        )

    def give(self, size: int) -> None:
        """A guest that was counted has ended."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return self.bound is None or self._used + size <= self.bound
