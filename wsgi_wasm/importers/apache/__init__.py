"""An httpd's configuration as a site: CGI programs and what mod_wasm runs, with the variables,
limits and virtual hosts that hold for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.config.scalars import host_name
from wsgi_wasm.importers.apache.reading import ConfigItem, Source
from wsgi_wasm.importers.apache.routes import Routes, is_open
from wsgi_wasm.importers.apache.servers import ApacheServer, servers
from wsgi_wasm.importers.apache.table import DECISIONS, OURS, SECTIONS, is_front
from wsgi_wasm.importers.drafts import RouteDraft, SiteDraft, absolute
from wsgi_wasm.importers.imported import NO_OPTIONS, Imported, Options
from wsgi_wasm.importers.report import ImportReport, SourceLine
from wsgi_wasm.interpreters import NAMES
from wsgi_wasm.messages import escaped

_HEAD = (
    "Programs see no files of the host but those in `dirs`, and run with the limits of this file.",
    "A `Location: /path` leads to other routes only where `local_redirects` lists them.",
    "A request may have a body of 10MiB where no `max_body` says otherwise; httpd takes 1GiB, before 2.4.53 any size.",
)
_BUILD = "Before you serve this file, run `wsgi-wasm interpreter build {}`."


def convert(file: Path, base: Path, options: Options = NO_OPTIONS) -> Imported:
    """See the package."""
    report = ImportReport()
    folder = absolute(file, Path.cwd()).parent
    source = Source(report, options.defined, server_root=folder)
    items = source.read(file)
    root = None
    if file.name in source.access_names:
        items = [ConfigItem("directory", [str(folder)], SourceLine(file, 0), items)]
        root = folder
    draft = SiteDraft(report, [f"from {escaped(file)}", *_HEAD])
    _hosts(draft, servers(items, source, root), source, base)
    _name_interpreters(draft)
    text = draft.finish(file, base)
    _sweep(report, items)
    return Imported(text, report)


def _name_interpreters(draft: SiteDraft) -> None:
    """Interpreters of our own have to be built."""
    values = [data for _, _, route in draft.routes() for data in route.items.get("interpreters", {}).values()]
    draft.head += [_BUILD.format(name) for name in NAMES if name in values]


# --- virtual hosts ---


def _hosts(draft: SiteDraft, found: list[ApacheServer], source: Source, base: Path) -> None:
    """The main server alone, or the virtual hosts: the first one answers whatever no other is named
    for, and the main server nothing."""
    main, *virtual = found
    tables = [(server, dict(Routes(server, source, base).all())) for server in virtual or [main]]
    _warn_of_shared(virtual, source.report)
    for route in tables[0][1].values():
        draft.add(None, route)
    names = [(server, table, list(_names(server, source.report))) for server, table in tables]
    wild = any(name.startswith("*") for _, _, of_server in names for name in of_server)
    for position, (server, table, of_server) in enumerate(names):
        if position and not of_server and table and server.place is not None:
            source.report.decide(server.place, "has no name, and is not the first: give its routes a host")
        if position or wild:
            for name in of_server:
                _add_host(draft, name, table, server, source.report)


def _add_host(
    draft: SiteDraft, name: str, table: dict[str, RouteDraft], server: ApacheServer, report: ImportReport
) -> None:
    for path, route in table.items():
        if not draft.add(name, route) and not draft.hosts[name][path].same_as(route) and server.place is not None:
            report.decide(server.place, f"{escaped(name)} has {escaped(path)} twice, on other ports: the first is kept")
    if not table:
        # Listed all the same: requests for it must not come to the routes of the first one.
        draft.hosts.setdefault(name, {})


def _names(server: ApacheServer, report: ImportReport) -> Iterator[str]:
    for text, place in server.names:
        name = re.sub(r"^[a-zA-Z]+://|:\d+$", "", text)
        try:
            yield host_name(name)
            report.kept(place, f"the host {name.lower()}")
        except ValueError as error:
            report.decide(place, f"{escaped(name)} {error}")


def _warn_of_shared(virtual: list[ApacheServer], report: ImportReport) -> None:
    """mod_wasm knows its sections by their path alone: the same one in two virtual hosts is one."""
    seen: dict[tuple[str, str], SourceLine] = {}
    for server in virtual:
        for section in (*server.locations, *server.directories):
            if not any(item.name.startswith("wasm") for item in section.items or ()):
                continue
            key = section.name, section.args[0]
            first = seen.setdefault(key, section.place)
            if first != section.place:
                report.decide(
                    section.place,
                    f"mod_wasm mixed it up with the section of line {first.line}, as it knows no virtual hosts: "
                    "here each has its own",
                )


# --- what nothing was said of ---


def _sweep(report: ImportReport, items: list[ConfigItem]) -> None:
    found = {item.place: item for item in _all(items)}
    for place in report.open():
        item = found.get(place)
        name = item.name if item else ""
        if name == "ssloptions" or (name not in OURS and name not in DECISIONS and is_front(name)):
            report.meaningless(place, "the front server's business, not a program's")
        elif name in DECISIONS:
            report.decide(place, DECISIONS[name])
        elif name in ("require", "allow", "order") and item is not None and is_open(item):
            report.meaningless(place, "the gateway lets everybody in")
        elif name in OURS or name in SECTIONS:
            report.dropped(place, "no program of the site needs it")
        else:
            report.decide(place, "not known to the importer: does a program depend on it?")


def _all(items: list[ConfigItem]) -> Iterator[ConfigItem]:
    for item in items:
        yield item
        yield from _all(item.items or [])
