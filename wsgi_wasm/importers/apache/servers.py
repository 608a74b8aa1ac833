"""The servers of a configuration: the main one and its virtual hosts, with what they map and the
sections that apply to a place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.importers.apache.patterns import is_plain, prefix_of
from wsgi_wasm.importers.apache.reading import ConfigItem, Source
from wsgi_wasm.importers.apache.settings import PlaceSettings, overrides
from wsgi_wasm.importers.apache.syntax import not_defined, undefined
from wsgi_wasm.importers.drafts import absolute
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.messages import escaped

_DEEPEST = 100  # directories above a program in which a .htaccess is looked for


@dataclass(frozen=True, slots=True)
class Mapping:
    """A path of requests and the directory or file that it leads to. `runs` says that whatever is
    there is a program."""

    path: str
    target: Path
    place: SourceLine
    runs: bool = False


@dataclass(slots=True)
class ApacheServer:
    """The main server, or a virtual host with what it has from the main one."""

    place: SourceLine | None
    names: list[tuple[str, SourceLine]] = field(default_factory=list)
    addresses: tuple[str, ...] = ()
    plain: list[list[ConfigItem]] = field(default_factory=list)
    directories: list[ConfigItem] = field(default_factory=list)
    locations: list[ConfigItem] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)
    root: Mapping | None = None

    def alias_of(self, path: str) -> Mapping | None:
        """The alias that a path of requests is below: the first one in httpd's order."""
        return next((one for one in self.mappings if below(path, one.path) is not None), None)

    def mapped(self, path: str) -> Path | None:
        """Where a path of requests leads: an alias, else the document root."""
        one = self.alias_of(path) or self.root
        return one.target / (below(path, one.path) or "") if one else None

    def paths_of(self, directory: Path) -> Iterator[str]:
        """The paths of requests that lead to a directory."""
        for one in (*self.mappings, *([self.root] if self.root else ())):
            if directory.is_relative_to(one.target):
                rest = directory.relative_to(one.target).as_posix()
                path = one.path if rest == "." else f"{one.path.rstrip('/')}/{rest}"
                if (self.alias_of(path) or self.root) is one:  # not to where another alias leads
                    yield path


def below(path: str, prefix: str) -> str | None:
    """What is left of a path below a prefix; None where it is not below it."""
    if path == prefix or prefix == "/":
        return path[len(prefix) :]
    return path[len(prefix) + 1 :] if path.startswith(prefix + "/") else None


def servers(items: list[ConfigItem], source: Source, root: Path | None) -> list[ApacheServer]:
    """The main server, then the virtual hosts, in file order. `root` is the document root where
    none is named."""
    main = ApacheServer(None)
    _fill(main, [item for item in items if item.name != "virtualhost"], source)
    if not any(item.name == "virtualhost" for item in items):
        _drop_shadowed(main, source)
    if main.root is None and root is not None:
        main.root = Mapping("/", root, SourceLine(root, 0))
    found = [main]
    for item in items:
        if item.name == "virtualhost" and item.items is not None:
            source.report.kept(item.place, "its routes")
            own = ApacheServer(item.place, addresses=tuple(item.args))
            _fill(own, item.items, source)
            own.plain = main.plain + own.plain
            own.directories = main.directories + own.directories
            own.locations = main.locations + own.locations
            # mod_alias looks at those of the virtual host first.
            own.mappings += main.mappings
            _drop_shadowed(own, source)
            own.root = own.root or main.root
            found.append(own)
    return found


def _drop_shadowed(server: ApacheServer, source: Source) -> None:
    """The first alias that fits is taken, so none counts whose path is below an earlier one."""
    counting: list[Mapping] = []
    for one in server.mappings:
        first = next((other for other in counting if below(one.path, other.path) is not None), None)
        if first is None:
            counting.append(one)
        elif first.place != one.place:
            source.report.dropped(one.place, f"line {first.place.line} maps {escaped(first.path)}, and comes first")
    server.mappings = counting


def _fill(server: ApacheServer, items: list[ConfigItem], source: Source) -> None:
    plain: list[ConfigItem] = []
    for item in items:
        match item.name:
            case "directory" | "directorymatch":
                _section(server.directories, item, source, item.name == "directorymatch")
            case "location" | "locationmatch":
                _section(server.locations, item, source, item.name == "locationmatch")
            case "servername" | "serveralias":
                server.names += [(name, item.place) for name in item.args]
            case "scriptalias" | "alias" | "scriptaliasmatch" | "aliasmatch" | "documentroot":
                _map(server, item, source)
            case _:
                plain.append(item)
    server.plain.append(plain)


def _section(sections: list[ConfigItem], item: ConfigItem, source: Source, is_regex: bool) -> None:
    if is_regex or len(item.args) != 1 or not is_plain(item.args[0]):
        for place in places_in([item]):
            source.report.decide(place, "applies by a pattern: write a route for each path that is meant")
    elif (name := undefined(item.args[0])) is not None:
        source.report.decide(item.place, not_defined(name))
    else:
        if item.name == "directory":
            item.args = [str(absolute(item.args[0], source.server_root))]
        sections.append(item)


def places_in(items: Iterable[ConfigItem]) -> Iterator[SourceLine]:
    """The lines of items and of all in them."""
    for item in items:
        yield item.place
        yield from places_in(item.items or ())


def _map(server: ApacheServer, item: ConfigItem, source: Source) -> None:
    report, place = source.report, item.place
    name = next(filter(None, map(undefined, item.args)), None)
    if name is not None:
        report.decide(place, not_defined(name))
        return
    is_root = item.name == "documentroot"
    if len(item.args) != (1 if is_root else 2):
        report.decide(place, "does not have the arguments that httpd wants")
        return
    path, target = ("/", *item.args) if is_root else item.args
    if item.name.endswith("match"):
        found = prefix_of(path, target)
        if found is None:
            report.decide(place, "maps by a pattern that is more than a prefix: write its routes")
            return
        path, target = found
    if not path.startswith("/"):
        report.decide(place, "maps a path that does not begin with a slash")
        return
    clean = "/" + path.strip("/")
    mapping = Mapping(clean, absolute(target, source.server_root), place, item.name.startswith("script"))
    if is_root:
        server.root = mapping
    else:
        server.mappings.append(mapping)


def settings_at(server: ApacheServer, path: str, directory: Path | None, source: Source) -> PlaceSettings:
    """What holds at a path that leads to a directory: httpd's order is the server, directories from
    the root down, each with its `.htaccess`, and locations in file order."""
    found = PlaceSettings(source.report)
    for plain in server.plain:
        found.apply(plain)
        found.end_walk()
    if directory is not None:
        for parent in [directory, *directory.parents][:_DEEPEST][::-1]:
            for section in server.directories:
                if section.args[0] == str(parent):
                    found.apply(section.items or [])
                    found.sections.append(section.place)
            _htaccess(found, parent, source)
        found.end_walk()
    found.apply_files()
    for section in server.locations:
        if below(path, "/" + section.args[0].strip("/")) is not None:
            found.apply(section.items or [])
            found.sections.append(section.place)
    found.end_walk()
    return found


def _htaccess(found: PlaceSettings, directory: Path, source: Source) -> None:
    """The `.htaccess` of a directory, where AllowOverride lets it say anything."""
    classes = overrides(found.override)
    if not classes:
        return
    for name in source.access_names:
        file = directory / name
        if os.path.lexists(file):
            found.apply(source.htaccess(file), classes)
