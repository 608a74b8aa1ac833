"""The directories whose programs a web server runs: one that is named, or those that an
`httpd.conf` says.

Apache's configuration is read as `import apache` reads it, with what it includes and by its
conditions. Programs lie where ScriptAlias and ScriptAliasMatch lead, and in a `<Directory>` with
ExecCGI and a handler.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.importers.apache.directories import CGI
from wsgi_wasm.importers.apache.reading import Source
from wsgi_wasm.importers.apache.servers import ApacheServer, servers, settings_at
from wsgi_wasm.importers.report import DECIDE, ImportReport
from wsgi_wasm.messages import escaped


@dataclass(frozen=True, slots=True)
class ProgramPlace:
    """A directory of programs. `url` is where the server has it, "" if that is not known.
    `suffixes` and `names` are those of its programs; None: every file is one, as in a directory of
    ScriptAlias."""

    directory: Path
    url: str = ""
    suffixes: frozenset[str] | None = None
    names: frozenset[str] | None = None

    def runs(self, name: str) -> bool:
        """Whether the server would run this file, by its path below the directory."""
        if self.names is not None:
            return name in self.names
        return self.suffixes is None or os.path.splitext(name)[1].lower() in self.suffixes


@dataclass(slots=True)
class HttpdPlaces:
    """What a configuration says, in its order; what could not be followed is in `remarks`."""

    places: list[ProgramPlace] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def places_of_httpd(file: Path, defined: Mapping[str, str | None] = {}) -> HttpdPlaces:
    """The directories of programs that a configuration names. `defined` are names of httpd's
    command line and environment. Raises ConfigError."""
    report = ImportReport()
    source = Source(report, defined, server_root=Path(os.path.abspath(file)).parent)
    found = HttpdPlaces()
    hosts = servers(source.read(file), source, None)
    # What is decided later is about settings, which are no matter here.
    found.remarks += [f"{line}: {'; '.join(fate.notes)}" for line, fate in report if fate.verdict == DECIDE]
    for place in (place for host in hosts for place in _places(host, source)):
        if not place.directory.is_dir():
            remark = f"{escaped(place.directory)}: is not a directory, or cannot be read"
            found.remarks += [remark] if remark not in found.remarks else []
        elif not any(_covers(other, place) for other in found.places):
            found.places.append(place)
    return found


def _covers(other: ProgramPlace, place: ProgramPlace) -> bool:
    everything = other.suffixes is None and other.names is None
    return other.directory == place.directory and (everything or other == place)


def _places(server: ApacheServer, source: Source) -> Iterator[ProgramPlace]:
    for mapping in server.mappings:
        if mapping.runs and mapping.target.is_file():
            yield ProgramPlace(mapping.target.parent, mapping.path, names=frozenset({mapping.target.name}))
        elif mapping.runs:
            yield ProgramPlace(mapping.target, mapping.path)
    for section in server.directories:
        directory = Path(section.args[0])
        url = next(server.paths_of(directory), "")
        settings = settings_at(server, url, directory, source)
        suffixes = {suffix for suffix, said in settings.suffix_handlers.items() if said.value.lower() == CGI}
        if settings.exec_cgi.allowed is None:
            continue
        if settings.handler is not None and settings.handler.value.lower() == CGI:
            yield ProgramPlace(directory, url)
        elif settings.handler is None and suffixes:
            yield ProgramPlace(directory, url, suffixes=frozenset(suffixes))
