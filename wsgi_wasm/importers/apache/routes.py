"""The programs of a server as routes: each place that a line maps or a section names, with what
holds there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.importers.apache.directories import CGI, WASM_HANDLER, DirectoryRoute, Handlers
from wsgi_wasm.importers.apache.programs import htaccess_below, programs_below
from wsgi_wasm.importers.apache.reading import ConfigItem, Source
from wsgi_wasm.importers.apache.servers import ApacheServer, below, places_in, settings_at
from wsgi_wasm.importers.apache.settings import PlaceSettings, overrides
from wsgi_wasm.importers.apache.syntax import mistake
from wsgi_wasm.importers.apache.told import put_settings
from wsgi_wasm.importers.apache.walks import Said
from wsgi_wasm.importers.apache.wasm import put_module
from wsgi_wasm.importers.drafts import RouteDraft, path_text
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.messages import escaped, listed

_MOST_PLACES = 2000


@dataclass(frozen=True, slots=True)
class Area:
    """A path of requests, where it leads, and the line that says so."""

    path: str
    directory: Path | None
    place: SourceLine
    runs: bool = False


@dataclass(slots=True)
class Routes:
    """Makes the routes of one server."""

    server: ApacheServer
    source: Source
    base: Path
    made: dict[str, RouteDraft] = field(default_factory=dict)

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
                if outer is not None:
                    self._not_excluded(area, outer)
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
        found += self._own_files()
        if len(found) > _MOST_PLACES:
            raise mistake(found[_MOST_PLACES].place, f"more than {_MOST_PLACES} places are too many for one server")
        yield from found

    def _own_files(self) -> Iterator[Area]:
        """Directories with a `.htaccess` of their own, where anything may be said in one."""
        server, source = self.server, self.source
        if not any(overrides(item) for section in server.directories for item in section.items or ()):
            return
        for one in (*server.mappings, *([server.root] if server.root else ())):
            files, whole = htaccess_below(one.target, source.access_names)
            if not whole:
                self._decide(one.place, f"{escaped(one.target)} is too large to look for all .htaccess files in it")
            for file in files:
                items = source.htaccess(file)
                for path in server.paths_of(file.parent) if items else ():
                    yield Area(path, file.parent, items[0].place, self._runs(path))

    def _runs(self, path: str) -> bool:
        """Whether a path is below a ScriptAlias."""
        alias = self.server.alias_of(path)
        return alias is not None and alias.runs

    def _outer(self, path: str) -> RouteDraft | None:
        near = [one for name, one in self.made.items() if below(path, name) is not None]
        return max(near, key=lambda one: len(one.path), default=None)

    def _not_excluded(self, area: Area, outer: RouteDraft) -> None:
        """Nothing runs at a place below a route, which the route cannot say."""
        self._decide(area.place, f"nothing ran here, but the route of {escaped(outer.path)} answers here too")
        outer.remarks.append(
            f"Nothing ran below {escaped(area.path)} (line {area.place.line}). This route answers there, too: if "
            "programs lie there, move them away, or let the front server refuse that path."
        )

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
        allowed = settings.exec_cgi.allowed
        draft = RouteDraft(area.path, {("", ""): [area.place, *settings.sections, *([allowed] if allowed else [])]})
        if handlers.whole is not None and handlers.whole.value.lower() == WASM_HANDLER:
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
        if handler is not None and handler.value.lower() not in (WASM_HANDLER, CGI):
            self._other(handler, settings)
            return Handlers(None, {})
        may_run = area.runs or settings.exec_cgi.allowed is not None
        if handler is not None and handler.value.lower() == CGI and not may_run:
            self.source.report.dropped(handler.place, "Options has no ExecCGI there, so nothing ran")
            return Handlers(None, {})
        for said in settings.forced.values():
            if said is not None and handler is not None and said.value.lower() != handler.value.lower():
                self._decide(said.place, "another handler for some of the files: write a route of its own for them")
        suffixes = {}
        for suffix, said in settings.suffix_handlers.items():
            if said.value.lower() == WASM_HANDLER or (said.value.lower() == CGI and may_run):
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
        target = area.directory
        if target is None:
            self._decide(area.place, "no directory is known for it: is a DocumentRoot missing?")
            return False
        if not os.path.isdir(target) and target.suffix:
            return self._one_file(draft, area, target, handlers.place)
        if not os.path.isdir(target):
            self._decide(area.place, f"{escaped(target)} is not on this machine")
        draft.put("directory", path_text(target, self.base), area.place, handlers.place)
        route = DirectoryRoute(draft, settings, handlers, programs_below(target), self.base)
        if not route.put():
            return False
        if not area.runs:
            route.remark()
        return True

    def _one_file(self, draft: RouteDraft, area: Area, target: Path, origin: SourceLine) -> bool:
        if target.suffix not in MODULE_SUFFIXES:
            self._decide(area.place, f"{escaped(target.name)} is one script or native program: put it into a directory")
            return False
        draft.put("module", path_text(target, self.base), area.place, origin)
        return True

    def _access(self, draft: RouteDraft, settings: PlaceSettings) -> None:
        """The gateway lets everybody in, so whoever guards a route must go on doing it."""
        guards = [item for item in settings.access if not is_open(item)]
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


def is_open(item: ConfigItem) -> bool:
    """Whether a line of access rules keeps nobody out."""
    words = [arg.lower() for arg in item.args]
    return words in (["all", "granted"], ["from", "all"]) or item.name in ("order", "satisfy")


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
