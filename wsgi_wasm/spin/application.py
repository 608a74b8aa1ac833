"""A Spin application as this gateway runs it: its patterns, and one `Route` for each component."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.config import Config, Dir, ModuleTarget, Route, SpinTarget, all_routes
from wsgi_wasm.config.checks import dirs_by_route
from wsgi_wasm.config.compose import needs_itself
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.files.trails import Survey
from wsgi_wasm.messages import reason
from wsgi_wasm.spin.files import Files, folders, is_excluded, select
from wsgi_wasm.spin.grants import component_grants
from wsgi_wasm.spin.manifest import read_manifest
from wsgi_wasm.spin.model import Component, Manifest, Trigger, Wagi
from wsgi_wasm.spin.patterns import WELL_KNOWN, PatternTable, parse_pattern
from wsgi_wasm.spin.request import WAGI_VARIABLES
from wsgi_wasm.spin.runtime_config import RuntimeConfig, default_runtime_config, read_runtime_config
from wsgi_wasm.spin.snapshots import Snapshot, snapshot
from wsgi_wasm.spin.tables import ManifestReading
from wsgi_wasm.spin.variables import resolve

PAGE = 1 << 16  # bytes of WebAssembly memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One application, ready for a handler.

    `routes` are by component and executor, None for that of HTTP; `compose` is as in `Config`.
    `remarks` are sentences about what it asks for and does not get, or gets in another way.
    `snapshots` are the copies of files that `routes` mount, which stay as long as this object.
    """

    manifest: Manifest
    patterns: PatternTable[Trigger]
    routes: Mapping[tuple[str, Wagi | None], Route]
    compose: Mapping[Path, Mapping[str, Path]]
    remarks: tuple[str, ...]
    snapshots: tuple[Snapshot, ...]


def load_applications(
    config: Config, cache_directory: Path | None, mistakes: list[Problem] | None = None
) -> dict[str, Application]:
    """Every application of a site, by the name of its route; `cache_directory`
    as in `load_application`.

    Raises ConfigError with the mistakes of all of them; or puts them into `mistakes`, and leaves
    out the applications that have some.
    """
    problems: list[Problem] = [] if mistakes is None else mistakes
    granted = tuple(dirs_by_route(config))
    applications = {}
    for route in all_routes(config):
        if isinstance(route.target, SpinTarget):
            try:
                applications[route.name] = load_application(route, route.target, cache_directory, granted=granted)
            except ConfigError as error:
                problems += error.problems
    if problems and mistakes is None:
        raise ConfigError(problems)
    return applications


def with_compositions(config: Config, applications: Mapping[str, Application]) -> Config:
    """The site with what its applications compose, which may have been read before they were."""
    of_applications = {path: plugs for one in applications.values() for path, plugs in one.compose.items()}
    return replace(config, compose={**config.compose, **of_applications})


def load_application(
    route: Route,
    app: SpinTarget,
    cache_directory: Path | None,
    environ: Mapping[str, str] = os.environ,
    granted: Sequence[tuple[Route, Dir]] = (),
) -> Application:
    """The application `app` that is the target of `route`. Copies of the components' files are made
    below `cache_directory`; with None they are looked for and not copied. `granted` are the
    directories of the site's guests, none of whom may write to what the application is made of.

    Raises ConfigError with every mistake, those of the runtime configuration too.
    """
    manifest = read_manifest(app.path, app.profile)
    base = manifest.path.parent
    runtime = (
        default_runtime_config(base, app.state_dir, environ)
        if app.runtime_config is None
        else read_runtime_config(app.runtime_config, base, app.state_dir, environ)
    )
    reading = ManifestReading(file=str(app.path), base=base)
    values = resolve(manifest, app.variables, runtime.providers, reading)
    remarks = [*manifest.remarks, *runtime.remarks]
    routes: dict[tuple[str, Wagi | None], Route] = {}
    snapshots: list[Snapshot] = []
    for component, wagi in _used(manifest):
        made = _component_route(route, component, runtime)
        made = replace(made, grants=component_grants(component, runtime, route.grants.outbound, values, reading))
        made = _as_http(made) if wagi is None else _as_wagi(made, component, reading)
        files = select(component, reading)
        _check_root(route, component, files, reading)
        _check_writable(made, component, granted or tuple((route, entry) for entry in route.dirs), reading)
        if files and not reading.problems:
            copies = _copied(files, cache_directory, reading)
            snapshots += copies
            made = replace(made, dirs=(*map(_mounted, copies), *made.dirs))
        routes[component.id, wagi] = made
    compose = _compositions(manifest, reading)
    reading.check()
    routed = ((trigger.route, trigger) for trigger in manifest.triggers if trigger.route is not None)
    patterns = PatternTable(routed, manifest.base)
    remarks += _about_routes(manifest, patterns)
    return Application(
        manifest=manifest,
        patterns=patterns,
        routes=routes,
        compose=compose,
        remarks=tuple(dict.fromkeys(remarks)),
        snapshots=tuple(snapshots),
    )


def _used(manifest: Manifest) -> Iterator[tuple[Component, Wagi | None]]:
    """Each component that a trigger names, with its executor, once."""
    pairs = ((trigger.component, trigger.wagi) for trigger in manifest.triggers if trigger.component is not None)
    for identity, wagi in dict.fromkeys(pairs):
        yield manifest.components[identity], wagi


def _compositions(manifest: Manifest, reading: ManifestReading) -> dict[Path, Mapping[str, Path]]:
    found: dict[Path, Mapping[str, Path]] = {}
    for component in manifest.components.values():
        if found.setdefault(component.source, component.dependencies) != component.dependencies:
            reading.report(
                f"component.{component.id}.dependencies",
                f"differ from those of another component with the same source; make a copy of {component.source.name}",
            )
    plugged = {source: dependencies for source, dependencies in found.items() if dependencies}
    for component in manifest.components.values():
        if component.source in plugged and needs_itself(component.source, plugged):
            key_path = f"component.{component.id}.dependencies"
            reading.report(key_path, f"{component.source.name} is plugged into itself, directly or through its plugs")
            return {}
    return plugged


def _about_routes(manifest: Manifest, patterns: PatternTable[Trigger]) -> Iterator[str]:
    for text, lost, taker in patterns.shadowed:
        yield f"trigger {lost.id}: the later trigger {taker.id} has the same route {text} and gets its requests"
    for trigger in manifest.triggers:
        if trigger.route is not None and f"{parse_pattern(trigger.route, manifest.base).clean}/".startswith(WELL_KNOWN):
            yield f"trigger {trigger.id}: routes below {WELL_KNOWN} are Spin's own, so {trigger.route} is never reached"
    used = {trigger.component for trigger in manifest.triggers}
    for identity in manifest.components.keys() - used:
        yield f"component {identity}: no HTTP trigger uses it"


def _component_route(route: Route, component: Component, runtime: RuntimeConfig) -> Route:
    """The component as a route of ours, within the site's limits."""
    limits = route.limits
    if runtime.max_memory is not None:
        limits = replace(limits, memory=min(limits.memory, -(-runtime.max_memory // PAGE) * PAGE))
    return replace(
        route,
        name=f"{route.name}[{component.id}]",
        target=ModuleTarget(path=component.source),
        env={**component.environment, **route.env},
        args=(),
        document_root=None,
        query_args=False,
        limits=limits,
    )


def _as_http(route: Route) -> Route:
    # Spin hands the client's credentials on, and components check them themselves.
    return replace(route, interface="http", pass_authorization=True)


def _as_wagi(route: Route, component: Component, reading: ManifestReading) -> Route:
    for name in component.environment:
        if is_reserved(name):
            path = f"component.{component.id}.environment.{name}"
            reading.report(path, "is set by the request, never by the manifest of a Wagi program")
    return replace(route, interface="cgi", pass_env=(*route.pass_env, *WAGI_VARIABLES), query_args=True)


def _check_root(route: Route, component: Component, files: Files, reading: ManifestReading) -> None:
    """The site's `dirs` beside what the manifest brings."""
    if files and any(entry.guest == "/" for entry in route.dirs):
        reading.report("", f"dirs./ of {route.name}: '/' is in use for the files of component {component.id}")


def _check_writable(
    made: Route, component: Component, granted: Sequence[tuple[Route, Dir]], reading: ManifestReading
) -> None:
    """Whether a guest of the site may write to the component or to what it keeps, or one of another
    route to where its files are looked for. Not whether there are any, which a guest might decide.
    """
    survey = Survey()
    stores = {store.path for store in made.grants.key_value.values() if store.path is not None}
    stores |= {database.path for database in made.grants.sqlite.values()}
    own = {component.source, *component.dependencies.values(), *stores}
    for route, entry in granted:
        if not entry.writable:
            continue
        written = survey.trail(entry.host)
        reached = {path for path in own if written.reaches(survey.trail(path))}
        if not made.name.startswith(f"{route.name}[") and not is_excluded(component, reading.base, Path(written.path)):
            found = {path: survey.trail(path) for path in folders(component, reading.base)}
            reached |= {p for p, trail in found.items() if written.reaches(trail) or written.is_same(trail)}
            if any(written.lies_in(trail) for trail in found.values()):
                where = f"dirs.{entry.guest} of {route.name}"
                reading.report("", f"{where} is writable, but files of {component.id} lie there")
        for path in sorted(reached):
            reading.report("", f"dirs.{entry.guest} of {route.name} is writable, but contains {path}")


def _mounted(copy: Snapshot) -> Dir:
    return Dir(guest="/", host=copy.path, folder=Folder.at(copy.path), writable=False)


def _copied(files: Files, cache_directory: Path | None, reading: ManifestReading) -> tuple[Snapshot, ...]:
    if cache_directory is None:
        return ()
    try:
        return (snapshot(files, cache_directory),)
    except OSError as error:
        reading.report("", f"the components' files cannot be copied: {reason(error)}")
        return ()
