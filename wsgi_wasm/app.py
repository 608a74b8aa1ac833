"""Puts the parts together: the one place that knows them all.

A `Gateway` may be made before the server forks. What belongs to a process (engines, loaded modules)
is made when the first request comes, and forgotten in a child.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgi_wasm.config import Config, spin_targets
from wsgi_wasm.config.changes import changes
from wsgi_wasm.config.checks import check_cache, check_native
from wsgi_wasm.config.last_good import ALLOWED, load_and_keep, load_or_last_good
from wsgi_wasm.config.log import apply_log
from wsgi_wasm.config.moved import directories, with_moved
from wsgi_wasm.engine.guest import Client, Input
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.errors import ConfigError, EngineError, NotFound, Problem, RequestError
from wsgi_wasm.files.links import LinkedPaths
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.files.stamp import stamp
from wsgi_wasm.gateway.dispatcher import Handler, not_found
from wsgi_wasm.gateway.handler import FileHandler, GuestHandler, Refusing
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.gateway.shared import shared_by
from wsgi_wasm.gateway.spool import spool_problem
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse, WSGIApplication, refuse_gevent
from wsgi_wasm.hardening import (
    Site,
    check_confined,
    check_process,
    harden,
    is_confined,
    is_reachable,
    is_wanted,
    warn_of_outside,
)
from wsgi_wasm.logs import MOST_MISTAKES, log_error, package_log
from wsgi_wasm.messages import escaped
from wsgi_wasm.serving import Serving, start_spawner

if TYPE_CHECKING:
    from wsgi_wasm.spin import Application

log = package_log("gateway")

_RELOAD_EVERY = 1.0  # seconds between two looks at the configuration file and its links


class Gateway:
    """WSGI application and middleware: requests that match a route of `config` run a guest,
    others reach `app`.

    Raises EngineError where guests cannot run in this process at all.
    """

    def __init__(self, config: Config, app: WSGIApplication | None = None) -> None:
        refuse_gevent()
        check_cache(config, default_directory(config.cache_dir, os.environ))
        if app is None:
            check_native(config)
        apply_log(config.log)
        self.config, self._applications = with_applications(config, must_start=os.environ.get(ALLOWED) == "1")
        self._passes_on = app is not None
        self._fallback = app or not_found
        self._serving: Serving | None = None
        self._starting = threading.Lock()
        self._stamps = _stamps(config) if config.reload else None
        self._look_at = time.monotonic() + _RELOAD_EVERY
        self._links = LinkedPaths(directories(self.config))
        _forget_in_children(self)
        _gateways.add(self)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        return self._current().application(environ, start_response)

    def handle_script(
        self, environ: Environ, start_response: StartResponse, file: Path, route: str | None = None
    ) -> Iterable[bytes]:
        """Serve a module file that the front server has found, with the settings of `handler:`.

        `route` names a route that is marked `selectable`, whose settings are used in their place.
        """
        serving = self._current()
        selected = serving.dropped_in if route is None else serving.selectable.get(route)
        if selected is None:
            reason = f"wsgi_wasm.route is {route!r}, which is not a selectable route"
            handler: Handler = Refusing(serving.dropped_in.name, partial(RequestError, reason))
        else:
            handler = FileHandler(selected, file)
        return serving.dispatcher.answer(handler, _for_script(handler.name, environ, start_response))

    def execute(self, environ: Environ, arguments: Sequence[bytes], stdin: Input | None, client: Client) -> Outcome:
        """Run the program that a request would run outside HTTP, see `GuestHandler.execute`.

        Raises LookupError where no route matches; RequestError.
        """
        found = self._current().dispatcher.find(environ, _starts_nothing)
        if found is None:
            raise LookupError(environ["PATH_INFO"])
        handler, request = found
        if not isinstance(handler, GuestHandler):
            raise NotFound(f"{escaped(handler.name)} has no program")
        return handler.execute(request, arguments, stdin, client)

    def refuse_script(self, environ: Environ, start_response: StartResponse, error: RequestError) -> Iterable[bytes]:
        """The answer for a file that the front server chose but must not be run, or may not be
        read; the text of the error is logged."""
        serving = self._current()
        handler = Refusing(serving.dropped_in.name, lambda: error)
        return serving.dispatcher.answer(handler, _for_script(handler.name, environ, start_response))

    def warm(self) -> None:
        """Load the routes' modules, and begin to compile what is missing. Call after fork."""
        serving = self._serving or self._start()
        wrong = spool_problem()
        if wrong:
            log.warning("%s", wrong)
        for handler in serving.handlers():
            for module in handler.modules():
                try:
                    module.get(0, handler.name)
                except RequestError as error:
                    log.warning("%s: %s", handler.name, error)

    @property
    def site(self) -> Site:
        """What the gateway serves, for the walls around its process."""
        of_applications = (route for one in self._applications.values() for route in one.routes.values())
        return Site(self.config, tuple(of_applications))

    def harden(self, *, quiet: bool = False) -> None:
        """Confine this process to what its gateways need, if the configuration of one of them asks
        for it (`harden`). Call it after fork and before the process has threads.

        `quiet` leaves out of the log what another process has said. Raises WallError, and then the
        process should end; EngineError in a process of Apache's own.
        """
        sites = [self.site, *(one.site for one in list(_gateways) if one is not self)]
        if is_confined():
            for site in sites:
                warn_of_outside(site)
        elif is_wanted(sites):
            check_process()
            harden(sites, programs=not start_spawner([site.config for site in sites]), quiet=quiet)

    def _current(self) -> Serving:
        """What serves in this process, made or read anew where that is due."""
        serving = self._serving or self._start()
        if time.monotonic() > self._look_at:
            serving = self._look_again(serving)
        return serving

    def _start(self) -> Serving:
        with self._starting:
            if self._serving is None:
                check_confined(self.config)
                self._serving = Serving(self.config, self._applications, shared_by(self.config), self._fallback)
            return self._serving

    def _look_again(self, serving: Serving) -> Serving:
        """What serves from now on: something else where the file has changed, or a link to one of
        its directories. A bad file leaves the old one serving."""
        if not self._starting.acquire(blocking=False):
            return serving
        try:
            self._look_at = time.monotonic() + _RELOAD_EVERY
            stamps = self._stamps and _stamps(self.config)
            if stamps != self._stamps:
                self._stamps = stamps
                before = self.config
                serving = self._replaced(serving, _read_again(before))
                warn_of_outside(self.site)
                log.info("%s was reloaded: %s", self.config.source, changes(before, self.config))
            elif moved := self._links.moved():
                serving = self._moved(serving, moved)
        except Exception as error:
            log_error(log, error, before="the reload failed, and the current configuration stays in use: ")
        finally:
            self._starting.release()
        return serving

    def _moved(self, serving: Serving, moved: Mapping[Path, Path]) -> Serving:
        """All directories at once are those to which their paths lead by now."""
        outside = [path for path in moved.values() if not is_reachable(path)]
        if outside:
            reason = "is outside of what this process may still use (harden); restart the server"
            raise EngineError(f"{escaped(outside[0])} {reason}, or name a folder above it in `harden: read`")
        serving = self._replaced(serving, with_moved(self.config, moved))
        for path, real in moved.items():
            log.info("%s leads to %s from now on", escaped(path), escaped(real))
        return serving

    def _replaced(self, serving: Serving, config: Config) -> Serving:
        """A new table of routes, swapped in."""
        check_cache(config, default_directory(config.cache_dir, os.environ))
        if not self._passes_on:
            check_native(config)
        config, applications = with_applications(config)
        if config.engine != self.config.engine:
            log.warning("%s: changes of `engine` take effect only after a restart", config.source)
        serving.shared.modules.compose(config.compose)
        apply_log(config.log, self.config.log)
        self._serving = made = Serving(config, applications, serving.shared, self._fallback)
        self.config, self._applications = config, applications
        self._links = LinkedPaths(directories(config))
        return made

    def _forget(self) -> None:
        self._serving = None
        self._starting = threading.Lock()


_gateways: weakref.WeakSet[Gateway] = weakref.WeakSet()


def gateways() -> list[Gateway]:
    """Every gateway of this process, wrapped by others or not."""
    return list(_gateways)


def _starts_nothing(status: str, fields: list[tuple[str, str]], error: Any = None) -> Any:
    raise AssertionError("there is no answer to begin")


def _for_script(route: str, environ: Environ, start_response: StartResponse) -> Request:
    """A request that the front server has mapped to a file."""
    return Request.arrived(environ, start_response, route, environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""))


def _read_again(config: Config) -> Config:
    """The configuration, read again; for a single Spin application, from its manifest.

    Raises ConfigError.
    """
    if any(target.path.absolute() == config.source for target in spin_targets(config)):
        return replace(config, compose={})
    return load_and_keep(config.source, os.environ)


def with_applications(config: Config, must_start: bool = False) -> tuple[Config, Mapping[str, Application]]:
    """The configuration with what its Spin applications compose, and these applications by the
    name of their route. What they ask for and do not get is logged.

    Raises ConfigError; but where the site must start, as in a worker that replaces another (see
    `last_good`), mistakes are logged and disable only their own route.
    """
    if not any(spin_targets(config)):
        return config, {}
    from wsgi_wasm.spin import load_applications, with_compositions

    mistakes: list[Problem] | None = [] if must_start else None
    applications = load_applications(config, default_directory(config.cache_dir, os.environ), mistakes)
    if mistakes:
        log_error(log, ConfigError(mistakes))
    for name, application in applications.items():
        for remark in application.remarks[:MOST_MISTAKES]:
            log.warning("%s: %s: %s", name, application.manifest.path, remark)
    return with_compositions(config, applications), applications


def _stamps(config: Config) -> tuple[str, ...]:
    """Changes when the configuration file does, or a manifest that it names."""
    apps = list(spin_targets(config))
    files = [config.source, *(app.path for app in apps), *(app.runtime_config for app in apps)]
    return tuple(stamp(file) for file in files if file is not None)


def _forget_in_children(gateway: Gateway) -> None:
    """Engines must not be used after a fork: their threads do not exist in the child."""
    reference = weakref.ref(gateway)

    def forget() -> None:
        known = reference()
        if known is not None:
            known._forget()

    os.register_at_fork(after_in_child=forget)


def create_app(
    source: str | os.PathLike[str], app: WSGIApplication | None = None, environ: Mapping[str, str] = os.environ
) -> Gateway:
    """The gateway for a YAML file. Raises ConfigError with every mistake in the file."""
    return Gateway(load_or_last_good(source, environ), app)
