"""One root with all of a guest's directories in it, for guests that know of no other.

Names lead from the root down: a node is a directory of the guest's (a mount), or stands above one.
What stands above and is no directory of the host can be looked at, and no more.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence

from wsgi_wasm.engine.program.listing import inode

ROOT = 3
"""The descriptor of the root, which is that of the first directory of other guests."""

Names = tuple[bytes, ...]
"""A path from the root, without `.` and `..`."""


class Tree:
    """Where the directories of a guest lie, by their paths in it."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self.mounts: dict[Names, int] = {}  # which of `paths` lies there
        self.nodes: dict[Names, set[bytes]] = {(): set()}  # what is known to lie in each
        self.made = time.time_ns()
        for i, path in enumerate(paths):
            names = tuple(name for name in path.split(b"/") if name not in (b"", b"."))
            self.mounts.setdefault(names, i)
            for depth, name in enumerate(names):
                self.nodes[names[:depth]].add(name)
                self.nodes.setdefault(names[: depth + 1], set())
        self.count = len(paths)
        self._depth = max(map(len, self.nodes))

    def node(self, at: Sequence[bytes]) -> Names | None:
        """These names where they lead to a node."""
        if len(at) > self._depth:
            return None
        names = tuple(at)
        return names if names in self.nodes else None

    def covering(self, at: Sequence[bytes]) -> tuple[int, Names] | None:
        """The directory that these names lead into, and the names below it; None above all."""
        above = tuple(at[: self._depth])
        for depth in range(len(above), -1, -1):
            found = self.mounts.get(above[:depth])
            if found is not None:
                return found, tuple(at[depth:])
        return None


class Root:
    """The tree as one run sees it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.nodes: dict[int, Names] = {ROOT: ()}  # by the guest's descriptor
        # descriptors of nodes that are no directories of the host, of which Wasmtime thinks that
        # they are the first one
        self.stand_ins: set[int] = set()

    def hides(self, descriptor: int) -> bool:
        """Whether it is one of Wasmtime's that the guest has not been told of."""
        return descriptor not in self.nodes and 0 <= descriptor - ROOT < max(1, self.tree.count)


def node_inode(node: Names) -> int:
    """The inode of a node that no directory of the host is."""
    return inode(0, zlib.crc32(b"/".join(node)) + 1)
