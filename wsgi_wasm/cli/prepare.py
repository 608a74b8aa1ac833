"""Fills the cache before it is needed. Makes no engine in this process, which
may fork afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from wsgi_wasm.cli.directory import programs_below
from wsgi_wasm.cli.parallel import Task, in_parallel
from wsgi_wasm.cli.terminal import shown
from wsgi_wasm.config import Config, DirectoryTarget, ModuleTarget, Route, SpinTarget, all_routes
from wsgi_wasm.engine.code.budget import COMMAND, CompileBudget
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.compiler import compile_once, unwatched
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.linking import check_facts
from wsgi_wasm.errors import CacheError, ModuleError
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.gateway.programs import kinds_of
from wsgi_wasm.interpreters import missing
from wsgi_wasm.spin import load_application

MOST_SCRIPTS = 1000  # programs of one directory route that are compiled ahead


@dataclass(frozen=True, slots=True)
class Prepared:
    """One module: its artefact's size in bytes, the seconds that it took (None: it was there), or
    what is wrong."""

    path: Path
    size: int = 0
    seconds: float | None = None
    error: str = ""


def modules_of(route: Route) -> list[Path]:
    """The modules that a route can run: its own, its interpreters', the programs of its directory,
    the components of its Spin application. Raises ConfigError for a manifest with mistakes."""
    match route.target:
        case ModuleTarget(path=path):
            return [path]
        case DirectoryTarget(path=path, interpreters=interpreters):
            found = programs_below(path, kinds_of(route))
            programs = (one.path for one in found if one.kind is not None and not one.kind.interpreter)
            return [*(interpreter.module for interpreter in interpreters.values()), *islice(programs, MOST_SCRIPTS)]
        case SpinTarget() as app:
            made = load_application(route, app, None).routes.values()
            return [path for component in made for path in modules_of(component)]
    return []


def modules_of_site(config: Config) -> list[Path]:
    """Every module of a site once, in file order."""
    routes = [*all_routes(config), config.handler]
    return list(dict.fromkeys(path for route in routes for path in modules_of(route)))


def sources_of_site(config: Config) -> list[ModuleSource]:
    """What each of them is made of."""
    return [ModuleSource.of(HostFile(path), config.compose) for path in modules_of_site(config)]


def prepare(
    sources: Iterable[ModuleSource],
    features: frozenset[str],
    cache: Cache,
    *,
    force: bool = False,
    budget: CompileBudget = COMMAND,
) -> Iterator[Prepared]:
    """Compile what is not in `cache`, several at a time, and say what became of each in their
    order.

    `force` compiles what is there as well. What failed before is tried again, unless `budget` is
    that of a request.
    """

    def prepared(source: ModuleSource) -> Prepared:
        try:
            if force:
                cache.forget(cache.artefact(cache.digest(source), features))
        except (OSError, ModuleError):
            pass  # said below
        return _prepared(source, features, cache, budget)

    return in_parallel("compiling", [Task(shown(source.path), partial(prepared, source)) for source in sources])


def _prepared(source: ModuleSource, features: frozenset[str], cache: Cache, budget: CompileBudget) -> Prepared:
    started, path = time.monotonic(), source.path
    try:
        artefact = cache.artefact(cache.digest(source), features)
        if not budget.by_request:
            cache.forget_failure(artefact)
        facts = cache.find(artefact)
        seconds = None
        if facts is None:
            compiled = compile_once(source, features, cache, unwatched, budget)
            seconds = time.monotonic() - started
            if compiled.code is not None:
                return Prepared(path, error=compiled.uncached)
            artefact, facts = cache.artefact(compiled.digest, features), compiled.facts
        check_facts(facts)
        return Prepared(path, artefact.stat().st_size, seconds)
    except OSError as error:
        return Prepared(path, error=missing(path, error.strerror or str(error)))
    except (ModuleError, CacheError) as error:
        return Prepared(path, error=str(error))
