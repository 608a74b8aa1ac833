"""Functions of preview 1 for files, bounded before Wasmtime answers them.

Wasmtime cannot be interrupted in a call. So what a guest wants at once is passed on in pieces, with
a look at the clock between them; and what no file system would take is refused before it is copied.
A native run forwards by itself what is small (native.c); this has the same meaning.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from ctypes import memmove, string_at

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.program.forwarding import FORWARDED, Arguments, forward
from wsgi_wasm.engine.program.preview1 import INVAL, NAMETOOLONG, SPIPE, SUCCESS
from wsgi_wasm.engine.program.run import ProgramRun

MAX_VECTORS = 1024  # IOV_MAX of Linux
MAX_PATH = 4096  # bytes: PATH_MAX of Linux
PIECE = 1 << 18  # bytes that are read or written between two looks at the clock

VECTOR = struct.Struct("<2I")  # iovec and ciovec: address, length

_U32 = 0xFFFFFFFF
_u32_at = c.UINT32.from_address

PATH_LENGTHS = {
    "path_create_directory": (2,),
    "path_filestat_get": (3,),
    "path_filestat_set_times": (3,),
    "path_link": (3, 6),
    "path_open": (3,),
    "path_readlink": (2,),
    "path_remove_directory": (2,),
    "path_rename": (2, 5),
    "path_symlink": (1, 4),
    "path_unlink_file": (2,),
}
"""Which parameters are the lengths of paths."""


def on_path(run: ProgramRun, caller: int, name: str, args: Arguments) -> int:
    """A function that takes paths."""
    if any(args[2 * at] & _U32 > MAX_PATH for at in PATH_LENGTHS[name]):
        return NAMETOOLONG
    return forward(run, caller, name, args)


def transfer(run: ProgramRun, caller: int, name: str, args: Arguments) -> int:
    """`fd_read`, `fd_write`, `fd_pread` or `fd_pwrite` of a file. As Wasmtime does, only the first
    vector that is not empty counts; a guest calls again for the rest."""
    base = run.memory(caller)
    at, count = base + (args[2] & _U32), args[4] & _U32
    if count > MAX_VECTORS:
        return INVAL
    run.check(args[2] & _U32, VECTOR.size * count)
    for address, length in VECTOR.iter_unpack(string_at(at, VECTOR.size * count)):
        if length:
            if length > PIECE:
                return _in_pieces(run, caller, name, args, at, address, length)
            break
        at += VECTOR.size
    return forward(run, caller, name, args)


def _in_pieces(
    run: ProgramRun, caller: int, name: str, args: Arguments, vector_at: int, address: int, length: int
) -> int:
    """The vector in the guest's memory says a piece at a time what is to be read or written, and is
    put back afterwards, unless the guest has read over it."""
    run.check(address, length)
    count = len(FORWARDED[name])
    now = array(ctypes.c_uint64, 2 * count)(*(args[i] for i in range(2 * count)))
    now[2], now[4] = vector_at - run.base, 1
    result_at = args[2 * count - 2] & _U32
    run.check(result_at, 4)
    done, errno = 0, SUCCESS
    try:
        while done < length:
            piece = min(PIECE, length - done)
            memmove(vector_at, VECTOR.pack(address + done, piece), VECTOR.size)
            errno = forward(run, caller, name, now)
            if errno != SUCCESS:
                break
            moved = _u32_at(run.base + result_at).value
            done += moved
            if count == 5:
                now[6] += moved  # the offset
            if not moved:
                break
            run.look()
    finally:
        original, start = VECTOR.pack(address, length), vector_at - run.base
        over = range(address, address + done) if "read" in name else range(0)
        for i, byte in enumerate(original):
            if start + i not in over:
                memmove(vector_at + i, bytes([byte]), 1)
    if done:
        _u32_at(run.base + result_at).value = done
        return SUCCESS
    return errno


def _at_offset(run: ProgramRun, caller: int, name: str, args: Arguments) -> int:
    if args[0] & _U32 in run.streams:
        return SPIPE
    return transfer(run, caller, name, args)


def fd_advise(run: ProgramRun, caller: int, args: Arguments) -> int:
    # What the host keeps of its files in memory is not a guest's to decide, and takes long for
    # large ones.
    descriptor = array(ctypes.c_uint64, 8)(args[0])
    return forward(run, caller, "fd_advise", descriptor)


def _named(function: Callable[[ProgramRun, int, str, Arguments], int], name: str) -> Callable[..., int]:
    return lambda run, caller, args: function(run, caller, name, args)


FUNCTIONS_OF_FILES: dict[str, Callable[[ProgramRun, int, Arguments], int]] = {
    "fd_advise": fd_advise,
    "fd_pread": _named(_at_offset, "fd_pread"),
    "fd_pwrite": _named(_at_offset, "fd_pwrite"),
}

FUNCTIONS_ON_PATHS = {name: _named(on_path, name) for name in PATH_LENGTHS if name != "path_open"}
