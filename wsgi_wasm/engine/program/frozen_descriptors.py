"""Descriptors of guests that are frozen (see `frozen`): what reads, closes or looks at them.

A guest may close or look at whatever number, also before it asks for its directories: that alone
does not make it a frozen one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from ctypes import c_uint64

from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.program import preview1 as p
from wsgi_wasm.engine.program.directories import FIRST_PREOPEN, ListedPlace, entry_of, read_directory
from wsgi_wasm.engine.program.forwarding import Arguments
from wsgi_wasm.engine.program.frozen import Plain
from wsgi_wasm.engine.program.root import DIRECTORY, root_of, tell_status
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.engine.program.tree import ROOT, Names, Tree, node_inode

_U32 = 0xFFFFFFFF


def on_filestat(plain: Plain) -> Plain:
    """`fd_filestat_get`, as `rooted`."""

    def function(run: ProgramRun, caller: int, args: Arguments) -> int:
        descriptor, root = args[0] & _U32, run.root
        if root is None:
            return plain(run, caller, args)
        node = root.nodes.get(descriptor)
        if node is None:
            return p.BADF if root.hides(descriptor) else plain(run, caller, args)
        mount = root.tree.mounts.get(node)
        if descriptor == ROOT and mount is not None:
            now = array(c_uint64, 4)(FIRST_PREOPEN + mount, 0, args[2])
            return plain(run, caller, now)
        if descriptor == ROOT or descriptor in root.stand_ins:
            return tell_status(run, caller, root.tree, node, args[2] & _U32)
        return plain(run, caller, args)

    return function


def fd_readdir(run: ProgramRun, caller: int, args: Arguments) -> int:
    """As that of `directories`, for all guests."""
    descriptor, root = args[0] & _U32, root_of(run)
    if root is None:
        return read_directory(run, caller, args, None)
    node = root.nodes.get(descriptor)
    if node is None:
        return p.BADF if root.hides(descriptor) else read_directory(run, caller, args, None)
    tree = root.tree
    more = tuple(_entry(run, tree, (*node, name)) for name in sorted(tree.nodes[node]))
    covering = None if descriptor in root.stand_ins else tree.covering(node)
    if covering is None:
        return read_directory(run, caller, args, ListedPlace(None, "", more, node_inode(node)))
    mount, rest = covering
    folder = run.slot.preopens[mount].folder
    return read_directory(run, caller, args, ListedPlace(folder, _path(rest), more))


def _entry(run: ProgramRun, tree: Tree, node: Names) -> tuple[int, int, bytes]:
    """Inode, type and name of a node as it is listed."""
    covering = tree.covering(node)
    if covering is not None:
        mount, rest = covering
        with suppress(OSError):
            number, kind = entry_of(run.slot.preopens[mount].folder, _path(rest))
            if kind == DIRECTORY:
                return number, kind, node[-1]
    return node_inode(node), DIRECTORY, node[-1]


def _path(names: Names) -> str:
    return os.fsdecode(b"/".join(names)) or "."


def on_close(plain: Plain) -> Plain:
    """`fd_close`, as `rooted`."""

    def function(run: ProgramRun, caller: int, args: Arguments) -> int:
        descriptor, root = args[0] & _U32, run.root
        if root is None:
            return plain(run, caller, args)
        if descriptor == ROOT and root.nodes.pop(ROOT, None) is not None:
            return p.SUCCESS
        if root.hides(descriptor):
            return p.BADF
        errno = plain(run, caller, args)
        if errno == p.SUCCESS:
            root.nodes.pop(descriptor, None)
            root.stand_ins.discard(descriptor)
        return errno

    return function


def on_renumber(plain: Plain) -> Plain:
    """`fd_renumber`, as `rooted`: the root itself stays where it is."""

    def function(run: ProgramRun, caller: int, args: Arguments) -> int:
        source, target = args[0] & _U32, args[2] & _U32
        root = run.root
        if root is None:
            return plain(run, caller, args)
        if any(one == ROOT or root.hides(one) for one in (source, target)):
            return p.BADF
        errno = plain(run, caller, args)
        if errno == p.SUCCESS and source != target:
            for known in (root.nodes, root.stand_ins):
                _moved(known, source, target)
        return errno

    return function


def _moved(known: dict[int, Names] | set[int], source: int, target: int) -> None:
    if isinstance(known, set):
        known.discard(target)
        if source in known:
            known.remove(source)
            known.add(target)
        return
    known.pop(target, None)
    if source in known:
        known[target] = known.pop(source)
