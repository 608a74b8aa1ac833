"""WAGI's modules.toml: a route for each module, in WAGI's order, in which the first one that fits
answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.drafts import RouteDraft, SiteDraft, absolute, path_text
from wsgi_wasm.importers.imported import NO_OPTIONS, Imported, Options
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.importers.toml_source import TomlSource
from wsgi_wasm.importers.wagi_routes import SubRoute, sub_routes
from wsgi_wasm.importers.yaml_text import escaped as in_yaml
from wsgi_wasm.messages import escaped, quote

_SHOWN = ("route", "module", "entrypoint", "volumes", "allowed_hosts", "http_max_concurrency", "host", "default_host")
_HEAD = (
    "WAGI answered /healthz itself, and gave X_MATCHED_ROUTE, X_FULL_URL and X_RAW_PATH_INFO, which are not given "
    "here. Write variables that it had from --env into `defaults`.",
    "Where no argv was written, a query becomes arguments only if it has no `=` (RFC 3875 4.4), because clients could "
    'otherwise set options of the program. `argv: "$${SCRIPT_NAME} $${ARGS}"` does it as WAGI did.',
)
_IGNORED = {
    "host": "WAGI no longer knows it: a host's routes go into `hosts`",
    "repository": "WAGI has no use for it",
    "bindle_server": "only for modules that a Bindle server has",
    "http_max_concurrency": "`outbound_concurrency` does that for components",
}


def convert(file: Path, base: Path, options: Options = NO_OPTIONS) -> Imported:
    """See the package."""
    source = TomlSource(file, _SHOWN)
    draft = SiteDraft(source.report, [f"from {escaped(file)}", *_HEAD])
    modules = source.data.get("module")
    if not isinstance(modules, list) or not all(isinstance(one, dict) for one in modules):
        raise ConfigError([Problem(str(file), 0, 0, "has no [[module]]")])
    site = _WagiRoutes(source, base)
    for number in range(len(modules)):
        site.add(number, modules[number])
    for route in site.routes():
        draft.add(None, route)
    text = draft.finish(file, base)
    source.sweep("WAGI does not know it")
    return Imported(text, source.report)


@dataclass(slots=True)
class _Pattern:
    """A path, and whether all below it is meant."""

    path: str
    wild: bool

    def covers(self, other: _Pattern) -> bool:
        """Whether it answers all that the other one would."""
        if not self.wild:
            return not other.wild and self.path == other.path
        return self.path == "/" or other.path == self.path or other.path.startswith(self.path + "/")


@dataclass(slots=True)
class _WagiRoutes:
    source: TomlSource
    base: Path
    _made: list[tuple[_Pattern, RouteDraft, SourceLine]] = field(default_factory=list)

    def routes(self) -> Iterator[RouteDraft]:
        """In file order."""
        yield from (route for _, route, _ in self._made)

    def add(self, number: int, entry: dict[str, Any]) -> None:
        """The routes of a [[module]]: those that the module itself prints, and its own."""
        source, report = self.source, self.source.report
        place = source.line("module", number)
        route, module = entry.get("route"), entry.get("module")
        if not isinstance(route, str) or not isinstance(module, str):
            wanted = "route" if not isinstance(route, str) else "module"
            raise ConfigError([Problem(str(source.file), place.line, 1, f"module: needs a text {quote(wanted)}")])
        file = self._file(module, source.line("module", number, "module"))
        if file is None:
            report.decide(place, "its module is not a file, so it has no route")
            return
        draft = self._draft(number, entry, file)
        entry_point = entry.get("entrypoint")
        own = SubRoute(route, entry_point if isinstance(entry_point, str) else "_start")
        if entry_point == "_start":
            report.kept(source.line("module", number, "entrypoint"), "_start is the default")
        for one in (*sub_routes(file, route, report, place), own):
            made = RouteDraft("", dict(draft.places), dict(draft.keys), dict(draft.items), list(draft.remarks))
            self._put(made, one, number)

    def _put(self, draft: RouteDraft, one: SubRoute, number: int) -> None:
        report, place = self.source.report, self.source.line("module", number, "route")
        pattern = _pattern(one.route)
        if pattern is None:
            report.decide(
                place, f"{escaped(one.route)} cannot be a path here: it begins without a slash or ends with one"
            )
            return
        if pattern.path == "/healthz":
            report.dropped(place, "WAGI answered /healthz itself")
            return
        for earlier, _, line in self._made:
            if earlier.covers(pattern):
                report.dropped(place, f"WAGI never came to {escaped(one.route)}: line {line.line} answers it first")
                return
        for earlier, _, line in list(self._made):
            if earlier.path == pattern.path:
                report.decide(line, f"{escaped(pattern.path)} has one route here, that of line {place.line}")
                self._made = [made for made in self._made if made[2] is not line or made[0] is not earlier]
        draft.path = pattern.path
        if not pattern.wild:
            draft.put("exact", True, place)
        if one.entry_point != "_start":
            draft.put("entry_point", in_yaml(one.entry_point), self.source.line("module", number, "entrypoint"))
        self._made.append((pattern, draft, place))

    def _file(self, module: str, place: SourceLine) -> Path | None:
        """The module's file; None for one that is elsewhere."""
        scheme = module.partition(":")[0]
        if scheme in ("bindle", "oci"):
            self.source.report.decide(
                place, f"a {scheme}: reference names no file: fetch the module with {scheme}'s own tools, and name it"
            )
            return None
        if module.startswith("file:"):
            module = unquote(urlsplit(module).path)
        if "\0" in module:
            self.source.report.decide(place, "has NUL in its name, which no file has")
            return None
        start = self.source.file.absolute().parent
        found = [where / module for where in (Path.cwd(), start) if os.path.exists(where / module)]
        if not found:
            self.source.report.decide(place, "is not on this machine, or not where WAGI was started")
        return absolute(found[0] if found else module, start)

    def _draft(self, number: int, entry: dict[str, Any], file: Path) -> RouteDraft:
        source, report = self.source, self.source.report
        draft = RouteDraft("", {("", ""): [source.line("module", number)]})
        draft.put("module", path_text(file, self.base), source.line("module", number, "module"))
        draft.put("interface", "cgi")
        for key, value in entry.items():
            place = source.line("module", number, key)
            match key, value:
                case "argv", str():
                    draft.put("argv", in_yaml(value), place)
                case "volumes", dict():
                    for guest, host in value.items():
                        self._volume(draft, str(guest), host, source.line("module", number, key, guest))
                case "environment", dict():
                    for name, text in value.items():
                        where = source.line("module", number, key, name)
                        draft.put_item("env", str(name), in_yaml(str(text)), where)
                case "allowed_hosts", list():
                    report.decide(
                        place,
                        "its requests go through wasi-experimental-http, which the gateway does not have: build a "
                        "component, and list the hosts in `allowed_outbound_hosts`",
                    )
                case _ if key in _IGNORED:
                    report.dropped(place, _IGNORED[key])
                case (("route" | "module" | "entrypoint"), _):
                    pass
                case _ if key in ("argv", "volumes", "environment", "allowed_hosts"):
                    report.decide(place, "is not of the kind that WAGI takes")
        if "argv" not in entry:
            draft.put("query_args", True)
        return draft

    def _volume(self, draft: RouteDraft, guest: str, host: object, place: SourceLine) -> None:
        path = "/" + guest.strip("/")
        if not isinstance(host, str) or ".." in path.split("/"):
            self.source.report.decide(place, "is not a directory that a guest can be given")
            return
        directory = absolute(host, Path.cwd())
        draft.put_item("dirs", path, {"path": path_text(directory, self.base), "writable": True}, place)


def _pattern(route: str) -> _Pattern | None:
    """What a route stands for; None where no path can say it."""
    wild = route == "/..." or route.endswith("/...")
    path = unquote(route.removesuffix("/...") if wild else route) or "/"
    if not path.startswith("/") or (path != "/" and path.endswith("/")):
        return None
    return _Pattern(path, wild)
