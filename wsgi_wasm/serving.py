"""One configuration at work in a process: a table of routes, a handler for each, and where their
guests run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from wsgi_wasm.config import Config, Route, SpinTarget, all_routes, load_config
from wsgi_wasm.config.log import apply_log
from wsgi_wasm.engine.modules import RouteModules
from wsgi_wasm.errors import ConfigError, ModuleError, Unavailable
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.gateway.dispatcher import Dispatcher, RoutedHandler
from wsgi_wasm.gateway.handler import GuestHandler, Refusing
from wsgi_wasm.gateway.proxies import BehindProxies
from wsgi_wasm.gateway.routing import Entry, Router, RouteTable
from wsgi_wasm.gateway.shared import Shared
from wsgi_wasm.gateway.wsgi_server import WSGIApplication
from wsgi_wasm.logs import log_error, package_log
from wsgi_wasm.protocols import program_finder

if TYPE_CHECKING:
    from wsgi_wasm.isolation.site import Isolation
    from wsgi_wasm.spin import Application
    from wsgi_wasm.spin.handler import SpinHandler


log = package_log("gateway")


class Serving:
    """One configuration, ready to serve in this process. `applications` are Spin's, by the name
    of their route."""

    def __init__(
        self,
        config: Config,
        applications: Mapping[str, Application],
        shared: Shared,
        fallback: WSGIApplication,
    ) -> None:
        self._applications = applications
        self.shared = shared
        self._config = config
        self._isolation: Isolation | None = None
        self._by_name: dict[str, GuestHandler] = {}
        self._spin: list[SpinHandler] = []
        router = Router(
            self._table(config.routes), {host: self._table(routes) for host, routes in config.hosts.items()}
        )
        self.dispatcher = Dispatcher(router, fallback)
        self.application: WSGIApplication = self.dispatcher
        if config.trusted_proxies is not None:
            self.application = BehindProxies(config.trusted_proxies, self.dispatcher)
        self.selectable = {route.name: self._guest_handler(route) for route in all_routes(config) if route.selectable}
        self.dropped_in = self._guest_handler(config.handler)
        grants = [route.grants for route in (*all_routes(config), config.handler)]
        if any(one.commands or one.mail for one in grants):
            _isolation().start_services(config, shared.cache)

    def handlers(self) -> list[GuestHandler | SpinHandler]:
        """Every handler that runs guests."""
        return [*self._by_name.values(), *self._spin]

    def _guest_handler(self, route: Route) -> GuestHandler:
        """The route's one handler, whichever way a request reaches it."""
        handler = self._by_name.get(route.name)
        if handler is None:
            handler = GuestHandler(route, program_finder(route, self._modules(route)), self._admission(route))
            self._by_name[route.name] = handler
        return handler

    def _modules(self, route: Route) -> RouteModules:
        if not route.isolate:
            return self.shared.modules
        if self._isolation is None:
            self._isolation = _isolation().Isolation(self._config, self.shared)
        return self._isolation.modules(route)

    def _admission(self, route: Route) -> Admission | None:
        """None also where the route's process counts, for the whole server."""
        return self.shared.admissions.of(route.name, None if route.isolate else route.limits.concurrency)

    def _table(self, routes: Iterable[Route]) -> RouteTable[RoutedHandler]:
        serving = (route for route in routes if route.target is not None)
        return RouteTable(Entry(route.path, route.exact, self._handler(route)) for route in serving)

    def _handler(self, route: Route) -> RoutedHandler:
        if not isinstance(route.target, SpinTarget):
            return self._guest_handler(route)
        # Most sites have none.
        from wsgi_wasm.spin.handler import SpinHandler

        application = self._applications.get(route.name)
        if application is None:
            reason = "the manifest has mistakes, which were logged when the site was loaded"
            return Refusing(route.name, partial(ModuleError, reason))
        handler = SpinHandler(route, application, self._modules(route), self._admission(route))
        self._spin.append(handler)
        return handler


def _isolation() -> ModuleType:
    """Most sites need none of it."""
    from wsgi_wasm.isolation import site

    return site


def start_spawner_of_root(config: Config | None, uid: int) -> None:
    """As `isolation.site.start_spawner_of_root`; why there is none is logged. Without a `config`,
    that of the file which WSGI_WASM_CONFIG names; workers say what is wrong with it."""
    try:
        if config is None:
            config = load_config(os.environ.get("WSGI_WASM_CONFIG") or "/etc/wsgi-wasm/site.yaml")
        apply_log(config.log)
        _isolation().start_spawner_of_root(config, os.environ, uid)
    except ConfigError:
        pass
    except Unavailable as error:
        log_error(log, error)


def start_spawner(configs: Sequence[Config]) -> bool:
    """Have another process start all those that these sites need from now on, for guests and for
    compiling; whether there is one. Why there is none is logged."""
    try:
        _isolation().start_spawner(configs)
    except Unavailable as error:
        log_error(log, error)
        return False
    return True
