"""Checks of host paths against each other. A guest that may write must not reach what decides
about guests, nor decide what another guest is given."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.config.model import (
    Config,
    Dir,
    DirectoryTarget,
    ModuleTarget,
    Route,
    SpinTarget,
    all_routes,
    interpreters_of,
)
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.config.settings import PlacedDir
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.trails import Survey, Trail
from wsgi_wasm.messages import escaped, listed, quote

_MOST_REACHED = 3  # in one message


@dataclass(slots=True)
class GrantedDir:
    """A directory in the file, and the guests that are given it: those of the routes that have it,
    and of an interpreter's own directories the suffix of its scripts."""

    entry: PlacedDir
    suffix: str = ""
    routes: list[str] = field(default_factory=list)

    def is_of_same_guest(self, other: GrantedDir) -> bool:
        """Whether there is only one guest that is given either."""
        one_route = len({*self.routes, *other.routes}) <= 1
        return one_route and (not self.suffix or not other.suffix or self.suffix == other.suffix)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A host path that guests must not write to. A file is reached through a directory above it
    alone; a directory also through one inside it."""

    what: str
    trail: Trail
    is_file: bool


class Places:
    """Directories of guests and what is kept from them, found by what a directory reaches."""

    def __init__(self, survey: Survey, kept: Iterable[_Kept], granted: Iterable[GrantedDir]) -> None:
        self._survey = survey
        self._at: dict[Hashable, list[_Kept | GrantedDir]] = {}
        self._through: dict[Hashable, list[_Kept | GrantedDir]] = {}
        self._order: dict[int, int] = {}
        places: Iterable[_Kept | GrantedDir] = (*kept, *granted)
        for place in places:
            self._order[id(place)] = len(self._order)
            for key in self._trail(place).own:
                self._at.setdefault(key, []).append(place)
            for key in self._trail(place).through | self._trail(place).above:
                self._through.setdefault(key, []).append(place)

    def reached(self, granted: GrantedDir) -> Iterator[str]:
        """What a guest gets at through a writable directory, in words."""
        trail = self._trail(granted)
        near = {
            id(one): one for key in trail.own for places in (self._at, self._through) for one in places.get(key, ())
        }
        near |= {id(one): one for key in trail.above for one in self._at.get(key, ())}
        for one in sorted(near.values(), key=lambda one: self._order[id(one)]):
            verb = self._verb(granted, trail, one)
            if verb:
                yield f"{verb} {one.what if isinstance(one, _Kept) else _what(one)}"

    def _verb(self, granted: GrantedDir, trail: Trail, other: _Kept | GrantedDir) -> str:
        """How a guest gets there; empty where it does not."""
        there = self._trail(other)
        if trail.is_same(there):
            return "is" if isinstance(other, _Kept) else ""
        if isinstance(other, GrantedDir) and granted.is_of_same_guest(other):
            return ""  # and it is opened beneath this one (`dirs_of`)
        if there.has_link_in(trail):
            return "contains a link that leads to"
        if trail.reaches(there):
            return "contains"
        is_file = isinstance(other, _Kept) and other.is_file
        return "lies in" if not is_file and trail.lies_in(there) else ""

    def _trail(self, place: _Kept | GrantedDir) -> Trail:
        return place.trail if isinstance(place, _Kept) else self._survey.trail(place.entry.dir.host)


@dataclass(slots=True)
class DirectoryChecks:
    """The checks of one file."""

    reading: Reading
    _survey: Survey = field(default_factory=Survey)
    # by what a route may have from its defaults, like others
    _granted: dict[tuple[int, int, Path, str], GrantedDir] = field(default_factory=dict)

    def grant(self, placed: Iterable[PlacedDir], route: str, suffix: str = "") -> None:
        """Note the directories of a route; of its interpreter for `suffix`. A handler that nobody
        wrote has no name."""
        for entry in placed:
            key = entry.setting.key.line, entry.setting.key.column, entry.dir.host, suffix
            granted = self._granted.setdefault(key, GrantedDir(entry, suffix))
            if route and route not in granted.routes[-1:]:
                granted.routes.append(route)

    def of_guest(self, placed: Sequence[PlacedDir]) -> None:
        """Two directories of a guest with different rights must not overlap: the guest could write
        through the other."""
        # By rights, and by a key of the place itself or of what would reach it.
        at: dict[tuple[bool, Hashable], list[PlacedDir]] = {}
        below: dict[tuple[bool, Hashable], list[PlacedDir]] = {}
        for later in placed:
            trail, other = self._survey.trail(later.dir.host), not later.dir.writable
            over = trail.above if later.dir.writable else trail.above | trail.through
            met = [at.get((other, key), []) for key in trail.own | over]
            met += [below.get((other, key), []) for key in trail.own]
            for entry in {id(entry): entry for entries in met for entry in entries}.values():
                rights = "writable" if entry.dir.writable else "read-only"
                message = f"overlaps the host directory of {quote(entry.dir.guest)}, which is {rights}"
                self.reading.report(later.setting.key, later.setting.path, message)
            for keys, places in ((trail.own, at), (over, below)):
                for key in keys:
                    places.setdefault((later.dir.writable, key), []).append(later)

    def of_site(self, config: Config, files: Mapping[Path, str]) -> None:
        """No writable directory may reach modules, scripts, this file, the cache or other guests'
        state: `state_dir`, and `files` with what each of them is; nor directories of other guests.
        """
        survey = self._survey
        kept = sorted({*_kept(config, survey)}, key=lambda one: (one.trail.path, one.what))
        kept += (_Kept(what, survey.trail(path), True) for path, what in files.items())
        places = Places(survey, kept, self._granted.values())
        for granted in self._granted.values():
            setting = granted.entry.setting
            folder = granted.entry.dir.folder
            if folder.name == "." and survey.trail(granted.entry.dir.host).path != str(folder.root):
                self.reading.report(setting.key, setting.path, "leads somewhere else than a moment ago")
            reached = list(places.reached(granted)) if granted.entry.dir.writable else []
            if reached:
                more = f" and {len(reached) - _MOST_REACHED} more" if len(reached) > _MOST_REACHED else ""
                message = f"is writable, but {', '.join(reached[:_MOST_REACHED])}{more}"
                self.reading.report(setting.key, setting.path, message)


def _what(granted: GrantedDir) -> str:
    guest, line = granted.entry.dir.guest, granted.entry.setting.key.line
    of = listed(map(title, granted.routes), _MOST_REACHED) or "handler"
    interpreter = f"the interpreter of {granted.suffix} in " if granted.suffix else ""
    return f"the directory {quote(guest)} of {interpreter}{of} (line {line})"


def title(route: str) -> str:
    """A route in words."""
    return route if route == "handler" else f"route {route}"


# What is kept from guests -------------------------------------------------------------------------


def _kept(config: Config, survey: Survey) -> Iterator[_Kept]:
    yield _Kept("this configuration file", survey.trail(config.source), True)
    for what, path in (("the cache_dir", config.cache_dir), ("the state_dir", config.state_dir)):
        if path is not None:
            yield _Kept(what, survey.trail(path), False)
    for route in all_routes(config):
        yield from _kept_of(route, survey)
    for plugs in config.compose.values():
        yield from (_module(plug, survey) for plug in plugs.values())


def _kept_of(route: Route, survey: Survey) -> Iterator[_Kept]:
    """What a route serves."""
    match route.target:
        case ModuleTarget(path=path):
            yield _module(path, survey)
        case DirectoryTarget(path=path, interpreters=interpreters):
            yield _Kept(f"the directory of route {route.name}", survey.trail(path), False)
            for interpreter in interpreters.values():
                yield _module(interpreter.module, survey)
                packages = interpreter.additions.packages
                if packages is not None:
                    yield _Kept(f"the packages of route {route.name}", survey.trail(packages), packages.is_file())
        case SpinTarget(path=path, runtime_config=runtime_config, state_dir=state_dir):
            yield _Kept(f"the manifest of route {route.name}", survey.trail(path), True)
            if runtime_config is not None:
                yield _Kept(f"the runtime_config of route {route.name}", survey.trail(runtime_config), True)
            state = state_dir or path.parent / ".spin"
            yield _Kept(f"the state_dir of route {route.name}", survey.trail(state), False)


def _module(path: Path, survey: Survey) -> _Kept:
    return _Kept(f"the module {path.name}", survey.trail(path), True)


# Of a site that has been read ---------------------------------------------------------------------


def dirs_by_route(config: Config) -> Iterator[tuple[Route, Dir]]:
    """Every directory that a guest is given, those of interpreters and of `handler` too."""
    for route in (*all_routes(config), config.handler):
        yield from ((route, entry) for entry in route.dirs)
        for interpreter in interpreters_of(route.target).values():
            yield from ((route, entry) for entry in interpreter.dirs)


def check_cache(config: Config, directory: Path) -> None:
    """Raises ConfigError if a guest could write to the cache, whose files run as native code.

    A file's `cache_dir` was checked with it; what the environment decides is known only later.
    """
    survey = Survey()
    cache = survey.trail(directory.absolute())
    problems = []
    for route, entry in dirs_by_route(config):
        trail = survey.trail(entry.host)
        if entry.writable and (trail.is_same(cache) or trail.lies_in(cache) or trail.reaches(cache)):
            text = f"{route.name}: dirs.{entry.guest}: {entry.host} is writable, and the cache is {directory}"
            problems.append(Problem(str(config.source), route.line, 1, text))
    if problems:
        raise ConfigError(problems)


def shared_directories(config: Config) -> Iterator[str]:
    """What several routes are given and one may write to: a sentence for each such directory."""
    survey = Survey()
    places: dict[Hashable, _SharedDir] = {}
    for route, entry in dirs_by_route(config):
        if route.line:
            keys = survey.trail(entry.host).own
            place = next((places[key] for key in keys if key in places), None) or _SharedDir(entry.host)
            places |= dict.fromkeys(keys, place)
            place.routes[title(route.name)] = place.routes.get(title(route.name), False) or entry.writable
    for place in {id(place): place for place in places.values()}.values():
        writing = [route for route, writes in place.routes.items() if writes]
        reading = [route for route, writes in place.routes.items() if not writes]
        if writing and len(place.routes) > 1:
            also = f"; {listed(reading)} can read it" if reading else ""
            yield f"{escaped(place.path)} can be written by guests of {listed(writing)}{also}"


@dataclass(slots=True)
class _SharedDir:
    """A directory, and the routes that are given it, with whether they may write."""

    path: Path
    routes: dict[str, bool] = field(default_factory=dict)


def check_native(config: Config) -> None:
    """Raises ConfigError where a route passes requests on (`native`), for a server that has nobody
    to pass them on to."""
    problems = [
        Problem(
            str(config.source),
            route.line,
            1,
            f"{escaped(title(route.name))} has `native: true`, but nothing is there to pass requests on to: wrap an "
            "application (`create_app(file, app)`), or have Apache keep them (`wsgi-wasm apache enable`)",
        )
        for route in all_routes(config)
        if route.native
    ]
    if problems:
        raise ConfigError(problems)
