"""`path_open`: which files a guest may open."""

from __future__ import annotations

import ctypes
import os
import stat
from ctypes import memmove, string_at

from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.program.directories import opened, places
from wsgi_wasm.engine.program.files import MAX_PATH
from wsgi_wasm.engine.program.forwarding import Arguments, forward
from wsgi_wasm.engine.program.preview1 import INTR, MFILE, NAMETOOLONG, NOTSUP, SUCCESS
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.files.beneath import stat_beneath

_U32 = 0xFFFFFFFF

_FILESTAT_SIZE, _FILETYPE_AT = 64, 16
_PLAIN = (3, 4, 7)  # filetypes: directory, regular file, link, which is an error to open


def path_open(run: ProgramRun, caller: int, args: Arguments) -> int:
    # Each open file is a descriptor of this process, and one guest could take them all from every
    # other request. Wasmtime has no limit of its own here, nor does it count what a guest closes.
    if not run.may_open():
        return MFILE
    if args[6] & _U32 > MAX_PATH:
        return NAMETOOLONG
    while True:
        if run.slot.forwarding is not None and not _is_plain(run, caller, args):
            # Opening a pipe may wait for good, and what a device does nobody knows.
            return NOTSUP
        errno = forward(run, caller, "path_open", args)
        if errno != INTR:
            break
        # A pipe was put there in between, and `stuck_calls` has ended the waiting for it.
        run.look()
    if errno == SUCCESS:
        run.files += 1
        opened(run, args)
    return errno


def _is_plain(run: ProgramRun, caller: int, args: Arguments) -> bool:
    """Whether a path leads to a file, to a directory, or to nothing yet."""
    place = places(run).get(args[0] & _U32)
    if place is not None and place[1] == ".":
        base = run.memory(caller)
        run.check(args[4] & _U32, args[6] & _U32)
        name = os.fsdecode(string_at(base + (args[4] & _U32), args[6] & _U32))
        try:
            mode = stat_beneath(place[0].real(), name).st_mode
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            return _is_plain_to_wasmtime(run, caller, args)
        return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    # What has been opened may lie elsewhere by now.
    return _is_plain_to_wasmtime(run, caller, args)


def _is_plain_to_wasmtime(run: ProgramRun, caller: int, args: Arguments) -> bool:
    """The same by its own look, which takes another thread."""
    # It writes the status into the guest's memory, so a place there is borrowed.
    base = run.memory(caller)
    run.check(0, _FILESTAT_SIZE)
    saved = string_at(base, _FILESTAT_SIZE)
    asked = array(ctypes.c_uint64, 10)(args[0], 0, args[2], 0, args[4], 0, args[6], 0, 0)
    try:
        errno = forward(run, caller, "path_filestat_get", asked)
        return errno != SUCCESS or ctypes.c_uint8.from_address(base + _FILETYPE_AT).value in _PLAIN
    finally:
        memmove(base, saved, _FILESTAT_SIZE)
