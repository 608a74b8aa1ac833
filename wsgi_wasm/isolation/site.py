"""The isolated routes of a site: which process each has, and the modules that run there."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from wsgi_wasm.config.model import Config, DirectoryTarget, Route, SpinTarget, all_routes, interpreters_of
from wsgi_wasm.engine.code.child import start_elsewhere
from wsgi_wasm.engine.code.compiler import cache_in
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.modules import ModuleStore, RouteModules
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.gateway.shared import Shared
from wsgi_wasm.hostapi.channel.starting import start_programs_by, words_of
from wsgi_wasm.hostapi.mail.courier import courier_of
from wsgi_wasm.hostapi.mail.delivery import sendmail
from wsgi_wasm.hostapi.outbound import own_forwarder
from wsgi_wasm.isolation.calls import Numbered, numbered
from wsgi_wasm.isolation.commands import digest_of
from wsgi_wasm.isolation.compiling import RemoteCompiler
from wsgi_wasm.isolation.connections import Connections
from wsgi_wasm.isolation.guest import Settings
from wsgi_wasm.isolation.linker import RemoteLinker
from wsgi_wasm.isolation.rendezvous import Meeting
from wsgi_wasm.isolation.rights import SpawnerRights
from wsgi_wasm.isolation.tenant import IDLE, Tenant, looked_at

HANDLER = "handler"


def name_of(route: Route) -> str | None:
    """The name of a route's process, None where it runs in the server's own."""
    return route.name if route.isolate is True else route.isolate or None


class Isolation:
    """The tenants of one configuration in this process. Their spawner is met in the cache."""

    def __init__(self, config: Config, shared: Shared) -> None:
        self._config = config
        self._shared = shared
        self._meeting = _meeting(config, shared.cache)
        self._groups: dict[str, Connections] = {}

    def modules(self, route: Route) -> RouteModules:
        """The modules of an isolated route."""
        name = name_of(route)
        assert name is not None
        if name == HANDLER:
            return ModulesByOwner(lambda owner: self._store(route, f"{HANDLER}, files of user {owner}"))
        return self._store(route, name)

    def _store(self, route: Route, name: str) -> ModuleStore:
        engine = self._config.engine
        settings = Settings(route.name, frozenset(engine.features), engine.instances, cache(self._functions))
        return self._shared.modules.linking(RemoteLinker(self._connections(name, route), settings))

    def _functions(self) -> Sequence[Numbered]:
        return numbered(self._shared.apis())

    def _connections(self, name: str, route: Route) -> Connections:
        known = self._groups.get(name)
        if known is None:
            routes = [one for one in _isolated(self._config) if _shares(one, route)]
            group = group_of(name, routes, self._shared.cache, self._config.engine.memory)
            known = self._groups[name] = Connections(group, self._meeting, _listen)
        return known


def _meeting(config: Config, cache: Path) -> Meeting:
    return Meeting(cache, config.engine.processes)


def start_spawner_of_root(config: Config, environ: Mapping[str, str], uid: int) -> None:
    """In a server's first process, which is root's while its workers are user `uid`: start a
    spawner that gives out processes of the users that the site names. Raises Unavailable."""
    if not any(route.user for route in _isolated(config)):
        return
    # A worker has no home to write to, and root's is not meant.
    cache = default_directory(config.cache_dir, {name: value for name, value in environ.items() if name != "HOME"})
    users = frozenset(route.user for route in _isolated(config) if route.user)
    rights = SpawnerRights(frozenset({uid}), users, commands_of([config]) if config.harden.enabled else None)
    Meeting(cache, config.engine.processes, rights=rights).start()


def start_spawner(configs: Sequence[Config]) -> None:
    """Start the spawners of these sites, one for each cache, and have them start this process's
    compilers from now on; of commands, only those of these sites. Raises Unavailable."""
    meetings = {}
    for config in configs:
        cache = default_directory(config.cache_dir, os.environ)
        rights = SpawnerRights(commands=commands_of(configs))
        meetings[str(cache)] = Meeting(cache, config.engine.processes, rights=rights)
    for meeting in meetings.values():
        meeting.start()
    first = next(iter(meetings.values()))
    start_elsewhere(lambda arguments: RemoteCompiler(meetings.get(cache_in(arguments), first), arguments))


def commands_of(configs: Iterable[Config]) -> frozenset[str]:
    """The digests of all programs that these sites grant."""
    grants = [route.grants for config in configs for route in (*all_routes(config), config.handler)]
    commands = [one for granted in grants for one in granted.commands.values()]
    commands += [sendmail(one.mail.server) for one in grants if one.mail is not None and one.mail.server[0] == "/"]
    return frozenset(map(digest_of, commands))


def start_services(config: Config, cache: Path) -> None:
    """What is there before a guest asks: programs of the host are started by the spawner of this
    site from now on, and the mail that the last process has left is handed on."""
    meeting = _meeting(config, cache)
    start_programs_by(
        lambda command, arguments, streams: meeting.tell(
            {"command": words_of(command), "arguments": list(arguments)}, streams
        )
    )
    grants = [route.grants for route in (*all_routes(config), config.handler)]
    for mail in {one.mail.spool: one.mail for one in grants if one.mail is not None}.values():
        courier_of(mail).wake()


class ModulesByOwner:
    """As `RouteModules`: the modules of each owner of files have a process of their own."""

    def __init__(self, of: Callable[[int], ModuleStore]) -> None:
        self._of = cache(of)

    def module(self, file: Path | HostFile) -> Module:
        """As `RouteModules.module`. A file that is not there has no owner, and is not run
        either."""
        try:
            owner = file.stat().st_uid
        except OSError:
            owner = os.geteuid()
        return self._of(owner).module(file)


def _isolated(config: Config) -> Iterable[Route]:
    return (route for route in (*all_routes(config), config.handler) if route.isolate)


def _shares(one: Route, other: Route) -> bool:
    return one is other or name_of(one) == name_of(other)


def group_of(name: str, routes: Sequence[Route], directory: Path, memory: int | None) -> Tenant:
    """The group of these routes, with all directories that their guests can be given."""
    directories: dict[str, bool] = {}
    for route in routes:
        for d in (*route.dirs, *(d for one in interpreters_of(route.target).values() for d in one.dirs)):
            host = str(d.folder.root)
            directories[host] = directories.get(host, False) or d.writable
        if isinstance(route.target, DirectoryTarget):
            directories.setdefault(str(route.target.folder.root), False)
    return Tenant(
        name=name,
        directories=looked_at(directories),
        cache=os.path.realpath(directory),
        user=routes[0].user,
        memory=memory,
        idle=IDLE,
        connects=any(route.grants.outbound.hosts or isinstance(route.target, SpinTarget) for route in routes),
    )


def _listen(listener: socket.socket) -> Callable[[], None]:
    return own_forwarder().listen(listener)
