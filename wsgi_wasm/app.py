"""Puts the parts together: the one place that knows them all.

A `Gateway` may be made before the server forks. What belongs to a process (engines, loaded modules) is made when the
first request comes, and forgotten in a child.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsgi_wasm.config import Config, Route, all_routes, target_of
from wsgi_wasm.config.last_good import ALLOWED, load_and_keep, load_or_last_good
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.errors import ConfigError, NotFound, Problem, RequestError
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.files.stamp import stamp
from wsgi_wasm.gateway.dispatcher import Dispatcher, Handler, error_response, not_found
from wsgi_wasm.gateway.request import Environ, LocalRedirect, Request, StartResponse, WSGIApplication
from wsgi_wasm.gateway.routing import Entry, Router, RouteTable
from wsgi_wasm.gateway.wsgi_server import refuse_gevent
from wsgi_wasm.protocols import handler_class

if TYPE_CHECKING:
    from wsgi_wasm.gateway.handler import GuestHandler
    from wsgi_wasm.spin import Application
    from wsgi_wasm.spin.handler import SpinHandler

log = logging.getLogger("wsgi_wasm.gateway")

_RELOAD_EVERY = 1.0  # seconds between two looks at the configuration file


class Serving:
    """One configuration, ready to serve in this process. `applications` are Spin's, by the name of their route."""

    def __init__(
        self,
        config: Config,
        applications: Mapping[str, Application],
        modules: ModuleStore,
        fallback: WSGIApplication,
    ) -> None:
        self.config = config
        self.modules = modules
        self.handlers: list[GuestHandler | SpinHandler] = []
        self._applications = applications
        router = Router(
            self._table(config.routes), {host: self._table(routes) for host, routes in config.hosts.items()}
        )
        self.dispatcher = Dispatcher(router, fallback)
        self.selectable = {route.name: self._handler(route) for route in all_routes(config) if route.selectable}
        self.dropped_in = self._handler(config.handler)

    def _handler(self, route: Route) -> GuestHandler:
        handler = handler_class(route.interface)(route, self.modules)
        self.handlers.append(handler)
        return handler

    def _table(self, routes: Iterable[Route]) -> RouteTable[Handler]:
        return RouteTable(Entry(route.path, route.exact, self._serving(route)) for route in routes if target_of(route))

    def _serving(self, route: Route) -> Handler:
        if route.spin is None:
            return self._handler(route)
        # Most sites have none.
        from wsgi_wasm.spin.handler import BrokenApplication, SpinHandler

        application = self._applications.get(route.name)
        if application is None:
            return BrokenApplication(route)
        handler = SpinHandler(route, application, self.modules)
        self.handlers.append(handler)
        return handler


class _File:
    """A handler for one file that the front server has chosen."""

    def __init__(self, handler: GuestHandler, file: Path) -> None:
        self._handler = handler
        self._file = file
        self.name = handler.name
        self.methods = handler.methods
        self.local_redirects: frozenset[str] = handler.local_redirects

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """As `Handler.serve`."""
        return self._handler.serve_file(request, self._file)


class Gateway:
    """WSGI application and middleware: requests that match a route of `config` run a guest, others reach `app`.

    Raises EngineError where guests cannot run in this process at all.
    """

    def __init__(self, config: Config, app: WSGIApplication | None = None) -> None:
        refuse_gevent()
        check_cache(config)
        self._applications = applications_of(config, must_start=os.environ.get(ALLOWED) == "1")
        self.config = _composed(config, self._applications)
        self._fallback = app or not_found
        self._serving: Serving | None = None
        self._starting = threading.Lock()
        self._stamps = _stamps(config) if config.reload else None
        self._look_at = time.monotonic() + _RELOAD_EVERY
        _forget_in_children(self)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        return self._current().dispatcher(environ, start_response)

    def handle_script(
        self, environ: Environ, start_response: StartResponse, file: Path, route: str | None = None
    ) -> Iterable[bytes]:
        """Serve a module file that the front server has found, with the settings of `handler:`.

        `route` names a route that is marked `selectable`, whose settings are used in their place.
        """
        serving = self._current()
        request = Request.arrived(environ, start_response, environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""))
        handler = serving.dropped_in if route is None else serving.selectable.get(route)
        if handler is None:
            log.error("[%s] wsgi_wasm.route is %r, which is not a selectable route", request.identity, route)
            return error_response(RequestError("no such route"), request)
        return serving.dispatcher.answer(_File(handler, file), request)

    def refuse_script(self, environ: Environ, start_response: StartResponse, reason: str) -> Iterable[bytes]:
        """404 for a file that the front server chose and that must not be run; `reason` is for the log."""
        request = Request.arrived(environ, start_response, "", "")
        log.info("[%s] 404: %s", request.identity, reason)
        return error_response(NotFound(reason), request)

    def warm(self) -> None:
        """Load what the routes name, and begin to compile what is not compiled yet. Call after fork."""
        serving = self._serving or self._start()
        for handler in serving.handlers:
            for path in handler.modules():
                try:
                    serving.modules.module(path).get(0)
                except RequestError as error:
                    log.warning("%s: %s", handler.name, error)

    def _current(self) -> Serving:
        """What serves in this process, made or read anew where that is due."""
        serving = self._serving or self._start()
        if self._stamps is not None and time.monotonic() > self._look_at:
            serving = self._reload(serving)
        return serving

    def _start(self) -> Serving:
        with self._starting:
            if self._serving is None:
                engine = self.config.engine
                directory = default_directory(self.config.cache_dir, os.environ)
                modules = ModuleStore(directory, frozenset(engine.features), engine.instances, self.config.compose)
                self._serving = Serving(self.config, self._applications, modules, self._fallback)
            return self._serving

    def _reload(self, serving: Serving) -> Serving:
        """Build a new table of routes beside the old one and swap; a bad file leaves the old one serving."""
        if not self._starting.acquire(blocking=False):
            return serving
        try:
            self._look_at = time.monotonic() + _RELOAD_EVERY
            stamps = _stamps(self.config)
            if stamps != self._stamps:
                self._stamps = stamps
                config = _read_again(self.config)
                check_cache(config)
                applications = applications_of(config)
                config = _composed(config, applications)
                if config.engine != self.config.engine:
                    log.warning("%s: changes of `engine` need a restart", config.source)
                serving.modules.compose(config.compose)
                self._serving = serving = Serving(config, applications, serving.modules, self._fallback)
                self.config, self._applications = config, applications
                log.info("%s is loaded anew", config.source)
        except Exception as error:
            log.error("the configuration in use stays: %s", error)
        finally:
            self._starting.release()
        return serving

    def _forget(self) -> None:
        self._serving = None
        self._starting = threading.Lock()


def _read_again(config: Config) -> Config:
    """The configuration, read anew; a site that is one Spin application has no file but its manifest.

    Raises ConfigError.
    """
    if any(route.spin is not None and route.spin.manifest.absolute() == config.source for route in config.routes):
        return replace(config, compose={})
    return load_and_keep(config.source, os.environ)


def check_cache(config: Config) -> None:
    """Raises ConfigError where a guest could write to the cache: what lies there is run as native code.

    The configuration checks `cache_dir` itself; what the environment decides is known only here.
    """
    directory = Path(os.path.realpath(default_directory(config.cache_dir, os.environ)))
    problems = []
    for route in (*all_routes(config), config.handler):
        for d in route.dirs:
            host = Path(os.path.realpath(d.host))
            if d.writable and (host.is_relative_to(directory) or directory.is_relative_to(host)):
                text = f"{route.name}: dirs.{d.guest}: {d.host} is writable, and the cache is {directory}"
                problems.append(Problem(str(config.source), route.line, 1, text))
    if problems:
        raise ConfigError(problems)


def applications_of(config: Config, must_start: bool = False) -> dict[str, Application]:
    """The Spin applications of a site. What they ask for and do not get is logged.

    Raises ConfigError; but where the site must start, as in a worker that replaces another (see `last_good`), mistakes
    are logged and take down their own route.
    """
    if not any(route.spin for route in all_routes(config)):
        return {}
    from wsgi_wasm.spin import load_applications

    mistakes: list[Problem] | None = [] if must_start else None
    applications = load_applications(config, default_directory(config.cache_dir, os.environ), mistakes)
    if mistakes:
        log.error("%s", ConfigError(mistakes))
    for name, application in applications.items():
        for remark in application.remarks:
            log.warning("%s: %s: %s", name, application.manifest.path, remark)
    return applications


def _composed(config: Config, applications: Mapping[str, Application]) -> Config:
    if not applications:
        return config
    from wsgi_wasm.spin import with_compositions

    return with_compositions(config, applications)


def _stamps(config: Config) -> tuple[str, ...]:
    """Changes when the configuration file does, or a manifest that it names."""
    apps = [route.spin for route in all_routes(config) if route.spin is not None]
    files = [config.source, *(app.manifest for app in apps), *(app.runtime_config for app in apps)]
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
