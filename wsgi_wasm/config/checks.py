"""Checks of host paths against each other. A guest that may write must not reach what
decides about guests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from wsgi_wasm.config.model import Config, DirectoryTarget, ModuleTarget, Route, SpinTarget, all_routes
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.config.settings import PlacedDir


@dataclass(frozen=True, slots=True)
class _Kept:
    """A host path that guests must not write to. A file is reached through a directory above it
    alone; a directory also through one inside it."""

    what: str
    path: str
    is_file: bool


def check_dirs(placed: Sequence[PlacedDir], reading: Reading) -> None:
    """Two directories of a guest with different rights must not overlap: the guest could write
    through the other."""
    real = [(_real(entry.dir.host), entry) for entry in placed]
    for (path, entry), (later_path, later) in combinations(real, 2):
        if entry.dir.writable != later.dir.writable and _overlap(path, later_path):
            rights = "writable" if entry.dir.writable else "read-only"
            message = f"overlaps the host directory of '{entry.dir.guest}', which is {rights}"
            reading.report(later.setting.key, later.setting.path, message)


def check_writable(placed: Iterable[PlacedDir], config: Config, files: Mapping[Path, str], reading: Reading) -> None:
    """No writable directory may reach modules, scripts, this file, the cache or other guests'
    state: `state_dir`, and `files` with what each of them is."""
    kept = (*_kept(config), *(_Kept(what, _real(path), True) for path, what in files.items()))
    for entry in placed:
        path = _real(entry.dir.host)
        reached = [f"{verb} {one.what}" for one in kept if (verb := _reaches(path, one))]
        if entry.dir.writable and reached:
            more = f" and {len(reached) - 3} more" if len(reached) > 3 else ""
            message = f"is writable, but {', '.join(reached[:3])}{more}"
            reading.report(entry.setting.key, entry.setting.path, message)


def _reaches(path: str, kept: _Kept) -> str:
    """How a guest gets from `path` to what is kept, as a verb; empty when it does not."""
    if path == kept.path:
        return "is"
    if _is_in(kept.path, path):
        return "contains"
    return "lies in" if not kept.is_file and _is_in(path, kept.path) else ""


def _kept(config: Config) -> tuple[_Kept, ...]:
    kept = {_Kept("this configuration file", _real(config.source), True)}
    for what, path in (("the cache_dir", config.cache_dir), ("the state_dir", config.state_dir)):
        if path is not None:
            kept.add(_Kept(what, _real(path), False))
    for route in all_routes(config):
        kept.update(_kept_of(route))
    for plugs in config.compose.values():
        kept.update(_module(plug) for plug in plugs.values())
    return tuple(sorted(kept, key=lambda one: (one.path, one.what)))


def _kept_of(route: Route) -> Iterator[_Kept]:
    """What a route serves."""
    match route.target:
        case ModuleTarget(path=path):
            yield _module(path)
        case DirectoryTarget(path=path, interpreters=interpreters):
            yield _Kept(f"the directory of route {route.name}", _real(path), False)
            yield from (_module(interpreter.module) for interpreter in interpreters.values())
        case SpinTarget(path=path, state_dir=state_dir):
            yield _Kept(f"the manifest of route {route.name}", _real(path), True)
            if state_dir is not None:
                yield _Kept(f"the state_dir of route {route.name}", _real(state_dir), False)


def _module(path: Path) -> _Kept:
    return _Kept(f"the module {path.name}", _real(path), True)


def _real(path: Path) -> str:
    """Without symbolic links, as far as the path exists."""
    return os.path.realpath(path)


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _overlap(one: str, other: str) -> bool:
    return _is_in(one, other) or _is_in(other, one)
