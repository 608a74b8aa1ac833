"""Show what is in the cache, or remove what has not been used for a while.

`list` shows compiled modules, copies of the files of Spin components, and interpreters for scripts,
with their size and when a process last loaded them. `prune` removes those that no process has
loaded for --days. Anything that is needed again is made again, so you can run it while a server
runs. It keeps copies that a process uses, the interpreter of this version, and the last good
configurations. Run it as the owner of the cache.

FILE is the site that uses the cache; only its `cache_dir` is read. Without FILE, or if
WSGI_WASM_CACHE is set, the cache is chosen from the environment (see `wsgi-wasm compile --help`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.cache_directory import cache_directory
from wsgi_wasm.cli.source import UserError, named_site
from wsgi_wasm.cli.terminal import say, table, tell
from wsgi_wasm.engine.code.cache import DAY, Cache
from wsgi_wasm.engine.code.pruning import (
    artefacts,
    built_modules,
    installed_packages,
    link_of,
    prune_artefacts,
    prune_built_modules,
    prune_rest,
)
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.interpreters import NAMES, interpreter_at
from wsgi_wasm.messages import escaped, size_text
from wsgi_wasm.spin.snapshots import copies, is_used, snapshots_home
from wsgi_wasm.spin.snapshots import prune as prune_copies

EXAMPLES = """\
  wsgi-wasm cache list
  wsgi-wasm cache prune --dry-run /etc/wsgi-wasm/site.yaml
  sudo -u www-data wsgi-wasm cache prune --days 90 --cache /var/cache/wsgi-wasm
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `cache`."""
    parser.add_argument("action", metavar="ACTION", choices=("list", "prune"), help="list or prune")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=file_name,
        help="the site of the cache; only its cache_dir is read",
    )
    parser.add_argument(
        "--cache", metavar="DIR", type=file_name, help="use this cache directory instead of the one described above"
    )
    parser.add_argument(
        "--days",
        metavar="N",
        type=_days,
        default=30.0,
        help="remove what has not been loaded for N days (default: %(default)g)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what `prune` would remove, without removing it")


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to 36500")
    return days


def run(options: argparse.Namespace) -> int:
    """One line for each entry, and one for all. Raises ConfigError, CacheError, UserError."""
    try:
        return _list(options) if options.action == "list" else _prune(options)
    except PermissionError as error:
        raise UserError(
            f"{escaped(error.filename)}: {error.strerror}: run this command as the owner of the cache, or name another "
            "one with --cache"
        ) from None


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    path: Path
    kind: str
    size: int  # bytes
    loaded: float  # seconds since the epoch
    kept: str = ""  # why it is not removed, whatever its age
    about: str = ""


def _list(options: argparse.Namespace) -> int:
    cache = _cache(options)
    entries = [*_entries(cache)]
    _show(entries)
    say(f"{cache.directory}: {size_text(sum(one.size for one in entries))}")
    return 0


def _prune(options: argparse.Namespace) -> int:
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
        raise UserError(f"cache directory {escaped(cache.directory)} is not writable: run this command as its owner")
    gone = {one.path for one in prune_artefacts(cache, before)} | {
        *prune_built_modules(built_modules(cache, NAMES), before, _is_needed),
        *prune_built_modules(installed_packages(cache, NAMES), before, _is_in_use),
    }
    home = _home_of_copies(cache)
    if home is not None:
        gone |= {*prune_copies(home, before)}
    prune_rest(cache, before)
    return gone


def _cache(options: argparse.Namespace) -> Cache:
    directory = cache_directory(options.cache, named_site(options.file))
    if not directory.is_dir():
        raise UserError(f"cache directory {escaped(directory)} does not exist")
    return Cache(directory)


def _is_needed(interpreter: Path) -> bool:
    """Whether this version of the package uses it; the others are of versions before or after."""
    return interpreter_at(interpreter) is not None


def _is_in_use(installed: Path) -> bool:
    """Whether packages are those that scripts find, in this version of the package."""
    link = link_of(installed)
    return link.resolve() == installed.resolve() and _is_needed(link)


def _home_of_copies(cache: Cache) -> TrustedDirectory | None:
    """The directory of copies of files, which is not made here."""
    return snapshots_home(cache) if (cache.directory / "files").is_dir() else None


def _entries(cache: Cache) -> Iterator[_CacheEntry]:
    for artefact in artefacts(cache):
        yield _CacheEntry(artefact.path, "module", artefact.size, artefact.loaded, about=artefact.module)
    for path, loaded in built_modules(cache, NAMES):
        kept = "this version's" if _is_needed(path) else ""
        yield _CacheEntry(path, path.name.partition("-")[0], path.stat().st_size, loaded, kept)
    for path, made in installed_packages(cache, NAMES):
        yield _CacheEntry(path, "packages", _size_below(path), made, "this version's" if _is_in_use(path) else "")
    home = _home_of_copies(cache)
    for directory, loaded in copies(home) if home is not None else ():
        yield _CacheEntry(directory, "files", _size_below(directory), loaded, "in use" if is_used(directory) else "")


def _size_below(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _show(entries: Iterable[_CacheEntry]) -> None:
    """The ones that were not used for longest come first."""
    rows = [("kind", "size", "last loaded", "", "name", "of")]
    for one in sorted(entries, key=lambda one: (one.loaded, one.path)):
        day = time.strftime("%Y-%m-%d", time.localtime(one.loaded))
        rows.append((one.kind, size_text(one.size), day, one.kept, one.path.name[:16], one.about))
    if len(rows) > 1:
        tell(*table(rows))
