"""Where paths lead, and through which directories: whether one place of the disk reaches another.

Two paths may lead to one place: by links, `..`, a second mount of a directory, or names that a file
system takes for the same. So a directory goes by several keys: its inode, its place in its file
system, and its path. What does not exist yet is known by what is above it.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

_MOUNTS = "/proc/self/mountinfo"
_MOST_LINKS = 40  # of one path, as in Linux

Keys = frozenset[Hashable]


class Walked(NamedTuple):
    """Where a path leads, without links, and each place that it leads over, with what the link says
    that was followed there, None for none."""

    end: str
    parts: list[tuple[str, str | None]]


def walked_along(path: Path, target: Callable[[str], str | None]) -> Walked:
    """Along an absolute path, as far as it exists. `target` gives what the link at a place
    says, None where there is none."""
    here, left, followed = "/", deque(str(path).split("/")), 0
    parts: list[tuple[str, str | None]] = []
    while left:
        part = left.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            here = os.path.dirname(here)
            continue
        place = os.path.join(here, part)
        link = target(place) if followed < _MOST_LINKS else None
        parts.append((place, link))
        if link is None:
            here = place
            continue
        followed += 1
        here = "/" if link.startswith("/") else here
        left.extendleft(reversed(link.split("/")))
    return Walked(here, parts)


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a path leads.

    `own` are the keys of the place itself, `above` those of the directories that it lies in,
    `through` those of every directory that the path leads through, and `links` those of the
    directories in which, or below which, it has a link.
    """

    path: str
    own: Keys
    above: Keys
    through: Keys
    links: Keys

    def is_same(self, other: Trail) -> bool:
        """Whether both lead to one place."""
        return not self.own.isdisjoint(other.own)

    def lies_in(self, other: Trail) -> bool:
        """Whether the place is below that of the other."""
        return not self.above.isdisjoint(other.own)

    def reaches(self, other: Trail) -> bool:
        """Whether who may change what is in this place gets at the other one, or decides where its
        path leads."""
        return not (self.own.isdisjoint(other.through) and self.own.isdisjoint(other.above))

    def has_link_in(self, other: Trail) -> bool:
        """Whether that is so because of a link there."""
        return not self.links.isdisjoint(other.own)


class Survey:
    """Trails as they are at one time: what is looked at once is not looked at again."""

    def __init__(self) -> None:
        self._looked: dict[str, os.stat_result | None] = {}
        self._keys: dict[str, Keys] = {}
        self._chains: dict[str, Keys] = {}
        self._trails: dict[Path, Trail] = {}

    def trail(self, path: Path) -> Trail:
        """The trail of an absolute path. Parts that are missing or that this user cannot see count
        as directories yet to be made."""
        trail = self._trails.get(path)
        if trail is None:
            trail = self._trails[path] = self._follow(path)
        return trail

    def _follow(self, path: Path) -> Trail:
        walked = walked_along(path, self._target)
        through = {os.path.dirname(place) for place, _ in walked.parts}
        links = {os.path.dirname(place) for place, target in walked.parts if target is not None}
        own = self._keys_of(walked.end)
        return Trail(walked.end, own, self._chain(walked.end) - own, self._all(through), self._all(links))

    def _target(self, path: str) -> str | None:
        info = self._look(path)
        return os.readlink(path) if info is not None and stat.S_ISLNK(info.st_mode) else None

    def _look(self, path: str) -> os.stat_result | None:
        if path not in self._looked:
            try:
                self._looked[path] = os.lstat(path)
            except (OSError, ValueError):
                self._looked[path] = None
        return self._looked[path]

    def _all(self, directories: set[str]) -> Keys:
        # Of those that follow each other down, the last one's chain has all.
        ordered = [*sorted(directories), ""]
        last = [one for one, below in pairwise(ordered) if not below.startswith(one.rstrip("/") + "/")]
        return frozenset().union(*map(self._chain, last))

    def _chain(self, directory: str) -> Keys:
        """The keys of a directory (a path without links) and of every one that it lies in, on its
        file system too, of which another part may be mounted elsewhere."""
        chain = self._chains.get(directory)
        if chain is None:
            keys: set[Hashable] = set()
            for here in (directory, *map(str, Path(directory).parents)):
                keys |= self._keys_of(here)
                if not keys.issuperset(places := [*islice(self._on_file_system(here), 2)]):
                    keys.update(places, self._on_file_system(here))
            chain = self._chains[directory] = frozenset(keys)
        return chain

    def _keys_of(self, path: str) -> Keys:
        keys = self._keys.get(path)
        if keys is None:
            keys = self._keys[path] = frozenset((path, self._identity(path), *islice(self._on_file_system(path), 1)))
        return keys

    def _identity(self, path: str) -> Hashable:
        missing = []
        while (info := self._look(path)) is None and path != "/":
            path, name = os.path.split(path)
            # Nobody knows yet whether the file system will tell upper case from lower.
            missing.append(name.casefold())
        found: Hashable = info and (info.st_dev, info.st_ino)
        for name in reversed(missing):
            found = found, name
        return found

    def _on_file_system(self, path: str) -> Iterator[Hashable]:
        """The place in the file system, and those above it."""
        for mounted, device, root in self._mounts:
            if path == mounted or path.startswith(mounted.rstrip("/") + "/"):
                place = os.path.join(root, path[len(mounted) :].lstrip("/")).rstrip("/") or "/"
                yield device, place
                while place != "/":
                    place = os.path.dirname(place)
                    yield device, place
                return

    @cached_property
    def _mounts(self) -> list[tuple[str, str, str]]:
        """Mount points with the file system and what of it is there, the deepest first (proc(5));
        of two at one point, the later one."""
        try:
            with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
                fields = [line.split(" ") for line in file]
        except OSError:
            return []
        mounts = [(_plain(one[4]), one[2], _plain(one[3])) for one in reversed(fields) if len(one) > 4]
        return sorted(mounts, key=lambda mount: len(mount[0]), reverse=True)


def _plain(field: str) -> str:
    """A field of the table of mounts without its escapes: spaces are `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
