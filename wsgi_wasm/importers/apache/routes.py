"""The programs of a server as routes: each place that a line maps or a section names, with what
holds there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.importers.apache.reading import Source
from wsgi_wasm.importers.apache.servers import ApacheServer, below, places_in, settings_at
from wsgi_wasm.importers.apache.settings import PlaceSettings, Said, Wasm
from wsgi_wasm.importers.apache.syntax import mistake
from wsgi_wasm.importers.apache.told import put_settings
from wsgi_wasm.importers.apache.wasm import put_dirs, put_interpreter, put_module
from wsgi_wasm.importers.drafts import RouteDraft, path_text
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.interpreters import SUFFIXES
from wsgi_wasm.messages import escaped, listed

WASM, CGI = "wasm-handler", "cgi-script"
_MOST_PLACES = 2000
_MOST_ENTRIES = 5000  # of a directory, looked at for its suffixes
_RUNS_BY_SUFFIX = {suffix: name for name, suffix in SUFFIXES.items()}


@dataclass(frozen=True, slots=True)
class Area:
    """A path of requests, where it leads, and the line that says so."""

    path: str
    directory: Path | None
    place: SourceLine
    runs: bool = False


class Handlers(NamedTuple):
    """What runs at a place whatever lies there, and what runs by its suffix."""

    whole: Said | None
    suffixes: dict[str, Said]

    @property
    def place(self) -> SourceLine:
        """The line that says so, where there is any."""
        return (self.whole or next(iter(self.suffixes.values()))).place


@dataclass(slots=True)
class Routes:
    """Makes the routes of one server."""

    server: ApacheServer
    source: Source
    base: Path
    made: dict[str, RouteDraft] = field(default_factory=dict)
    _shown: set[SourceLine] = field(default_factory=set)

    def all(self) -> Mapping[str, RouteDraft]:
        """The routes by path, in the order of the lines that name them."""
        areas = list(self._areas())
        order = {area.path: position for position, area in reversed(list(enumerate(areas)))}
        # Outer ones first, as an inner one that says the same is none.
        for area in sorted(areas, key=lambda area: (len(area.path.rstrip("/")), not area.runs)):
            if area.path in self.made:
                continue
            settings = settings_at(self.server, area.path, area.directory, self.source)
            draft = self._route(area, settings)
            outer = self._outer(area.path)
            if draft is None:
                if outer is not None and settings.handler is not None:
                    self._decide(area.place, f"the route of {outer.path} answers here too")
                continue
            if outer is not None and _continues(outer, draft, area.path):
                for key, places in draft.places.items():
                    outer.places.setdefault(key, []).extend(places)
                continue
            self.made[area.path] = draft
        return dict(sorted(self.made.items(), key=lambda made: order[made[0]]))

    def _areas(self) -> Iterator[Area]:
        server = self.server
        found = [Area(one.path, one.target, one.place, one.runs) for one in server.mappings]
        if server.root is not None:
            found.append(Area("/", server.root.target, server.root.place))
        for section in server.directories:
            directory = Path(section.args[0])
            found += [Area(path, directory, section.place, self._runs(path)) for path in server.paths_of(directory)]
        for section in server.locations:
            path = "/" + section.args[0].strip("/")
            found.append(Area(path, server.mapped(path), section.place, self._runs(path)))
        if len(found) > _MOST_PLACES:
            raise mistake(found[_MOST_PLACES].place, f"more than {_MOST_PLACES} places are too many for one server")
        yield from found

    def _runs(self, path: str) -> bool:
        """Whether a path is below a ScriptAlias."""
        near = [one for one in self.server.mappings if below(path, one.path) is not None]
        return bool(near) and max(near, key=lambda one: len(one.path)).runs

    def _outer(self, path: str) -> RouteDraft | None:
        near = [one for name, one in self.made.items() if below(path, name) is not None]
        return max(near, key=lambda one: len(one.path), default=None)

    def _decide(self, place: SourceLine, question: str) -> None:
        self.source.report.decide(place, question)

    # --- one route ---

    def _route(self, area: Area, settings: PlaceSettings) -> RouteDraft | None:
        """The route of a place; None where nothing runs there."""
        handlers = self._handlers(area, settings)
        if not any(handlers):
            return None
        denied = _is_denied(settings)
        if denied is not None:
            self.source.report.dropped(denied, "nobody may come there, so there is no route")
            self.source.report.dropped(area.place, f"nobody may come there (line {denied.line}), so there is no route")
            return None
        allowed = settings.options.get("execcgi")
        draft = RouteDraft(area.path, {("", ""): [area.place, *settings.sections, *([allowed] if allowed else [])]})
        if handlers.whole is not None and handlers.whole.value.lower() == WASM:
            if not put_module(draft, settings, handlers.whole, self.source, self.base):
                return None
        elif not self._scripts(draft, area, settings, handlers):
            return None
        put_settings(draft, settings, self.source)
        self._access(draft, settings)
        return draft

    def _handlers(self, area: Area, settings: PlaceSettings) -> Handlers:
        handler = settings.handler
        if handler is None and area.runs:
            handler = Said(CGI, area.place)
        if handler is not None and handler.value.lower() not in (WASM, CGI):
            self._other(handler, settings)
            return Handlers(None, {})
        may_run = area.runs or "execcgi" in settings.options
        if handler is not None and handler.value.lower() == CGI and not may_run:
            self.source.report.dropped(handler.place, "Options has no ExecCGI there, so nothing ran")
            return Handlers(None, {})
        suffixes = {}
        for suffix, said in settings.suffixes.items():
            if said.value.lower() == WASM or (said.value.lower() == CGI and may_run):
                suffixes[suffix] = said
            elif said.value.lower() == CGI:
                self.source.report.dropped(said.place, "Options has no ExecCGI there, so nothing ran")
            else:
                self._other(said, settings)
        return Handlers(handler, {} if handler is not None else suffixes)

    def _other(self, handler: Said, settings: PlaceSettings) -> None:
        """A handler that is neither mod_cgi's nor mod_wasm's."""
        action = settings.actions.get(handler.value.lower())
        if action is None:
            self.source.report.meaningless(handler.place, f"the handler {escaped(handler.value)} is Apache's own")
            return
        question = "a program that runs files: name it in `interpreters`, if it reads the script that it is given"
        self._decide(handler.place, question)
        self._decide(action.place, question)

    def _scripts(self, draft: RouteDraft, area: Area, settings: PlaceSettings, handlers: Handlers) -> bool:
        """A directory of programs, or one program. False where there is none."""
        target, report = area.directory, self.source.report
        origin, suffixes = handlers.place, handlers.suffixes
        if target is None:
            self._decide(area.place, "no directory is known for it: is a DocumentRoot missing?")
            return False
        if not target.is_dir() and target.suffix:
            return self._one_file(draft, area, target, origin)
        draft.put("directory", path_text(target, self.base), area.place, origin)
        if not target.is_dir():
            report.decide(area.place, f"{escaped(target)} is not on this machine")
        found = _suffixes_below(target)
        wasm = {suffix: said for suffix, said in suffixes.items() if said.value.lower() == WASM}
        for suffix, said in wasm.items():
            if not put_interpreter(draft, settings, suffix, said, self.base):
                self._decide(said.place, "has no WasmModule there, so mod_wasm answered 500")
        if wasm:
            put_dirs(draft, settings.wasm or Wasm(), self.base, report)
        wanted = set(suffixes) if suffixes else found
        if suffixes and not suffixes.keys() & {*_RUNS_BY_SUFFIX, *MODULE_SUFFIXES, *wasm}:
            self._decide(origin, f"files that run only natively: {listed(sorted(wanted))}; see `wsgi-wasm scan`")
            return False
        for suffix in sorted(_RUNS_BY_SUFFIX.keys() & (found | set(suffixes)) - wasm.keys()):
            draft.put_item("interpreters", suffix, _RUNS_BY_SUFFIX[suffix], origin)
        served = {*draft.items.get("interpreters", {}), *MODULE_SUFFIXES}
        self._index(draft, settings, served)
        native = sorted(suffix or "without a suffix" for suffix in wanted - served)
        if native and area.place not in self._shown:
            self._shown.add(area.place)
            self._decide(origin, f"files that run only natively are not served: {listed(native)}; see `wsgi-wasm scan`")
        if not area.runs:
            draft.remarks.append(
                "Only programs are served by this route: leave other files below it to the front server."
            )
            if found & {*MODULE_SUFFIXES} - suffixes.keys():
                draft.remarks.append("There are .wasm files in it that httpd sent as they are. This route runs them.")
        return True

    def _one_file(self, draft: RouteDraft, area: Area, target: Path, origin: SourceLine) -> bool:
        if target.suffix not in MODULE_SUFFIXES:
            self._decide(area.place, f"{escaped(target.name)} is one script or native program: put it into a directory")
            return False
        draft.put("module", path_text(target, self.base), area.place, origin)
        return True

    def _index(self, draft: RouteDraft, settings: PlaceSettings, served: set[str]) -> None:
        names = [said for said in settings.index if os.path.splitext(said.value)[1] in served]
        if names:
            texts = list(dict.fromkeys(said.value for said in names))
            draft.put("index", texts, *(said.place for said in names))

    def _access(self, draft: RouteDraft, settings: PlaceSettings) -> None:
        """The gateway lets everybody in, so whoever guards a route must go on doing it."""
        guards = [item for item in settings.access if not _is_open(item.args, item.name)]
        for place in places_in(guards):
            self._decide(
                place, f"the gateway has no access rules: keep this for <Location {draft.path}> in front of it"
            )
        if guards:
            lines = listed(sorted({item.place.line for item in guards}))
            draft.remarks.append(
                f"Access was restricted (line {lines}). The gateway has no such rules: the front server must keep them."
            )


def _is_denied(settings: PlaceSettings) -> SourceLine | None:
    """The line after which nobody may come; None where somebody may."""
    words = [(item.name, [arg.lower() for arg in item.args]) for item in settings.access]
    if len(words) == 1 and words[0] == ("require", ["all", "denied"]):
        return settings.access[0].place
    names = {name for name, _ in words}
    if "deny" in names and not names & {"allow", "satisfy"} and ("deny", ["from", "all"]) in words:
        return next(item.place for item in settings.access if item.name == "deny")
    return None


def _is_open(args: list[str], name: str) -> bool:
    words = [arg.lower() for arg in args]
    return words in (["all", "granted"], ["from", "all"]) or name in ("order", "satisfy")


def _continues(outer: RouteDraft, inner: RouteDraft, path: str) -> bool:
    """Whether the outer route already does what the inner one would."""
    if "directory" not in outer.keys or "directory" not in inner.keys:
        return outer.same_as(inner) and "module" in outer.keys
    rest = below(path, outer.path) or ""
    where = os.path.normpath(os.path.join(str(outer.keys["directory"]), rest))
    same = {key: data for key, data in outer.keys.items() if key != "directory"} == {
        key: data for key, data in inner.keys.items() if key != "directory"
    }
    return same and outer.items == inner.items and where == os.path.normpath(str(inner.keys["directory"]))


def _suffixes_below(directory: Path) -> set[str]:
    """The suffixes of the files in a directory and below it; of a large one, of some."""
    found: set[str] = set()
    seen = 0
    for _, below_it, names in os.walk(directory):
        below_it[:] = [name for name in below_it if not name.startswith(".")]
        found |= {os.path.splitext(name)[1] for name in names if not name.startswith(".")}
        seen += len(names) + len(below_it)
        if seen > _MOST_ENTRIES:
            break
    return found
