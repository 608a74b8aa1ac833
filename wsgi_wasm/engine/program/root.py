"""The root that a frozen guest sees, and where the paths lead that it passes.

What lies below a directory is for Wasmtime to find, as always. Only `..` is looked at here, as it
may lead from one directory to another: it counts by names as long as no symbolic link stands there,
and from there on it is Wasmtime's, which lets no path leave its directory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_uint64, memmove, string_at
from typing import NamedTuple

from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.program import preview1 as p
from wsgi_wasm.engine.program.directories import FIRST_PREOPEN, places
from wsgi_wasm.engine.program.files import MAX_PATH
from wsgi_wasm.engine.program.forwarding import forward
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.engine.program.tree import ROOT, Names, Root, Tree, node_inode

DIRECTORY = 3  # filetype

# filestat: device, inode, filetype, links, size, times of access, change and status
FILESTAT = struct.Struct("<QQB7x5Q")

_U32 = 0xFFFFFFFF


class Nowhere(Exception):
    """A path leads nowhere; `errno` is what the guest is told."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


class Goal(NamedTuple):
    """Where a path leads: a path from one of Wasmtime's descriptors, a node, or both. Neither: a
    name that is not there."""

    node: Names | None = None
    descriptor: int | None = None
    path: bytes = b""


def root_of(run: ProgramRun) -> Root | None:
    """The root, if the guest is frozen."""
    root = run.root
    if root is None and run.slot.tree is not None and run.is_frozen():
        root = run.root = Root(run.slot.tree)
        if run.slot.preopens and ROOT not in places(run):
            del root.nodes[ROOT]  # it was closed before
    return root


class Call(NamedTuple):
    """A guest that calls."""

    run: ProgramRun
    caller: int
    root: Root


def lead(call: Call, start: Names, path: bytes) -> Goal:
    """Where a path leads from a node. Raises Nowhere."""
    if not path:
        raise Nowhere(p.NOENT)
    if path.startswith(b"/"):
        raise Nowhere(p.PERM)
    if b"\0" in path:
        raise Nowhere(p.INVAL)
    tree, at, names = call.root.tree, list(start), path.split(b"/")
    for i, name in enumerate(names):
        if name in (b"", b"."):
            continue
        if name == b"..":
            if tree.node(at) is None and not _is_directory(call, at):
                return _into(tree, at, names[i:])
            del at[-1:]
            continue
        if tree.node(at) is not None and tree.covering(at) is None and tree.node([*at, name]) is None:
            if any(rest not in (b"", b".") for rest in names[i + 1 :]):
                raise Nowhere(p.NOENT)
            return Goal()
        at.append(name)
    node = tree.node(at)
    if node is None:
        return _into(tree, at, [b""] if names[-1] in (b"", b".") else [])
    if node in tree.mounts or (tree.covering(node) is not None and _is_directory(call, node)):
        return _into(tree, node, [])._replace(node=node)
    return Goal(node)


def _into(tree: Tree, at: Sequence[bytes], more: Sequence[bytes]) -> Goal:
    """The directory that these names lead into, and the rest of the path. Raises Nowhere."""
    covering = tree.covering(at)
    assert covering is not None
    mount, rest = covering
    path = b"/".join((*rest, *more)) or b"."
    if len(path) > MAX_PATH:
        raise Nowhere(p.NAMETOOLONG)
    return Goal(None, FIRST_PREOPEN + mount, path)


def _is_directory(call: Call, at: Sequence[bytes]) -> bool:
    """Whether these names lead to a directory of the host, and not to a link."""
    call.run.look()
    goal = _into(call.root.tree, at, [])
    status = _status(call, goal)
    return status is not None and status[2] == DIRECTORY


def _status(call: Call, goal: Goal) -> tuple[int, ...] | None:
    """Of what lies there, without following it: as in `FILESTAT`; None where nothing is."""
    base = call.run.memory(call.caller)
    with borrowed(call.run, call.caller, bytes(FILESTAT.size) + goal.path, []) as result:
        path = result + FILESTAT.size
        asked = array(c_uint64, 10)()
        for i, value in enumerate((goal.descriptor, 0, path, len(goal.path), result)):
            asked[2 * i] = value or 0
        errno = forward(call.run, call.caller, "path_filestat_get", asked)
        found = FILESTAT.unpack(string_at(base + result, FILESTAT.size))
    return found if errno == p.SUCCESS else None


@contextmanager
def borrowed(run: ProgramRun, caller: int, data: bytes, used: Sequence[tuple[int, int]]) -> Iterator[int]:
    """An address in the guest's memory where `data` lies meanwhile, outside of what is `used`."""
    base = run.memory(caller)
    # All that a call uses lies in fewer pieces than there are in the smallest memory.
    address = next(
        at
        for at in range(0, 16 * MAX_PATH, MAX_PATH)
        if all(end <= at or at + MAX_PATH <= begin for begin, end in ((b, b + size) for b, size in used))
    )
    run.check(address, len(data))
    saved = string_at(base + address, len(data))
    memmove(base + address, data, len(data))
    try:
        yield address
    finally:
        memmove(base + address, saved, len(data))


def tell_status(run: ProgramRun, caller: int, tree: Tree, node: Names, at: int) -> int:
    """Write the status of a node that no directory of the host is to the guest's address `at`; an
    errno."""
    base = run.memory(caller)
    run.check(at, FILESTAT.size)
    times = (tree.made,) * 3
    status = FILESTAT.pack(0, node_inode(node), DIRECTORY, 2 + len(tree.nodes[node]), 0, *times)
    memmove(base + at, status, FILESTAT.size)
    return p.SUCCESS
