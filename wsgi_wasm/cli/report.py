"""The report of `wsgi-wasm check`, for people and as JSON. Names of variables only: their values
may be secrets."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsgi_wasm.cli.examine import Examined
from wsgi_wasm.cli.terminal import Style, duration_text, plural, table, tell, wrapped
from wsgi_wasm.config import Config, Dir, DirectoryTarget, ModuleTarget, Route, RouteTarget, SpinTarget, interpreters_of
from wsgi_wasm.hostapi import describe
from wsgi_wasm.messages import size_text

_HEADINGS = ("HOST", "PATH", "KIND", "SERVED FROM", "TIMEOUT", "CPU", "MEMORY", "AT ONCE*", "STATE")


@dataclass(frozen=True, slots=True)
class CacheState:
    """The cache directory: why nothing can be written to it, and why it cannot be used at all
    (empty: it can)."""

    directory: Path
    unwritable: str
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `check` found."""

    file: str
    config: Config
    routes: list[Examined]
    cache: CacheState
    engine: str
    notes: list[str]

    @property
    def ok(self) -> bool:
        """Whether every route can serve."""
        return not any(one.errors for one in self.routes)


def print_report(report: Report) -> None:
    """Table, details of each route, engine, cache, result."""
    style = Style(sys.stdout)
    base = report.config.source.parent
    if report.routes:
        heading, *lines = table([_HEADINGS, *(_row(one, base, report.config) for one in report.routes)])
        tell(style("bold", heading))
        tell(*lines)
        tell(style("dim", "* per process"))
    for one in report.routes:
        details = _details(one, style)
        if details:
            tell("", style("bold", one.route.name))
            tell(*(f"  {line}" for line in details))
    tell("", *_surroundings(report, style))
    errors, warnings = (sum(len(getattr(one, kind)) for one in report.routes) for kind in ("errors", "warnings"))
    count = f"{report.file}: {plural(len(report.routes), 'route')}, {plural(errors, 'error')}"
    tell(style("red" if errors else "green", f"{count}, {plural(warnings, 'warning')}"))


def _row(one: Examined, base: Path, config: Config) -> tuple[str, ...]:
    route, limits = one.route, one.route.limits
    target = route.target.path if route.target is not None else None
    shown = "-" if target is None else str(target.relative_to(base)) if target.is_relative_to(base) else str(target)
    state = "broken" if one.errors else "not compiled" if one.not_compiled else "ok"
    return (
        route.host or "*",
        route.path,
        one.kind,
        shown if shown != "." else "./",
        duration_text(limits.timeout),
        duration_text(limits.cpu),
        size_text(limits.memory),
        str(at_once(route, config)),
        state,
    )


def at_once(route: Route, config: Config) -> int:
    """How many requests of a route one process runs at the same time, at most."""
    return min(route.limits.concurrency or config.engine.instances, config.engine.instances)


def _details(one: Examined, style: Style) -> list[str]:
    route = one.route
    lines = [f"{style('red', 'error')}    {text}" for text in one.errors]
    lines += [f"{style('yellow', 'warning')}  {text}" for text in one.warnings]
    if route.methods is not None:
        lines.append(f"methods  {' '.join(route.methods)}")
    if route.isolate:
        name = "of its own" if route.isolate is True else f"named {route.isolate}"
        lines.append(f"isolate  a process {name}{f', as user {route.user}' if route.user else ''}")
    grants = [_grant(entry) for entry in _all_dirs(route)]
    if route.target is not None and interpreters_of(route.target):
        grants.insert(0, f"/ = {route.target.path} (ro, for interpreters)")
    lines += [f"{'' if position else 'dirs':8} {grant}" for position, grant in enumerate(grants)]
    names = _env_names(route)
    lines += wrapped("env     ", names) if names else []
    lines += wrapped("pass_env", list(route.pass_env)) if route.pass_env else []
    lines += [f"composed {name} = {path}" for name, path in one.plugs.items()]
    for api, values in describe(route.grants).items():
        listed = [f"{name} = {value}" if value not in ("set", "allowed") else name for name, value in values.items()]
        lines += [f"{'' if position else api:9} {text}" for position, text in enumerate(listed)]
    if one.scripts:
        scripts = [name if by == "suffix" else f"{name} ({by})" for name, by in one.scripts.items()]
        lines += wrapped("scripts ", [*scripts, *(["and more"] if one.more_scripts else [])])
    lines += _others(one)
    lines += [f"local    {name}: {keys}" for name, keys in one.local.items() if keys]
    if one.imports:
        lines += wrapped("imports ", sorted(one.imports))
    if one.memory:
        lines.append(f"memory   starts with {size_text(one.memory)}")
    return lines


def _others(one: Examined) -> list[str]:
    """The files of a directory that are no programs, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for name, why in one.others.items():
        by_reason.setdefault(why, []).append(name)
    lines = []
    for why, names in by_reason.items():
        lines += wrapped("others  ", [*names, *(["and more"] if one.more_others else []), f"({why})"])
    return lines


def _grant(entry: Dir) -> str:
    return f"{entry.guest} = {entry.host} ({'rw' if entry.writable else 'ro'})"


def _all_dirs(route: Route) -> list[Dir]:
    return [
        *route.dirs,
        *(entry for interpreter in interpreters_of(route.target).values() for entry in interpreter.dirs),
    ]


def _env_names(route: Route) -> list[str]:
    own = {*route.env, *(name for interpreter in interpreters_of(route.target).values() for name in interpreter.env)}
    return sorted(own)


def _surroundings(report: Report, style: Style) -> list[str]:
    engine = report.config.engine
    features = ", ".join(engine.features) or "no optional features"
    lines = [f"engine  wasmtime {report.engine}, {features}, {plural(engine.instances, 'instance')} per process"]
    cache = report.cache
    if cache.error:
        lines.append(f"cache   {style('yellow', 'not used')}: {cache.error}; each process compiles modules for itself")
    else:
        use = "trusted, writable"
        if cache.unwritable:
            why = style("yellow", f"cannot be written to ({cache.unwritable})")
            use = f"trusted, but {why}: each process compiles the missing modules for itself"
        lines.append(f"cache   {cache.directory} ({use})")
    return lines + [f"note    {note}" for note in report.notes]


# --- JSON ---


def as_json(report: Report) -> dict[str, Any]:
    """The same as an object. Durations in seconds, sizes in bytes."""
    return {
        "ok": report.ok,
        "file": report.file,
        "problems": [],
        "routes": [_route_json(one, report.config) for one in report.routes],
        "engine": {
            "wasmtime": report.engine,
            "features": list(report.config.engine.features),
            "instances": report.config.engine.instances,
        },
        "cache": {
            "directory": str(report.cache.directory),
            "trusted": not report.cache.error,
            "writable": not report.cache.unwritable and not report.cache.error,
            "error": report.cache.error or None,
        },
        "notes": report.notes,
    }


def _route_json(one: Examined, config: Config) -> dict[str, Any]:
    route = one.route
    return {
        "name": route.name,
        "host": route.host,
        "path": route.path,
        "kind": one.kind,
        "module": _path_of(route, ModuleTarget),
        "directory": _path_of(route, DirectoryTarget),
        "spin": _path_of(route, SpinTarget),
        "interpreters": {suffix: str(entry.module) for suffix, entry in interpreters_of(route.target).items()},
        "methods": list(route.methods) if route.methods is not None else None,
        "limits": {**asdict(route.limits), "concurrency": at_once(route, config)},
        "dirs": [{"guest": d.guest, "host": str(d.host), "writable": d.writable} for d in _all_dirs(route)],
        "env": _env_names(route),
        "pass_env": list(route.pass_env),
        "grants": describe(route.grants),
        "interface": one.interface or None,
        "composed": one.plugs,
        "isolate": route.isolate,
        "user": route.user,
        "imports": sorted(one.imports),
        "memory": one.memory,
        "scripts": list(one.scripts),
        "more_scripts": one.more_scripts,
        "programs": [{"file": name, "by": by} for name, by in one.scripts.items()],
        "others": [{"file": name, "why": why} for name, why in one.others.items()],
        "more_others": one.more_others,
        "local": [{"file": name, "keys": keys.split(", ")} for name, keys in one.local.items() if keys],
        "compiled": not one.not_compiled,
        "errors": one.errors,
        "warnings": one.warnings,
    }


def _path_of(route: Route, kind: type[RouteTarget]) -> str | None:
    """What answers a route, if that is of this kind."""
    return str(route.target.path) if isinstance(route.target, kind) else None
