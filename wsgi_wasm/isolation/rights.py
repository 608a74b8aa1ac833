"""Who may ask a spawner, and as whom it lets what it starts run.

A spawner of root's is asked by workers that are somebody else. None of them shall get more by it
than its server gives it: what runs as another user, only those of the configuration that the
spawner itself was started with.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.errors import WallError
from wsgi_wasm.messages import quote
from wsgi_wasm.walls import User, user_of


@dataclass(frozen=True, slots=True)
class SpawnerRights:
    """`askers` are users by number, besides root and the spawner's own; `users` those by name that
    processes may run as. `commands` are digests of the programs that may be started for workers
    within walls; None where workers have none, and could start programs themselves."""

    askers: frozenset[int] = frozenset()
    users: frozenset[str] = frozenset()
    commands: frozenset[str] | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> SpawnerRights:
        """Those of a spawner's arguments."""
        commands = frozenset(options.command) if options.confined else None
        return cls(frozenset(options.asker), frozenset(options.user), commands)

    def check_command(self, digest: str) -> None:
        """Raises WallError for a program that may not be started."""
        if self.commands is not None and digest not in self.commands:
            raise WallError("this program was not in the configuration when the server started")

    def may_ask(self, uid: int) -> bool:
        """Whether processes of this user are answered."""
        return uid in (0, os.geteuid()) or uid in self.askers

    def user(self, peer: tuple[int, int], wanted: str | None) -> User | None:
        """Whom a process becomes that a peer of this user and group asks for; None leaves it as it
        is. Raises WallError."""
        uid, gid = peer
        if wanted is not None:
            if uid != os.geteuid() and wanted not in self.users:
                raise WallError(f"user {quote(wanted)} was not in the configuration when the server started")
            return user_of(wanted)
        return None if uid == os.geteuid() else User(f"number {uid}", uid, gid, (gid,))


@dataclass(frozen=True, slots=True)
class SpawnerOptions:
    """How many children there may be, the cache of the server, and who may have what."""

    most: int
    cache: Path
    rights: SpawnerRights


def spawner_arguments() -> argparse.Namespace:
    """Of this process, which is a spawner."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", type=int, required=True)
    parser.add_argument("--began", type=int, required=True)
    parser.add_argument("--most", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--log", nargs=2, default=["", ""])
    parser.add_argument("--asker", type=int, action="append", default=[])
    parser.add_argument("--user", action="append", default=[])
    parser.add_argument("--command", action="append", default=[])
    parser.add_argument("--confined", action="store_true")
    return parser.parse_args()
