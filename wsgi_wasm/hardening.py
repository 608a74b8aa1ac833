"""`harden`: walls around the server's own processes, by what their configuration needs.

The walls are put up once in the life of a process, before it has threads, for every site that it
serves. Afterwards they can only become narrower: a site that is loaded later, or again, has what
was there at the start.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from logging.handlers import BaseRotatingHandler
from pathlib import Path

from wsgi_wasm.config import Config, Dir, DirectoryTarget, Route, SpinTarget, all_routes, interpreters_of
from wsgi_wasm.errors import EngineError, UntrustedFile
from wsgi_wasm.files.beneath import resolved
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locations import default_directory, own_temporary_directory
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped
from wsgi_wasm.walls import (
    PathRule,
    Rights,
    Role,
    Walls,
    interpreter_places,
    network_places,
    python_places,
    system_places,
)

log = package_log("gateway")


# Folders that nobody means as a whole.
_COMMON = frozenset(
    (
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/proc", "/root", "/run", "/srv"),
        *("/sys", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/log", "/var/tmp"),
    )
)


@dataclass(frozen=True, slots=True)
class Site:
    """A configuration, and the routes that its Spin applications consist of."""

    config: Config
    of_applications: tuple[Route, ...] = ()

    def routes(self) -> Iterator[Route]:
        yield from all_routes(self.config)
        yield self.config.handler
        yield from self.of_applications


@dataclass(slots=True)
class _Confinement:
    """Of this process, and of its children, which inherit the walls."""

    granted: list[PathRule] = field(default_factory=list)
    confined: bool = False
    refused: bool = False


_state = _Confinement()


def is_confined() -> bool:
    """Whether the walls stand."""
    return _state.confined


def check_confined(config: Config) -> None:
    """Raises EngineError for a site that wants the walls, in a process that was given none: under a
    server that does not call `Gateway.harden`, or too late."""
    if not config.harden.enabled or _state.confined:
        return
    text = (
        "`harden` is set, but this process was not confined: under gunicorn, use the hooks of "
        "conf/gunicorn.conf.py; under mod_wsgi, the scripts of apache/ in daemon mode; elsewhere, call "
        "`Gateway.harden()` in each process before it starts threads"
    )
    if not _state.refused:  # not every server reports errors of its applications
        _state.refused = True
        log.error("%s", text)
    raise EngineError(text)


def is_wanted(sites: Iterable[Site]) -> bool:
    """Whether one of them asks for walls."""
    return any(site.config.harden.enabled for site in sites)


def check_process() -> None:
    """Raises EngineError in a process of Apache's own, which serves others besides."""
    if getattr(sys.modules.get("mod_wsgi"), "process_group", None) == "":
        raise EngineError(
            "`harden` is set, but in embedded mode the process is Apache's own, and does other things besides: "
            "use daemon mode (WSGIDaemonProcess and process-group=), or set `harden: false`"
        )


def harden(sites: Iterable[Site], *, programs: bool, quiet: bool = False) -> None:
    """Confine this process to what these sites need. With `programs`, it can go on starting the
    compiler, within the same walls; `quiet` leaves out of the log what another process has said.

    Raises WallError, and then the process should end.
    """
    rules = [*system_places(), *network_places(), *python_places(), *log_places(), *spool_places()]
    rules += interpreter_places() if programs else []
    for site in sites:
        make_directories(site)
        rules += site_places(site)
    walls = Walls(role=Role.WORKER, paths=tuple(rules), ports=None, programs=programs)
    applied = walls.apply()
    # A wall is where the path led; a link that is changed later does not move it.
    _state.granted = [replace(rule, path=resolved(rule.path)) for rule in rules if not isinstance(rule.path, int)]
    _state.confined = True
    if not quiet:
        log.info("harden: this server's processes are confined")
        for sentence in (*applied.lacking, *(text for site in sites for text in low_walls(site))):
            log.warning("harden: %s", sentence)
        for path in dict.fromkeys(applied.absent):
            log.warning("harden: %s does not exist: should it appear, it is used only after a restart", escaped(path))


def warn_of_outside(site: Site) -> None:
    """Say in the log what a site that was read anew changes of the walls of this process, which
    stay: places that it needs outside of them, and the key itself."""
    if site.config.harden.enabled != _state.confined:
        log.error("%s: a change of `harden` takes effect only after a restart", site.config.source)
    if not _state.confined:
        return
    outside = [rule for rule in site_places(site) if not _is_granted(rule)]
    for path in dict.fromkeys(str(rule.path) for rule in outside):
        log.error(
            "%s: %s is outside of what this process may still use (harden): restart the server",
            site.config.source,
            escaped(path),
        )


def is_reachable(directory: Path) -> bool:
    """Whether the walls of this process, if there are any, let it read a directory."""
    return not _state.confined or _is_granted(PathRule(directory, Rights.READ))


def _is_granted(rule: PathRule) -> bool:
    if isinstance(rule.path, int) or not os.path.exists(rule.path):
        return True  # what is not there is no news
    path, rights = os.path.realpath(rule.path), rule.rights.value
    for granted in _state.granted:
        if not isinstance(granted.path, int) and Path(path).is_relative_to(granted.path):
            rights &= ~granted.rights.value
    return not rights


# What a site needs --------------------------------------------------------------------------------


def site_places(site: Site) -> list[PathRule]:
    """Every place that a site reads or writes, without those of Python and the system."""
    config = site.config
    rules = [*_around(config.source)]
    rules += [PathRule(directory, Rights.WRITE) for directory in _own_directories(config)]
    for plugged, plugs in config.compose.items():
        rules += [rule for path in (plugged, *plugs.values()) for rule in _around(path)]
    for route in site.routes():
        rules += route_places(route)
    rules += [PathRule(path, Rights.READ) for path in config.harden.read]
    rules += [PathRule(path, Rights.WRITE) for path in config.harden.write]
    return list(dict.fromkeys(rules))


def route_places(route: Route) -> Iterator[PathRule]:
    """What a route reads and writes: what answers it, its directories, its stores and files.

    Of files, it is the directory that is meant, as they are replaced by others of the same name.
    """
    target = route.target
    if isinstance(target, DirectoryTarget):
        yield PathRule(target.path, Rights.READ)
    elif target is not None:
        yield from _around(target.path)
    if isinstance(target, SpinTarget) and target.runtime_config is not None:
        yield from _around(target.runtime_config)
    for interpreter in interpreters_of(target).values():
        yield from _around(interpreter.module)
        yield from map(_of_dir, interpreter.dirs)
    yield from map(_of_dir, route.dirs)
    for variable in route.grants.variables.values():
        if variable.file is not None:
            yield from _around(variable.file)
    for directory in _directories_of_stores(route):
        yield PathRule(directory, Rights.WRITE)


def _around(file: Path) -> Iterator[PathRule]:
    """The directory of a file, and that of the file it leads to."""
    yield PathRule(file.parent, Rights.READ)
    real = Path(os.path.realpath(file)).parent
    if real != Path(os.path.realpath(file.parent)):
        yield PathRule(real, Rights.READ)


def _of_dir(entry: Dir) -> PathRule:
    return PathRule(entry.host, Rights.WRITE if entry.writable else Rights.READ)


def _directories_of_stores(route: Route) -> Iterator[Path]:
    """SQLite makes files beside its own."""
    for store in route.grants.key_value.values():
        if store.path is not None:
            yield store.path.parent
    for database in route.grants.sqlite.values():
        yield database.path.parent
    if route.grants.mail is not None:
        yield route.grants.mail.spool


def _own_directories(config: Config) -> set[Path]:
    """The cache, and where the last good configuration is kept."""
    return {default_directory(config.cache_dir, os.environ), default_directory(None, os.environ)}


def low_walls(site: Site) -> list[str]:
    """What of a site makes its walls lower than they could be: folders that have to be writable
    because a database lies in them, though modules or the configuration lie there too, and folders
    that hold much besides."""
    rules = site_places(site)
    read = {rule.path for rule in rules if rule.rights is Rights.READ}
    written = {directory for route in site.routes() for directory in _directories_of_stores(route)}
    sentences = [
        f"{escaped(path)} holds a database, so the server can write to all that lies there, such as modules "
        "and this file: keep databases in a directory of their own"
        for path in sorted(written & read)
    ]
    common = {*_COMMON, os.path.expanduser("~")}
    for rule in dict.fromkeys(rules):
        if not isinstance(rule.path, int) and os.path.realpath(rule.path) in common:
            verb = "read" if rule.rights is Rights.READ else "change"
            sentences.append(f"the server can {verb} all of {escaped(rule.path)}: keep what the site needs in a folder")
    return sentences


# What is made beforehand --------------------------------------------------------------------------


def make_directories(site: Site) -> None:
    """Make directories that a site would make when it first needs them: a rule is about what is
    there. What cannot be made is not there."""
    for directory in _own_directories(site.config):
        with contextlib.suppress(UntrustedFile):
            TrustedDirectory(directory)
    for route in site.routes():
        for directory in _directories_of_stores(route):
            with contextlib.suppress(OSError):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def spool_places() -> list[PathRule]:
    """A directory of temporary files for this user alone, which this process uses from now on:
    others keep their files in the common one."""
    try:
        own = own_temporary_directory()
    except OSError:
        return []  # there is none, and whoever needs one says so
    try:
        TrustedDirectory(own)
    except UntrustedFile:
        with contextlib.suppress(OSError):
            own = Path(tempfile.mkdtemp(prefix="wsgi-wasm-"))
    tempfile.tempdir = os.environ["TMPDIR"] = str(own)
    return [PathRule(own, Rights.WRITE)]


def log_places() -> Iterator[PathRule]:
    """Where logs are written, so that they can be opened again when they have been rotated."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    for handler in {handler for one in loggers if isinstance(one, logging.Logger) for handler in one.handlers}:
        if isinstance(handler, logging.FileHandler):
            rights = Rights.WRITE if isinstance(handler, BaseRotatingHandler) else Rights.APPEND
            yield PathRule(Path(handler.baseFilename).parent, rights)
