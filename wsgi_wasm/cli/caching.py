"""What `wsgi-wasm cache` does."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.cli.source import UserError, load_site
from wsgi_wasm.cli.terminal import say, size_text, table
from wsgi_wasm.engine.code.cache import DAY, Cache
from wsgi_wasm.engine.code.pruning import artefacts, built_modules, prune_artefacts, prune_built_modules, prune_rest
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.interpreters import NAMES, interpreter_at
from wsgi_wasm.spin.snapshots import copies, is_used, snapshots_home
from wsgi_wasm.spin.snapshots import prune as prune_copies


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    kind: str
    size: int  # bytes
    loaded: float  # seconds since the epoch
    kept: str = ""  # why it is not removed, whatever its age
    about: str = ""


def list_cache(options: argparse.Namespace) -> int:
    """The exit status. Raises ConfigError, CacheError, UserError."""
    cache = _cache(options)
    entries = [*_entries(cache)]
    _show(entries)
    say(f"{cache.directory}: {size_text(sum(one.size for one in entries))}")
    return 0


def prune_cache(options: argparse.Namespace) -> int:
    """The exit status. Raises ConfigError, CacheError, UserError."""
    cache, before = _cache(options), time.time() - options.days * DAY
    going = [one for one in _entries(cache) if one.loaded < before and not one.kept]
    if not options.dry_run:
        gone = _pruned(cache, before)
        going = [one for one in going if one.path in gone]
    _show(going)
    room = size_text(sum(one.size for one in going))
    say(f"{cache.directory}: {room} {'could be freed' if options.dry_run else 'freed'}")
    return 0


def _pruned(cache: Cache, before: float) -> set[Path]:
    if not cache.writable:
        raise UserError(f"cache directory {cache.directory} cannot be written: be its owner")
    gone = {one.path for one in prune_artefacts(cache, before)} | {
        *prune_built_modules(built_modules(cache, NAMES), before, _is_needed)
    }
    home = _home_of_copies(cache)
    if home is not None:
        gone |= {*prune_copies(home, before)}
    prune_rest(cache, before)
    return gone


def _cache(options: argparse.Namespace) -> Cache:
    config = load_site(options.file) if options.file is not None else None
    directory = options.cache or default_directory(config.cache_dir if config else None, os.environ)
    if not directory.is_dir():
        raise UserError(f"there is no cache directory {directory}")
    return Cache(directory)


def _is_needed(interpreter: Path) -> bool:
    """Whether this version of the package uses it; others that lie there are of versions before or after it."""
    return interpreter_at(interpreter) is not None


def _home_of_copies(cache: Cache) -> Cache | None:
    """The directory of copies of files, which is not made here."""
    return snapshots_home(cache) if (cache.directory / "files").is_dir() else None


def _entries(cache: Cache) -> Iterator[_Entry]:
    for artefact in artefacts(cache):
        yield _Entry(artefact.path, "module", artefact.size, artefact.loaded, about=artefact.module)
    for path, loaded in built_modules(cache, NAMES):
        kept = "this version's" if _is_needed(path) else ""
        yield _Entry(path, path.name.rpartition("-")[0], path.stat().st_size, loaded, kept)
    home = _home_of_copies(cache)
    for place, loaded in copies(home) if home is not None else ():
        yield _Entry(place, "files", _size_below(place), loaded, "in use" if is_used(place) else "")


def _size_below(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _show(entries: Iterable[_Entry]) -> None:
    """The ones that were not used for longest come first."""
    rows = [("kind", "size", "last loaded", "", "name", "of")]
    for one in sorted(entries, key=lambda one: (one.loaded, one.path)):
        day = time.strftime("%Y-%m-%d", time.localtime(one.loaded))
        rows.append((one.kind, size_text(one.size), day, one.kept, one.path.name[:16], one.about))
    if len(rows) > 1:
        print("\n".join(table(rows)))
