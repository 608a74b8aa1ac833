"""What a guest may ask of its descriptors: which directories it has, and what a descriptor is."""

from __future__ import annotations

import struct
from ctypes import memmove, memset

from wsgi_wasm.engine.program.directories import names
from wsgi_wasm.engine.program.forwarding import Arguments, forward
from wsgi_wasm.engine.program.preview1 import BADF, NAMETOOLONG, NOTDIR, SUCCESS
from wsgi_wasm.engine.program.root import FILESTAT
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.engine.program.tree import ROOT

_U32 = 0xFFFFFFFF
_PRESTAT = struct.Struct("<II")  # what it is (0: a directory), and the length of its name


def _name(run: ProgramRun, descriptor: int) -> bytes | None:
    if run.root is not None:
        return b"/" if descriptor == ROOT and descriptor in run.root.nodes else None
    run.asks()
    return names(run).get(descriptor)


def fd_prestat_get(run: ProgramRun, caller: int, args: Arguments) -> int:
    base, at = run.memory(caller), args[2] & _U32
    run.check(at, _PRESTAT.size)
    name = _name(run, args[0] & _U32)
    if name is None:
        return BADF
    memmove(base + at, _PRESTAT.pack(0, len(name)), _PRESTAT.size)
    return SUCCESS


def fd_prestat_dir_name(run: ProgramRun, caller: int, args: Arguments) -> int:
    base, at, room = run.memory(caller), args[2] & _U32, args[4] & _U32
    name = _name(run, args[0] & _U32)
    if name is None:
        return NOTDIR
    if room < len(name):
        return NAMETOOLONG
    run.check(at, len(name))
    memmove(base + at, name, len(name))
    return SUCCESS


def fd_filestat_get(run: ProgramRun, caller: int, args: Arguments) -> int:
    if run.slot.forwarding is not None or args[0] & _U32 not in run.streams:
        return forward(run, caller, "fd_filestat_get", args)
    base, at = run.memory(caller), args[2] & _U32
    run.check(at, FILESTAT.size)
    memset(base + at, 0, FILESTAT.size)
    return SUCCESS
