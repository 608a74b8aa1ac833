"""A configuration whose directories are looked at anew: where their paths lead by now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath

from wsgi_wasm.config.checks import DirectoryChecks
from wsgi_wasm.config.kinds import Setting
from wsgi_wasm.config.model import (
    Config,
    Dir,
    DirectoryTarget,
    Interpreter,
    ModuleTarget,
    Route,
    SpinTarget,
    all_routes,
    interpreters_of,
    with_routes,
)
from wsgi_wasm.config.nodes import Reading, ScalarNode
from wsgi_wasm.config.settings import PlacedDir
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.files.beneath import Folder, resolved


def directories(config: Config) -> dict[Path, Path]:
    """Every configured path of a directory, with where it led when that was last looked at."""
    found: dict[Path, Path] = {}
    for route in (*all_routes(config), config.handler):
        for d in _dirs(route):
            found[_base(d)] = d.folder.root
        match route.target:
            case DirectoryTarget(path=path, folder=folder):
                found[path] = folder.root
            case SpinTarget(path=path):
                found.setdefault(path.parent, resolved(path.parent))
            case ModuleTarget(path=path) if route.interface == "wws":
                # A module is looked for by its path again and again; what is beside it is not.
                found.setdefault(path.parent, resolved(path.parent))
    return found


def _dirs(route: Route) -> Iterator[Dir]:
    yield from route.dirs
    for interpreter in interpreters_of(route.target).values():
        yield from interpreter.dirs


def _base(entry: Dir) -> Path:
    """The path that led to the root of a directory's folder."""
    name = PurePath(entry.folder.name)
    return entry.host.parents[len(name.parts) - 1] if name.parts else entry.host


def with_moved(config: Config, real: Mapping[Path, Path]) -> Config:
    """The configuration with these directories in the place of those where its paths led before.

    Raises ConfigError where it must not be used: guests could write to what they must not reach.
    """

    def moved(entry: Dir) -> Dir:
        root = real.get(_base(entry), entry.folder.root)
        return entry if root == entry.folder.root else replace(entry, folder=Folder(root, entry.folder.name))

    def route_of(route: Route) -> Route:
        target = route.target
        if isinstance(target, DirectoryTarget):
            folder = Folder(real.get(target.path, target.folder.root))
            target = replace(target, folder=folder, interpreters=_interpreters(target, moved))
        return replace(route, target=target, dirs=tuple(map(moved, route.dirs)))

    made = replace(with_routes(config, route_of), handler=route_of(config.handler))
    _check(made)
    return made


def _interpreters(target: DirectoryTarget, moved: Callable[[Dir], Dir]) -> dict[str, Interpreter]:
    return {key: replace(one, dirs=tuple(map(moved, one.dirs))) for key, one in target.interpreters.items()}


def _check(config: Config) -> None:
    """The checks of a file that is read, for one that is not read again. Raises ConfigError."""
    reading = Reading(file=str(config.source), base=config.source.parent, environ={})
    checks = DirectoryChecks(reading)
    for route in (*all_routes(config), config.handler):
        name = route.name if route.line else ""
        placed = _placed(route.dirs, route)
        checks.of_guest(placed)
        checks.grant(placed, name)
        for key, interpreter in interpreters_of(route.target).items():
            dirs = _placed(interpreter.dirs, route)
            checks.of_guest((*placed, *dirs))
            checks.grant(dirs, name, key)
    checks.of_site(config, dict(_files(config)))
    if reading.problems:
        raise ConfigError(list(reading.problems))


def _placed(dirs: tuple[Dir, ...], route: Route) -> tuple[PlacedDir, ...]:
    """Directories at the line of their route. A path with a link that is not followed stands for
    where it led before."""
    key = ScalarNode("", False, route.line, 1)
    return tuple(
        PlacedDir(
            d if d.folder.name != "." or resolved(d.host) == d.folder.root else replace(d, host=d.folder.root),
            Setting(d, key, f"{route.name}: dirs.{d.guest}"),
        )
        for d in dirs
    )


def _files(config: Config) -> Iterator[tuple[Path, str]]:
    """What guests may change by APIs of the host alone, as `GrantsBuilder.files`."""
    for route in (*all_routes(config), config.handler):
        for label, store in route.grants.key_value.items():
            if store.path is not None:
                yield store.path, f"the store {label}"
        for label, database in route.grants.sqlite.items():
            yield database.path, f"the database {label}"
        if route.grants.mail is not None:
            yield route.grants.mail.spool / "waiting", "the spool of mail"
        for name, command in route.grants.commands.items():
            yield command.path, f"the command {name}"
        for name, variable in route.grants.variables.items():
            if variable.file is not None:
                yield variable.file, f"the file of the variable {name}"
