"""Spin applications: the manifest's triggers choose a component, and its own handler
serves the request."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from functools import partial
from socket import socket
from urllib.parse import unquote_to_bytes

from wsgi_wasm.cgi import names
from wsgi_wasm.cgi.message import BODYLESS, REASONS
from wsgi_wasm.config.granted import AllowedHost
from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.modules import RouteModules
from wsgi_wasm.errors import NotFound
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.gateway.dispatcher import Dispatcher, Handler, not_found
from wsgi_wasm.gateway.handler import GuestHandler, RouteHandler
from wsgi_wasm.gateway.program import ProtocolFactory
from wsgi_wasm.gateway.programs import Programs
from wsgi_wasm.gateway.request import REQUEST_ID_FIELD, LocalRedirect, Request
from wsgi_wasm.gateway.routing import Router, RouteTable
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse
from wsgi_wasm.hostapi.destinations import OWN, Destination, Destinations
from wsgi_wasm.hostapi.outbound import Within
from wsgi_wasm.messages import escaped
from wsgi_wasm.protocols import protocols_of, request_fields
from wsgi_wasm.protocols.cgi import Cgi, by_template, with_search_words
from wsgi_wasm.spin import Application
from wsgi_wasm.spin.chaining import serve
from wsgi_wasm.spin.model import StaticResponse, Trigger, Wagi
from wsgi_wasm.spin.patterns import WELL_KNOWN, PatternTable, RouteMatch
from wsgi_wasm.spin.request import Target, target_of, with_headers, with_variables

INTERNAL = ".spin.internal"  # the end of a component's name as a host


def wagi(route: Route, argv: str | None) -> ProtocolFactory:
    """For a component that is a CGI program, as Spin's Wagi executor runs them.

    Spin hands every query over as arguments, also one with `=`, which lets a client set options of
    programs such as PHP (CVE-2012-1823). Here that is done only where the manifest has an `argv` of
    its own; otherwise RFC 3875 4.4 decides.
    """
    arguments = with_search_words if argv is None else by_template(argv)
    return lambda env, wrap: {"cgi": Cgi(route, request_fields(route, env), arguments)}


class Neighbours:
    """The components of an application as servers for each other:
    `http://<component>.spin.internal`, which leads to private endpoints too, and relative URLs,
    which lead to the application's routes. It stays within this process.

    One is made where a component asks for it: what a component is given refers to no handler.
    """

    def __init__(self, handlers: Mapping[tuple[str, Wagi | None], GuestHandler], whole: Handler) -> None:
        self._whole = whole
        self._handlers = handlers
        self._dispatcher = Dispatcher(Router(RouteTable(()), {}), not_found)

    def server(self, trigger: Trigger | None) -> Callable[[socket], None]:
        """What serves connections to the component of a trigger; without one, to the whole."""
        answer = self._answer_own if trigger is None else partial(self._answer, trigger)
        return lambda connection: serve(connection, answer)

    def _answer_own(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333. As any request to the application, as if that were alone."""
        return self._dispatcher.answer(self._whole, self._arrived(environ, start_response))

    def _answer(self, trigger: Trigger, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333. The component sees a route of `/...`, whatever its own are."""
        request = self._arrived(environ, start_response)
        target = target_of(environ, "", request.path_info)
        found = PatternTable([("/...", trigger)]).match(target.path)
        assert found is not None
        assert trigger.component is not None
        handler = self._handlers[trigger.component, trigger.wagi]
        return self._dispatcher.answer(Neighbour(handler), for_trigger(request, target, found))

    def _arrived(self, environ: Environ, start_response: StartResponse) -> Request:
        path_info = unquote_to_bytes(environ["PATH_INFO"].encode("latin-1")).decode("latin-1")
        return Request.arrived(environ, start_response, self._whole.name, "", path_info)


def _within(
    application: Application, allowed: Iterable[AllowedHost], neighbours: Callable[[], Neighbours | None]
) -> Within:
    """What a component may reach whose manifest allows these hosts: those that it names, and no
    wider pattern. `neighbours` gives None once the application is no longer served."""
    destinations = Destinations(entry for entry in allowed if entry.host.endswith(INTERNAL))
    # The first trigger that names a component says which executor runs it.
    triggers = {one.component: one for one in reversed(application.manifest.triggers) if one.component}

    def within(wanted: Destination) -> Callable[[socket], None] | None:
        own = wanted.host == OWN
        if not own and not wanted.host.endswith(INTERNAL):
            return None
        found = neighbours()
        if found is None or not (own or destinations.admit(wanted)):
            raise LookupError(wanted.host)
        return found.server(None if own else triggers[wanted.host.removesuffix(INTERNAL)])

    return within


class Neighbour:
    """A component for another one. The site's `methods` are about requests from outside."""

    methods: frozenset[str] | None = None
    local_redirects: frozenset[str] = frozenset()

    def __init__(self, handler: GuestHandler) -> None:
        self.name = handler.name
        self.serve = handler.serve


class SpinHandler(RouteHandler):
    """Serves the route that an application answers. All of its components count towards
    the route's `concurrency`."""

    def __init__(
        self, route: Route, application: Application, modules: RouteModules, admission: Admission | None
    ) -> None:
        super().__init__(route)
        self._application = application
        self._response_fields = frozenset(route.response_fields)
        self._handlers: dict[tuple[str, Wagi | None], GuestHandler] = {}
        reference = weakref.ref(self)

        def neighbours() -> Neighbours | None:
            whole = reference()
            return None if whole is None else Neighbours(whole._handlers, whole)

        for (component, executor), made in application.routes.items():
            if executor is None:
                within = _within(application, made.grants.outbound.hosts, neighbours)
                programs = Programs(made, modules, protocols_of, within)
            else:
                programs = Programs(made, modules, partial(wagi, argv=executor.argv))
            self._handlers[component, executor] = GuestHandler(made, programs, admission)

    def modules(self) -> list[Module]:
        """The components' modules."""
        return [module for handler in self._handlers.values() for module in handler.modules()]

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """As `Handler.serve`. Raises NotFound where no trigger's route fits."""
        target = target_of(request.environ, request.script_name, request.path_info)
        if target.path.startswith(WELL_KNOWN):
            return self._about(request, target.path.removeprefix(WELL_KNOWN))
        found = self._application.patterns.match(target.path)
        if found is None:
            raise NotFound(f"no route of the application matches {escaped(target.path)}")
        trigger = found.target
        if trigger.response is not None:
            return answer(request, trigger.response, self._response_fields)
        assert trigger.component is not None
        handler = self._handlers[trigger.component, trigger.wagi]
        return handler.serve(for_trigger(request, target, found))

    def _about(self, request: Request, name: str) -> Iterable[bytes]:
        """What Spin itself answers for every application."""
        manifest = self._application.manifest
        if name == "health":
            response = StaticResponse(status=200, fields=(("Content-Type", "text/plain"),), body=b"OK")
        elif name == "info":
            body = json.dumps({"name": manifest.name, "version": manifest.version}).encode()
            response = StaticResponse(status=200, fields=(("Content-Type", "application/json"),), body=body)
        else:
            raise NotFound(f"nothing at {WELL_KNOWN}{escaped(name)}")
        return answer(request, response)


def for_trigger(request: Request, target: Target, found: RouteMatch[Trigger]) -> Request:
    """The request as the component of the trigger gets it that was found."""
    return (as_component if found.target.wagi is None else as_program)(request, target, found)


def as_component(request: Request, target: Target, found: RouteMatch[Trigger]) -> Request:
    """The request as a component gets it: at the path that it has within the application."""
    environ = with_headers(request.environ, target, found)
    return replace(request, environ=environ, script_name="", path_info=target.decoded_path)


def as_program(request: Request, target: Target, found: RouteMatch[Trigger]) -> Request:
    """The request as a CGI program gets it: what `/...` stands for is its path info
    (RFC 3875 4.1.5)."""
    environ = with_variables(request.environ, target, found)
    script_name, path_info = target.split(found.rest)
    return replace(request, environ=environ, script_name=script_name, path_info=path_info)


def answer(request: Request, response: StaticResponse, allowed: Container[str] = ()) -> Iterable[bytes]:
    """An answer that no component has to give. Of its fields those pass that would pass
    from a guest."""
    request.exchange.outcome = "static"
    status = (request.inherited_status if response.status == 200 else None) or response.status
    reason = REASONS.get(status, "Status")
    passed = (pair for pair in response.fields if names.passes(pair[0], allowed))
    fields = [*passed, (REQUEST_ID_FIELD, request.identity)]
    if status in BODYLESS:
        request.respond(status, reason, fields)
        return []
    return request.respond_whole(status, reason, [*fields, ("Content-Length", str(len(response.body)))], response.body)
