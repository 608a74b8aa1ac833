"""A site while it is written: routes whose keys know the lines that they come from.

When it is finished, the gateway's own loader reads it. What it refuses is taken out, and becomes a
decision at the line that it came from, so what is written always loads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.config.load import parse_config
from wsgi_wasm.config.nodes import is_unicode
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.report import ImportReport, SourceLine
from wsgi_wasm.importers.yaml_text import Value, comment, host_path, scalar, value
from wsgi_wasm.messages import printable

_TARGETS = ("module", "directory")
_BY_ITEM = ("dirs", "env", "interpreters")  # written one entry a line, so that one can go


class Spot(NamedTuple):
    """What a line of the YAML stands for."""

    host: str | None
    path: str
    key: str = ""
    item: str = ""


@dataclass(slots=True)
class RouteDraft:
    """A route. `places` are the lines of the source that a key, or an entry of one, comes from."""

    path: str
    places: dict[tuple[str, str], list[SourceLine]] = field(default_factory=dict)
    keys: dict[str, Value] = field(default_factory=dict)
    items: dict[str, dict[str, Value]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def put(self, key: str, data: Value, *places: SourceLine) -> None:
        """Set a key."""
        self.keys[key] = data
        self.places[key, ""] = list(places)

    def put_item(self, key: str, item: str, data: Value, *places: SourceLine) -> None:
        """Set an entry of `dirs`, `env` or `interpreters`."""
        self.items.setdefault(key, {})[item] = data
        self.places[key, item] = list(places)

    def drop(self, key: str, item: str) -> list[SourceLine]:
        """Take something out again; gives the lines that it came from."""
        if item:
            del self.items[key][item]
        else:
            self.keys.pop(key, None)
            self.items.pop(key, None)
        return self.places.pop((key, item), [])

    def same_as(self, other: RouteDraft) -> bool:
        """Whether both say the same, but for their path."""
        return self.keys == other.keys and self.items == other.items


@dataclass(slots=True)
class SiteDraft:
    """The routes of a site by host (None: of the file) and path."""

    report: ImportReport
    head: list[str] = field(default_factory=list)
    hosts: dict[str | None, dict[str, RouteDraft]] = field(default_factory=dict)

    def add(self, host: str | None, route: RouteDraft) -> bool:
        """Whether the path was still free. A route may be added to several hosts."""
        routes = self.hosts.setdefault(host, {})
        if route.path in routes:
            return False
        routes[route.path] = deepcopy(route)
        return True

    def finish(self, source: Path, base: Path) -> str:
        """The YAML for a file in `base`, which loads; the report knows what became of each line.
        Raises ConfigError where that cannot be."""
        for host, path, route in list(self.routes()):
            self._check_text(host, path, route)
        while True:
            lines, spots = self._written()
            text = "\n".join(lines) + "\n"
            try:
                parse_config(text.encode("utf-8"), base / "site.yaml")
            except ConfigError as error:
                self._refused(error, spots, source)
            else:
                self._tell_kept()
                return text

    def routes(self) -> Iterator[tuple[str | None, str, RouteDraft]]:
        """All of them, with host and path."""
        for host, routes in self.hosts.items():
            for path, route in routes.items():
                yield host, path, route

    def _check_text(self, host: str | None, path: str, route: RouteDraft) -> None:
        """YAML has only Unicode, and an entry needs a name."""
        for key, entries in route.items.items():
            if entries.pop("", None) is not None:
                for line in route.places.pop((key, ""), []):
                    self.report.decide(line, f"an entry of `{key}` has no name")
        for (key, item), data in self._values(route):
            if not is_unicode(item + str(data)):
                self._take_out(Spot(host, path, key, item), "is not UTF-8, as names in YAML are")
        if not is_unicode(path):
            self._take_out(Spot(host, path), "is not UTF-8, as names in YAML are")

    @staticmethod
    def _values(route: RouteDraft) -> list[tuple[tuple[str, str], Value]]:
        single = [((key, ""), data) for key, data in route.keys.items()]
        return single + [((key, item), data) for key, entries in route.items.items() for item, data in entries.items()]

    # --- writing ---

    def _written(self) -> tuple[list[str], list[Spot | None]]:
        lines: list[str] = []
        spots: list[Spot | None] = []

        def write(line: str, spot: Spot | None = None) -> None:
            lines.append(line)
            spots.append(spot)

        for text in self.head:
            for line in comment(text):
                write(line)
        own = self.hosts.get(None, {})
        write("routes:" if own else "routes: {}")
        for line, spot in _routes_text(None, own, "  "):
            write(line, spot)
        named = {host: routes for host, routes in self.hosts.items() if host is not None}
        if named:
            write("hosts:")
        for host, routes in named.items():
            write(f"  {scalar(host)}:", Spot(host, ""))
            write("    routes:" if routes else "    routes: {}", Spot(host, ""))
            for line, spot in _routes_text(host, routes, "      "):
                write(line, spot)
        return lines, spots

    # --- what the loader says ---

    def _refused(self, error: ConfigError, spots: Sequence[Spot | None], source: Path) -> None:
        """Take out what the loader refuses. Raises ConfigError for what stands nowhere."""
        done: set[Spot] = set()
        before = repr(self.hosts)
        for problem in error.problems:
            spot = spots[problem.line - 1] if 0 < problem.line <= len(spots) else None
            if spot is None:
                raise ConfigError([Problem(str(source), 0, 0, f"makes a site that does not load: {problem.message}")])
            if spot not in done:
                done.add(spot)
                self._take_out(spot, problem.message)
        if repr(self.hosts) == before:
            raise ConfigError([Problem(str(source), 0, 0, f"makes a site that does not load: {error}")])

    def _take_out(self, spot: Spot, why: str) -> None:
        routes = self.hosts.get(spot.host, {})
        if not spot.path:
            for path in list(routes):
                self._take_out(Spot(spot.host, path), why)
            return
        route = routes.get(spot.path)
        if route is None:
            return
        data = route.items.get(spot.key, {}).get(spot.item)
        if spot.key == "dirs" and isinstance(data, Mapping) and data.get("writable") and "writable" in why:
            route.items["dirs"][spot.item] = data["path"]
            self._decide(
                route,
                (spot.key, spot.item),
                f"{_name(spot)} is read-only: writable it would be refused, as it {_of(why)}",
            )
            return
        if not spot.key or spot.key in _TARGETS or (spot.key in _BY_ITEM and not spot.item):
            del routes[spot.path]
            places = [place for some in route.places.values() for place in some]
        else:
            places = route.drop(spot.key, spot.item)
        for place in dict.fromkeys(places):
            self.report.decide(place, f"{_name(spot)} is left out, as the gateway refuses it: {why}")

    def _decide(self, route: RouteDraft, key: tuple[str, str], question: str) -> None:
        for place in route.places.get(key, []):
            self.report.decide(place, question)

    def _tell_kept(self) -> None:
        for host, path, route in self.routes():
            for (key, item), places in route.places.items():
                for place in places:
                    self.report.kept(place, _name(Spot(host, path, key, item)))


def _routes_text(host: str | None, routes: Mapping[str, RouteDraft], indent: str) -> Iterator[tuple[str, Spot | None]]:
    for path, route in routes.items():
        yield f"{indent}{scalar(path)}:", Spot(host, path)
        for remark in route.remarks:
            for line in comment(remark, indent + "  "):
                yield line, None
        for key, data in route.keys.items():
            yield f"{indent}  {key}: {value(data)}", Spot(host, path, key)
        for key, entries in route.items.items():
            if entries:
                yield f"{indent}  {key}:", Spot(host, path, key)
            for item, data in entries.items():
                yield f"{indent}    {scalar(item)}: {value(data)}", Spot(host, path, key, item)


def _of(why: str) -> str:
    return why.partition("is writable, but ")[2] or why


def _name(spot: Spot) -> str:
    """The key as messages of the loader name it."""
    host = f"hosts.{spot.host}." if spot.host is not None else ""
    return printable(".".join(filter(None, (f"{host}routes.{spot.path}", spot.key, spot.item))))


def path_text(path: Path, base: Path) -> str:
    """A path for a file in `base`. One that is not UTF-8 is taken out when the site is finished."""
    return host_path(path, base) if is_unicode(str(path)) else str(path)


def absolute(path: str | os.PathLike[str], start: Path) -> Path:
    """A path of the source, which starts at `start`; `.` and `..` are gone."""
    return Path(os.path.abspath(start / path))
