"""What a directory route would serve, by the rules of `wsgi_wasm.gateway.scripts`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.errors import Forbidden, NotFound
from wsgi_wasm.gateway.kinds import ProgramKind, ProgramKinds
from wsgi_wasm.gateway.scripts import find_script
from wsgi_wasm.messages import escaped

SCAN_LIMIT = 10_000  # files looked at in one directory route


class Listed(NamedTuple):
    """A file: `kind` is what it is, None for what is no program; then `why` says the reason, and
    `unreadable` that this user may not read it."""

    path: Path
    kind: ProgramKind | None
    why: str = ""
    unreadable: bool = False
    owner: int = 0

    @property
    def by(self) -> str:
        """What told that it is a program, in words."""
        match self.kind:
            case ProgramKind(by="magic") as kind:
                return "magic, a component" if kind.is_component else "magic, a core module"
            case ProgramKind(by="shebang", interpreter=name):
                return f"shebang, {name}"
            case ProgramKind(by=by):
                return by
        return ""


def files_below(directory: Path, kinds: ProgramKinds) -> Iterator[Listed]:
    """The files below `directory`, in order of their paths. Dot files and directories that are
    links are left out; so is what is in a directory that cannot be read."""
    root = Path(os.path.realpath(directory))
    seen = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _plain(name))
        for name in sorted(filter(_plain, files)):
            seen += 1
            if seen > SCAN_LIMIT:
                return
            yield _listed(Path(folder, name), root, kinds)


def programs_below(directory: Path, kinds: ProgramKinds) -> Iterator[Listed]:
    """Those among them that are programs."""
    return (one for one in files_below(directory, kinds) if one.kind is not None)


def _listed(path: Path, root: Path, kinds: ProgramKinds) -> Listed:
    asked = os.fsencode(f"/{path.relative_to(root)}").decode("latin-1")
    try:
        found = find_script(root, asked, (), kinds)
        return Listed(path, found.program.kind, owner=found.owner)
    except (NotFound, Forbidden) as error:
        why = str(error).removeprefix(f"{escaped(path)}: ")
        return Listed(path, None, why, isinstance(error, Forbidden))


def _plain(name: str) -> bool:
    return not name.startswith(".") and "\\" not in name


def unusable(directory: Path) -> str:
    """What keeps this user from reading a directory, empty where nothing does."""
    if not directory.exists():
        return "does not exist"
    if not directory.is_dir():
        return "is not a directory"
    return "" if os.access(directory, os.R_OK | os.X_OK) else "cannot be read by this user"
