"""Load a site, compile its modules, report all mistakes, and show what the site would serve.

The exit status is 1 if the file has mistakes or a route cannot serve. Warnings and notes do not
change it. Values of variables are never printed, only their names.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.as_user import add_user, become
from wsgi_wasm.cli.examine import Examined, Modules, examine
from wsgi_wasm.cli.features import add_features
from wsgi_wasm.cli.report import CacheState, Report, as_json, print_report
from wsgi_wasm.cli.source import load_site
from wsgi_wasm.cli.terminal import tell
from wsgi_wasm.config import Config, Route, SpinTarget, all_routes
from wsgi_wasm.config.checks import dirs_by_route, shared_directories
from wsgi_wasm.engine.advisories import ADVISORIES, CONSIDERED, NOT_ON_PYPI, concerning
from wsgi_wasm.engine.capi import core
from wsgi_wasm.engine.capi.native import missing as without_native
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.pools import resolved
from wsgi_wasm.errors import CacheError, ConfigError
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.gateway.spool import spool_problem
from wsgi_wasm.gunicorn import time_warnings
from wsgi_wasm.hardening import Site, low_walls
from wsgi_wasm.messages import escaped
from wsgi_wasm.spin import load_application
from wsgi_wasm.walls import missing

EXAMPLES = """\
  wsgi-wasm check site.yaml
  wsgi-wasm check site.yaml --no-compile         quick: does not compile modules
  sudo wsgi-wasm check --user www-data site.yaml
  wsgi-wasm check site.yaml --json | jq .routes
  wsgi-wasm check hello.wasm                     a module by itself, with all defaults
"""

_GUNICORN_DEFAULTS = SimpleNamespace(timeout=30, graceful_timeout=30)  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `check`."""
    parser.add_argument("file", metavar="FILE", type=file_name, help="site.yaml, spin.toml, a module, or a directory")
    add_features(parser)
    add_user(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-compile", action="store_true", help="do not compile modules that are not in the cache")


def run(options: argparse.Namespace) -> int:
    """1 if anything is broken. Raises ConfigError, EngineError."""
    become(options.user)
    logging.getLogger("wsgi_wasm").disabled = True  # what it would say is in the report
    for name in ("engine", "gateway"):
        logging.getLogger(f"wsgi_wasm.{name}").disabled = True
    try:
        config = load_site(options.file, options.features)
    except ConfigError as error:
        if not options.json:
            raise
        tell(
            *json.dumps({"ok": False, "problems": [_problem(problem) for problem in error.problems]}, indent=2).split(
                "\n"
            )
        )
        return 1
    report = make_report(config, str(options.file), compiling=not options.no_compile)
    if options.json:
        tell(*json.dumps(as_json(report), indent=2).split("\n"))
    else:
        print_report(report)
    return 0 if report.ok else 1


def make_report(config: Config, file: str, *, compiling: bool) -> Report:
    """Everything that is known of a site. Raises EngineError."""
    cache = cache_state(config)
    modules = Modules(config, cache.directory, compiling)
    modules.compile_all(config)
    examined = [one for route in all_routes(config) for one in _examine(route, config, modules)]
    # The settings for dropped-in files are no route, and are worth a line only if something is
    # wrong with them.
    dropped_in = examine(config.handler, modules)
    if dropped_in.errors or dropped_in.warnings:
        examined.append(dropped_in)
    return Report(
        file=file,
        config=config,
        routes=examined,
        cache=cache,
        engine=core.VERSION,
        notes=[
            *advisory_notes(config, {feature for one in examined for feature in one.features}),
            *wall_notes(config),
            *_time_notes(config),
            *shared_directories(config),
            *filter(None, [spool_problem(), without_native()]),
            *_missing(examined),
        ],
    )


def _examine(route: Route, config: Config, modules: Modules) -> Iterator[Examined]:
    """The route; a Spin application and then each of its components."""
    if not isinstance(route.target, SpinTarget):
        yield examine(route, modules)
        return
    granted = tuple(dirs_by_route(config))
    application = load_application(route, route.target, modules.cache_directory, granted=granted)
    yield Examined(route, warnings=list(application.remarks))
    for (component, _), made in application.routes.items():
        yield examine(replace(made, path=f"{route.path}[{component}]"), modules)


def cache_state(config: Config) -> CacheState:
    """Whether the cache directory can be used, and why not."""
    directory = default_directory(config.cache_dir, os.environ)
    try:
        return CacheState(directory, Cache(directory).unwritable(), "")
    except CacheError as error:
        return CacheState(directory, "", str(error))


def wall_notes(config: Config) -> list[str]:
    """What walls around processes lack on this machine, where the site wants them, and what makes
    them lower than they could be."""
    isolated = any(route.isolate for route in (*all_routes(config), config.handler))
    hardened = config.harden.enabled
    if not isolated and not hardened:
        return []
    key = " and ".join(name for name, wanted in (("isolate", isolated), ("harden", hardened)) if wanted)
    notes = [f"{key}: {sentence}" for sentence in missing(group=isolated)]
    if hardened:
        more = (path for path in (*config.harden.read, *config.harden.write) if not path.exists())
        notes += [f"harden: {sentence}" for sentence in low_walls(Site(config))]
        notes += [f"harden: {escaped(path)} does not exist" for path in more]
    return notes


def advisory_notes(config: Config, used: Collection[str]) -> list[str]:
    """What is known of the engine's version, for modules that use these of its features; no error,
    since there may be nothing to update to."""
    known = len(ADVISORIES.get(core.VERSION, ()))
    found = concerning(core.VERSION, resolved(frozenset(config.engine.features), used))
    if not found:
        return []
    fix = max((advisory.fixed_in for advisory in found), key=lambda text: [int(part) for part in text.split(".")])
    where = "which was not on PyPI at that time" if fix in NOT_ON_PYPI else "update it"
    listed = "; ".join(f"{advisory.identity}, {advisory.text}" for advisory in found)
    return [
        f"wasmtime {core.VERSION}: {known} known advisories (as of {CONSIDERED}); {len(found)} of them may concern "
        f"this site: {listed}. Fixed in {fix}, {where}"
    ]


def _time_notes(config: Config) -> list[str]:
    return [
        f"with gunicorn's defaults, {warning} (`wsgi-wasm serve` and conf/gunicorn.conf.py allow more)"
        for warning in time_warnings(config, _GUNICORN_DEFAULTS, threaded=False)
    ]


def _missing(examined: list[Examined]) -> list[str]:
    left = sum(one.not_compiled for one in examined)
    return [f"not compiled yet: the modules of {left} routes"] if left else []


def _problem(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "line", "column", "message")}
