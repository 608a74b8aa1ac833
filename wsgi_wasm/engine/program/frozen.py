"""Guests that are frozen: snapshots of a program that had started already.

A program's C library asks once which directories there are (`fd_prestat_get`), and a snapshot keeps
the answer. It was given one directory then, `/`, which is descriptor 3; so that is all that the
snapshot knows, whatever directories its route has. A guest that could ask, and uses a directory
without having asked, is such a one. For it descriptor 3 is the root of a tree with all of its
directories in it (`tree`), and the paths that it passes are led into the directory that they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import c_uint64, string_at

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.program import preview1 as p
from wsgi_wasm.engine.program.directories import FIRST_PREOPEN
from wsgi_wasm.engine.program.files import MAX_PATH, PATH_LENGTHS
from wsgi_wasm.engine.program.forwarding import FORWARDED, Arguments
from wsgi_wasm.engine.program.root import FILESTAT, Call, Goal, Nowhere, borrowed, lead, root_of, tell_status
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.engine.program.tree import Names

_U32 = 0xFFFFFFFF
_CREATE, _OPEN_DIRECTORY, _EXCLUSIVE, _TRUNCATE = 1, 2, 4, 8  # oflags
_WRITE = 1 << 6  # right

Plain = Callable[[ProgramRun, int, Arguments], int]

# Which parameters are a directory, a path from there, and its length.
_PATHS = {
    "path_create_directory": ((0, 1, 2),),
    "path_filestat_get": ((0, 2, 3),),
    "path_filestat_set_times": ((0, 2, 3),),
    "path_link": ((0, 2, 3), (4, 5, 6)),
    "path_open": ((0, 2, 3),),
    "path_readlink": ((0, 1, 2),),
    "path_remove_directory": ((0, 1, 2),),
    "path_rename": ((0, 1, 2), (3, 4, 5)),
    "path_symlink": ((2, 3, 4),),
    "path_unlink_file": ((0, 1, 2),),
}

# What else in the guest's memory a function uses: a parameter, and how many bytes lie there.
_USED = {
    "path_filestat_get": ((4, FILESTAT.size),),
    "path_open": ((8, 4),),
    "path_readlink": ((3, MAX_PATH), (5, 4)),
    "path_symlink": ((0, MAX_PATH),),
}

# For each path: what is answered where it leads to a node, and where it leads to a name in the tree
# that is not there. None: it depends.
_ANSWERS: dict[str, tuple[tuple[int | None, int | None], ...]] = {
    "path_create_directory": ((p.EXIST, p.ROFS),),
    "path_filestat_get": ((None, p.NOENT),),
    "path_filestat_set_times": ((None, p.NOENT),),
    "path_link": ((p.PERM, p.NOENT), (p.EXIST, p.ROFS)),
    "path_open": ((None, None),),
    "path_readlink": ((p.INVAL, p.NOENT),),
    "path_remove_directory": ((p.BUSY, p.NOENT),),
    "path_rename": ((p.BUSY, p.NOENT), (p.BUSY, p.ROFS)),
    "path_symlink": ((p.EXIST, p.ROFS),),
    "path_unlink_file": ((p.ISDIR, p.NOENT),),
}


def rooted(name: str, plain: Plain) -> Plain:
    """A function of preview 1 that takes paths, for all guests; `plain` is that for those that are
    not frozen."""

    def function(run: ProgramRun, caller: int, args: Arguments) -> int:
        root = root_of(run)
        if root is None:
            return plain(run, caller, args)
        try:
            return _on_path(Call(run, caller, root), name, plain, args)
        except Nowhere as refused:
            return refused.errno

    return function


def _on_path(call: Call, name: str, plain: Plain, args: Arguments) -> int:
    run = call.run
    if any(args[2 * at] & _U32 > MAX_PATH for at in PATH_LENGTHS[name]):
        return p.NAMETOOLONG
    base = run.memory(call.caller)
    goals: list[Goal | None] = []
    for (directory, path, length), answers in zip(_PATHS[name], _ANSWERS[name], strict=True):
        descriptor = args[2 * directory] & _U32
        at = call.root.nodes.get(descriptor)
        if at is None:
            if call.root.hides(descriptor):
                return p.BADF
            goals.append(None)
            continue
        run.check(args[2 * path] & _U32, args[2 * length] & _U32)
        goal = lead(call, at, string_at(base + (args[2 * path] & _U32), args[2 * length] & _U32))
        answer = answers[0] if goal.node is not None else answers[1] if goal.descriptor is None else None
        if answer is not None:
            return answer
        goals.append(goal)
    first = goals[0]
    if first is not None and first.descriptor is None:
        return _in_tree(call, name, plain, args, first.node)
    errno = _elsewhere(call, name, plain, args, goals)
    if name == "path_open" and errno == p.SUCCESS and first is not None and first.node is not None:
        call.root.nodes[c.UINT32.from_address(base + (args[16] & _U32)).value] = first.node
    return errno


def _elsewhere(call: Call, name: str, plain: Plain, args: Arguments, goals: Sequence[Goal | None]) -> int:
    """The same call with paths from Wasmtime's own descriptors."""
    count = len(FORWARDED[name])
    now = array(c_uint64, 2 * count)(*(args[i] for i in range(2 * count)))
    if name == "path_readlink":
        now[8] = min(now[8] & _U32, MAX_PATH)  # no link is longer
    used = [(args[2 * path] & _U32, args[2 * length] & _U32) for _, path, length in _PATHS[name]]
    used += [(args[2 * at] & _U32, size) for at, size in _USED.get(name, ())]
    return _with_paths(call, plain, now, used, list(zip(_PATHS[name], goals, strict=True)))


def _with_paths(
    call: Call,
    plain: Plain,
    now: Arguments,
    used: list[tuple[int, int]],
    paths: list[tuple[tuple[int, int, int], Goal | None]],
) -> int:
    if not paths:
        return plain(call.run, call.caller, now)
    (directory, path, length), goal = paths.pop()
    if goal is None:
        return _with_paths(call, plain, now, used, paths)
    with borrowed(call.run, call.caller, goal.path, used) as at:
        now[2 * directory], now[2 * path], now[2 * length] = goal.descriptor, at, len(goal.path)
        return _with_paths(call, plain, now, [*used, (at, len(goal.path))], paths)


def _in_tree(call: Call, name: str, plain: Plain, args: Arguments, node: Names | None) -> int:
    """A call for a node, or for a name that is not there (only `path_open`)."""
    if name == "path_filestat_get" and node is not None:
        return tell_status(call.run, call.caller, call.root.tree, node, args[8] & _U32)
    if name != "path_open":
        return p.ROFS
    flags = args[8] & _U32
    if node is None:
        return p.ROFS if flags & _CREATE else p.NOENT
    if flags & _CREATE and flags & _EXCLUSIVE:
        return p.EXIST
    if flags & (_CREATE | _TRUNCATE) or args[10] & _WRITE:
        return p.ISDIR
    if not call.root.tree.mounts:
        return p.ACCES
    now = array(c_uint64, 18)(*(args[i] for i in range(18)))
    now[8], now[14] = _OPEN_DIRECTORY, 0
    errno = _elsewhere(call, name, plain, now, [Goal(None, FIRST_PREOPEN, b".")])
    if errno == p.SUCCESS:
        descriptor = c.UINT32.from_address(call.run.base + (args[16] & _U32)).value
        call.root.nodes[descriptor] = node
        call.root.stand_ins.add(descriptor)
    return errno
