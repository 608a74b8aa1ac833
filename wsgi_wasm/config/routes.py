"""Builds routes from their sections, and checks what one section cannot see of another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.config.checks import check_dirs
from wsgi_wasm.config.grants import GrantsBuilder
from wsgi_wasm.config.kinds import BROKEN, Setting, Settings
from wsgi_wasm.config.model import Interpreter, Limits, Route, SpinApp, target_of
from wsgi_wasm.config.nodes import Reading, quote
from wsgi_wasm.config.schema import TARGETS
from wsgi_wasm.config.settings import PlacedDir, defaults_of, dirs_of, env_of, merged, value_of
from wsgi_wasm.interpreters import located

_LIMITS = tuple(Limits.__dataclass_fields__)

# The default of `max_output` for workers, whose answers the gateway holds as a whole.
WHOLE_OUTPUT = 10 << 20  # bytes

# Interfaces whose guests are not told of the request by variables: there, any name is free.
_TELLS_APART = ("http", "raw")

# Keys whose written value is the model's, unchanged.
_VERBATIM = (
    "module",
    "directory",
    "interface",
    "exact",
    "args",
    "pass_env",
    "pass_headers",
    "pass_authorization",
    "response_fields",
    "content_type",
    "document_root",
    "query_args",
    "stream_request",
    "selectable",
)

# What a Spin application's manifest decides, so that a route with one cannot.
_NOT_WITH_SPIN = (
    *("interface", "exact", "selectable", "args", "query_args", "document_root"),
    *("key_value", "sqlite", "variables", "redis", "postgres", "allowed_outbound_hosts"),
)


@dataclass(slots=True)
class RouteBuilder:
    """Builds the routes of one file. `cache` is where an interpreter of ours lies; `dirs` gathers each route's
    directories, its interpreters' among them."""

    reading: Reading
    grants: GrantsBuilder
    cache: Path
    dirs: list[PlacedDir] = field(default_factory=list)
    _reserved: set[tuple[int, int]] = field(default_factory=set)  # places of variables that have been reported

    def table(self, routes: Settings, inherited: Settings, host: str | None = None) -> tuple[Route, ...]:
        """The routes of the file, or of one host."""
        built = tuple(self._route(path, setting, inherited, host) for path, setting in routes.items())
        serving = {route.path for route in built if not _is_for_selection(route)}
        for setting in routes.values():
            self._check_redirects(merged(inherited, setting.value), serving, host)
        return built

    def handler(self, setting: Setting, inherited: Settings, routes: tuple[Route, ...]) -> Route:
        """The settings for scripts that the front server picks. They have no path: `/` stands in its place."""
        self._check_redirects(setting.value, {route.path for route in routes if not _is_for_selection(route)}, None)
        return self._build("handler", None, "/", merged(inherited, setting.value), setting.key.line, scripts=False)

    def _route(self, path: str, setting: Setting, inherited: Settings, host: str | None) -> Route:
        own: Settings = setting.value
        self._check_target(own, setting)
        settings = merged(inherited, own)
        return self._build(f"{host or ''}{path}", host, path, settings, setting.key.line, "directory" in own)

    def _build(self, name: str, host: str | None, path: str, settings: Settings, line: int, scripts: bool) -> Route:
        placed = dirs_of(settings)
        if scripts:
            self._check_root(placed, name)
        elif line:
            # Defaults that suit the file's routes are no mistake where nobody asked for a handler.
            self._check_document_root(settings, placed, name)
        if value_of(settings, "interface") not in _TELLS_APART:
            self._check_env(settings)
        interpreters = self._interpreters(settings, placed, name) if scripts else {}
        check_dirs(placed, self.reading)
        self.dirs.extend(placed)
        redirects = value_of(settings, "local_redirects")
        if redirects is None:
            redirects = () if name == "handler" else (path,)
        return Route(
            name=name,
            host=host,
            path=path,
            spin=_spin_app(value_of(settings, "spin")),
            index=value_of(settings, "index") if value_of(settings, "directory") else (),
            interpreters=interpreters,
            methods=_with_head(value_of(settings, "methods")),
            env=env_of(settings),
            dirs=tuple(entry.dir for entry in placed),
            grants=self.grants.build(settings),
            local_redirects=redirects,
            limits=_limits(settings),
            line=line,
            **{key: value_of(settings, key) for key in _VERBATIM},
        )

    def _interpreters(self, settings: Settings, placed: tuple[PlacedDir, ...], name: str) -> dict[str, Interpreter]:
        interpreters = {}
        taken = {entry.dir.guest for entry in placed}
        for suffix, setting in settings["interpreters"].value.items():
            own = merged(defaults_of("interpreter"), setting.value)
            dirs = dirs_of(own)
            self._check_root(dirs, name)
            self._check_env(own)
            for entry in dirs:
                if entry.dir.guest in taken:
                    self._report(entry.setting, f"{quote(entry.dir.guest)} is in the dirs of {_title(name)} already")
            check_dirs((*placed, *dirs), self.reading)
            self.dirs.extend(dirs)
            module = value_of(own, "module")
            if module is not None:
                file, name = located(module, self.cache)
                interpreters[suffix] = Interpreter(
                    module=file,
                    name=name,
                    args=value_of(own, "args"),
                    env=env_of(own),
                    dirs=tuple(entry.dir for entry in dirs),
                )
        return interpreters

    def _check_target(self, own: Settings, setting: Setting) -> None:
        reading = self.reading
        targets = sorted((own[name] for name in TARGETS if name in own), key=_place)
        if len(targets) > 1:
            names = [name for name in TARGETS if name in own]
            both = f"both {quote(names[0])} and {quote(names[1])}; leave one out"
            message = both if len(names) == 2 else f"all of {', '.join(names)}; keep one"
            reading.report(targets[1].key, setting.path, f"has {message}")
        elif not targets and not _selectable(own):
            reading.report(setting.key, setting.path, "needs 'module', 'directory' or 'spin'")
        for name in _NOT_WITH_SPIN if "spin" in own else ():
            if name in own:
                reading.report(own[name].key, own[name].path, "does not go with 'spin': the manifest says it")
        for name in ("index", "interpreters"):
            if name in own and "directory" not in own:
                reading.report(own[name].key, own[name].path, "goes only with 'directory'")

    def _check_env(self, settings: Settings) -> None:
        for name, setting in settings["env"].value.items():
            place = (setting.key.line, setting.key.column)
            if is_reserved(name) and place not in self._reserved:  # routes inherit what the defaults have
                self._reserved.add(place)
                message = f"{quote(name)} is set by the request, never by the configuration"
                self.reading.report(setting.key, setting.path.removesuffix(f".{name}"), message)

    def _check_root(self, placed: tuple[PlacedDir, ...], name: str) -> None:
        for entry in placed:
            if entry.dir.guest == "/":
                self._report(entry.setting, f"'/' is the directory of the scripts themselves in {_title(name)}")

    def _check_document_root(self, settings: Settings, placed: tuple[PlacedDir, ...], name: str) -> None:
        root = value_of(settings, "document_root")
        if root is None or any(_is_below(root, entry.dir.guest) for entry in placed):
            return
        self._report(settings["document_root"], f"{quote(root)} lies under none of the dirs of {_title(name)}")

    def _check_redirects(self, settings: Settings, serving: set[str], host: str | None) -> None:
        for target in value_of(settings, "local_redirects") or ():
            if target not in serving:
                where = f" of host {host}" if host else ""
                self._report(settings["local_redirects"], f"{quote(target)} is no route{where} that answers requests")

    def _report(self, setting: Setting, message: str) -> None:
        self.reading.report(setting.key, setting.path, message)


def _selectable(own: Settings) -> bool:
    # A broken value is reported by itself; what follows from it would only be noise.
    return "selectable" in own and own["selectable"].value in (True, BROKEN)


def _place(setting: Setting) -> tuple[int, int]:
    return setting.key.line, setting.key.column


def _limits(settings: Settings) -> Limits:
    limits = Limits(**{limit: value_of(settings, limit) for limit in _LIMITS})
    unwritten = not settings["max_output"].key.line
    if unwritten and value_of(settings, "interface") == "wws":
        return replace(limits, max_output=WHOLE_OUTPUT)
    return limits


def _spin_app(settings: Settings | None) -> SpinApp | None:
    if settings is None:
        return None
    settings = merged(defaults_of("spin"), settings)
    manifest = value_of(settings, "manifest")
    if manifest is None:
        return None  # it is broken, which has been reported
    return SpinApp(
        manifest=manifest,
        runtime_config=value_of(settings, "runtime_config"),
        state_dir=value_of(settings, "state_dir"),
        profile=value_of(settings, "profile"),
        variables={name: setting.value for name, setting in value_of(settings, "variables").items()},
    )


def _is_for_selection(route: Route) -> bool:
    return route.selectable and target_of(route) is None


def _is_below(path: str, directory: str) -> bool:
    return directory == "/" or path == directory or path.startswith(directory + "/")


def _with_head(methods: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if methods is None or "GET" not in methods or "HEAD" in methods:
        return methods
    after = methods.index("GET") + 1
    return (*methods[:after], "HEAD", *methods[after:])


def _title(name: str) -> str:
    return name if name == "handler" else f"route {name}"
