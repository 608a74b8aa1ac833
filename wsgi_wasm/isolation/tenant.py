"""What guests of one name share: a process, and what that may reach."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

IDLE = 60.0  # seconds without a run after which a child ends


class Directory(NamedTuple):
    """A directory of the host that a child may open, and whether guests may write there.
    `identity` is of what was there when it was looked at (device and inode): a wall is about that,
    and not about what takes its place."""

    path: str
    writable: bool
    identity: tuple[int, int]


def looked_at(directories: Mapping[str, bool]) -> tuple[Directory, ...]:
    """Those of these paths that are there, with whether guests may write."""
    found = ((path, writable, identity(path)) for path, writable in sorted(directories.items()))
    return tuple(Directory(path, writable, is_now) for path, writable, is_now in found if is_now is not None)


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What is there now, None where nothing is."""
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


@dataclass(frozen=True, slots=True)
class Tenant:
    """The walls of one child. `cache` is where compiled modules lie. `connects` says whether its
    guests may make requests, `memory` bounds what they use together (bytes).

    A change of any of it, as by a new configuration, means another child; the old one ends when
    nothing runs in it.
    """

    name: str
    directories: tuple[Directory, ...] = ()
    cache: str = ""
    user: str | None = None
    connects: bool = False
    memory: int | None = None
    idle: float = IDLE
    key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()
        object.__setattr__(self, "key", digest[:32])

    def to_json(self) -> dict[str, Any]:
        """For the spawner."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    @classmethod
    def from_json(cls, known: dict[str, Any]) -> Tenant:
        """The reverse. Raises TypeError, KeyError, ValueError."""
        directories = tuple(
            Directory(str(path), bool(writable), (int(device), int(inode)))
            for path, writable, (device, inode) in known.pop("directories")
        )
        return cls(directories=directories, **known)
