"""Builds routes from their sections, and checks what one section cannot see of another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.config.checks import DirectoryChecks, title
from wsgi_wasm.config.grants import GrantsBuilder
from wsgi_wasm.config.kinds import BROKEN, Setting, Settings
from wsgi_wasm.config.model import (
    Dir,
    DirectoryTarget,
    Interpreter,
    Limits,
    ModuleTarget,
    Route,
    RouteTarget,
    SpinTarget,
)
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.config.scalars import NAME_OF_INTERPRETER
from wsgi_wasm.config.schema import TABLE, TARGETS
from wsgi_wasm.config.settings import PlacedDir, defaults_of, dirs_of, fields_of, merged, value_of, with_other_defaults
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.interpreters import (
    NAMES,
    NOTHING,
    WITH_PACKAGES,
    Additions,
    Located,
    library_at,
    located,
    packages_at,
)
from wsgi_wasm.messages import listed, quote

# Interfaces whose guests are not told of the request by variables: there, any name is free.
_TELLS_APART = ("http", "raw")


@dataclass(slots=True)
class RouteBuilder:
    """Builds the routes of one file. `cache` is where an interpreter of ours lies; `checks` gather
    each route's directories, its interpreters' among them."""

    reading: Reading
    grants: GrantsBuilder
    cache: Path
    checks: DirectoryChecks
    _users: dict[str, str | None] = field(default_factory=dict)  # by the name of a process
    # places of variables that have been reported
    _reserved: set[tuple[int, int]] = field(default_factory=set)

    def table(self, routes: Settings, inherited: Settings, host: str | None = None) -> tuple[Route, ...]:
        """The routes of the file, or of one host."""
        built = tuple(self._route(path, setting, inherited, host) for path, setting in routes.items())
        serving = {route.path for route in built if not _is_for_selection(route)}
        for setting in routes.values():
            self._check_redirects(merged(inherited, setting.value), serving, host)
        return built

    def handler(self, setting: Setting, inherited: Settings, routes: tuple[Route, ...]) -> Route:
        """The settings for scripts that the front server picks. They have no path: `/` stands
        in its place."""
        self._check_redirects(setting.value, {route.path for route in routes if not _is_for_selection(route)}, None)
        settings = merged(inherited, setting.value)
        self._check_programs(setting.value, settings)
        return self._build("handler", None, "/", settings, setting.key.line, scripts=False)

    def _route(self, path: str, setting: Setting, inherited: Settings, host: str | None) -> Route:
        own: Settings = setting.value
        self._check_target(own, setting)
        settings = merged(inherited, own)
        self._check_programs(own, settings)
        return self._build(f"{host or ''}{path}", host, path, settings, setting.key.line, "directory" in own)

    def _build(self, name: str, host: str | None, path: str, settings: Settings, line: int, scripts: bool) -> Route:
        settings = with_other_defaults("route", settings)
        placed = dirs_of(settings)
        if scripts:
            self._check_root(placed, name)
        elif line:
            # Defaults that suit the file's routes are no mistake where nobody asked for a handler.
            self._check_document_root(settings, placed, name)
        if value_of(settings, "interface") not in _TELLS_APART:
            self._check_env(settings)
        if line:
            self._check_user(settings)
        interpreters = self._interpreters(settings, placed, name) if scripts else {}
        self.checks.of_guest(placed)
        self.checks.grant(placed, name if line else "")
        redirects = value_of(settings, "local_redirects")
        if redirects is None:
            redirects = () if name == "handler" else (path,)
        return Route(
            name=name,
            host=host,
            path=path,
            target=_target(settings, interpreters),
            dirs=tuple(entry.dir for entry in placed),
            grants=self.grants.build(settings),
            local_redirects=redirects,
            limits=Limits(**fields_of(Limits, settings)),
            line=line,
            **fields_of(Route, settings),
        )

    def _interpreters(self, settings: Settings, placed: tuple[PlacedDir, ...], name: str) -> dict[str, Interpreter]:
        interpreters = {}
        taken = {entry.dir.guest for entry in placed}
        for suffix, setting in settings["interpreters"].value.items():
            own = merged(defaults_of("interpreter"), setting.value)
            module = value_of(own, "module")
            additions = self._additions(own, module)
            dirs = (*dirs_of(own, placed), *_library(own, additions, module))
            self._check_root(dirs, name)
            self._check_env(own)
            for entry in dirs:
                if entry.dir.guest in taken:
                    self._report(entry.setting, f"{quote(entry.dir.guest)} is already in the dirs of {title(name)}")
            self.checks.of_guest((*placed, *dirs))
            self.checks.grant(dirs, name, suffix)
            if module is not None:
                found = located(module, self.cache, additions)
                interpreters[suffix] = Interpreter(
                    module=found.module,
                    name=found.name,
                    additions=additions,
                    installed=found.packages,
                    dirs=(*(entry.dir for entry in dirs), *_packages(found)),
                    **fields_of(Interpreter, own),
                )
        return interpreters

    def _additions(self, own: Settings, module: Path | str | None) -> Additions:
        """What the site adds to an interpreter that takes it."""
        additions = Additions(**fields_of(Additions, own))
        if isinstance(module, Path) and additions != NOTHING:
            for name in ("packages", "library", "preload"):
                if value_of(own, name):
                    self._report(own[name], f"is only for an interpreter that is built: {listed(NAMES)}")
            return NOTHING
        if isinstance(module, str) and additions.has_packages and module not in WITH_PACKAGES:
            self._report(own["packages"], f"is only for {listed(WITH_PACKAGES)}")
            return replace(additions, packages=None)
        return additions

    def _check_target(self, own: Settings, setting: Setting) -> None:
        reading = self.reading
        targets = sorted((own[name] for name in TARGETS if name in own), key=_position)
        if len(targets) > 1:
            names = [name for name in TARGETS if name in own]
            both = f"both {quote(names[0])} and {quote(names[1])}; remove one of them"
            message = both if len(names) == 2 else f"all of {', '.join(names)}; keep one"
            reading.report(targets[1].key, setting.path, f"has {message}")
        elif not targets and not _selectable(own):
            reading.report(setting.key, setting.path, "needs 'module', 'directory' or 'spin'")
        for name, key in TABLE.at("route").items():
            if name in own and key.only_with and not own.keys() & key.only_with.split():
                self._report(own[name], f"is only allowed with {' or '.join(map(quote, key.only_with.split()))}")
            elif name in own and key.in_manifest and "spin" in own:
                self._report(own[name], "is not allowed with 'spin': the manifest sets it")

    def _check_programs(self, own: Settings, settings: Settings) -> None:
        """What `programs` and `interpreters` need of each other. Defaults may have more than one
        route uses."""
        programs = value_of(settings, "programs")
        if "local" in own and value_of(own, "local") and value_of(settings, "interface") == "wws":
            self._report(own["local"], "is not for 'interface: wws': workers have a .toml file beside them")
        if "programs" in own and value_of(settings, "interface") == "wws" and programs != ("suffix",):
            self._report(own["programs"], "can only be [suffix] if 'interface' is wws")
        elif "programs" in own and "shebang" in (value_of(own, "programs") or ()):
            if "directory" not in own:
                self._report(own["programs"], "'shebang' needs 'interpreters', which only a route with 'directory' has")
            elif not any(re.fullmatch(NAME_OF_INTERPRETER, name) for name in value_of(settings, "interpreters")):
                message = "'shebang' needs a name of '#!' lines in 'interpreters', such as 'python3: python'"
                self._report(own["programs"], message)
        if "shebang" not in programs:
            for name, setting in (value_of(own, "interpreters") or {}).items():
                if re.fullmatch(NAME_OF_INTERPRETER, name):
                    message = f"needs 'shebang' in 'programs'; write {quote('.' + setting.key.text)} for a suffix"
                    self.reading.report(setting.key, setting.path, message)

    def _check_env(self, settings: Settings) -> None:
        for name, setting in settings["env"].value.items():
            position = (setting.key.line, setting.key.column)
            # routes inherit what the defaults have
            if is_reserved(name) and position not in self._reserved:
                self._reserved.add(position)
                message = f"{quote(name)} is set by the request, never by the configuration"
                self.reading.report(setting.key, setting.path.removesuffix(f".{name}"), message)

    def _check_user(self, settings: Settings) -> None:
        """A user is a process's, so it needs one, and those who share it need the same."""
        user, name = value_of(settings, "user"), value_of(settings, "isolate")
        if user is not None and name is False:
            self._report(settings["user"], "needs 'isolate': only a process of its own has a user of its own")
        elif isinstance(name, str) and self._users.setdefault(name, user) != user:
            other = self._users[name] or "the server's user"
            self._report(settings["isolate"], f"{quote(name)} already runs as {other} in another route")

    def _check_root(self, placed: tuple[PlacedDir, ...], name: str) -> None:
        for entry in placed:
            if entry.dir.guest == "/":
                self._report(entry.setting, f"'/' is already the directory of scripts in {title(name)}")

    def _check_document_root(self, settings: Settings, placed: tuple[PlacedDir, ...], name: str) -> None:
        root = value_of(settings, "document_root")
        if root is None or any(_is_below(root, entry.dir.guest) for entry in placed):
            return
        self._report(settings["document_root"], f"{quote(root)} is not below any of the dirs of {title(name)}")

    def _check_redirects(self, settings: Settings, serving: set[str], host: str | None) -> None:
        for target in value_of(settings, "local_redirects") or ():
            if target not in serving:
                where = f" of host {host}" if host else ""
                self._report(
                    settings["local_redirects"], f"{quote(target)} is not a route{where} that answers requests"
                )

    def _report(self, setting: Setting, message: str) -> None:
        self.reading.report(setting.key, setting.path, message)


def _selectable(own: Settings) -> bool:
    # A broken value is reported by itself; what follows from it would only be noise.
    return "selectable" in own and own["selectable"].value in (True, BROKEN)


def _position(setting: Setting) -> tuple[int, int]:
    return setting.key.line, setting.key.column


def _target(settings: Settings, interpreters: dict[str, Interpreter]) -> RouteTarget | None:
    """What answers the route; None where nothing does, and where it is broken
    (which is reported)."""
    module, directory, spin = (value_of(settings, name) for name in TARGETS)
    if module is not None:
        return ModuleTarget(**fields_of(ModuleTarget, settings))
    if directory is not None:
        fields = fields_of(DirectoryTarget, settings)
        return DirectoryTarget(folder=Folder.at(directory), interpreters=interpreters, **fields)
    if spin is not None and value_of(spin, "manifest") is not None:
        return SpinTarget(**fields_of(SpinTarget, merged(defaults_of("spin"), spin)))
    return None


def _library(own: Settings, additions: Additions, module: Path | str | None) -> tuple[PlacedDir, ...]:
    """The directory of a site's own modules, as scripts see it."""
    if additions.library is None or not isinstance(module, str):
        return ()
    path, guest = additions.library, library_at(module)
    return (PlacedDir(Dir(guest=guest, host=path, folder=Folder.at(path), writable=False), own["library"]),)


def _packages(found: Located) -> tuple[Dir, ...]:
    """The directory of installed packages, as scripts see it. Nobody's `dirs` reach into a
    cache."""
    if found.packages is None:
        return ()
    guest, path = packages_at(found.name), found.packages
    return (Dir(guest=guest, host=path, folder=Folder.at(path), writable=False),)


def _is_for_selection(route: Route) -> bool:
    return route.selectable and route.target is None


def _is_below(path: str, directory: str) -> bool:
    return directory == "/" or path == directory or path.startswith(directory + "/")
