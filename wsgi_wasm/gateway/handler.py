"""Serves the requests of one route: body in, a fresh instance, answer out, and a record of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.guest import Client, Guest, Input, Invocation
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.errors import MethodNotAllowed, ModuleError, NotFound, RequestError
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.gateway.answer import Answer
from wsgi_wasm.gateway.body import read_body
from wsgi_wasm.gateway.error_log import ErrorLog
from wsgi_wasm.gateway.exchange import Exchange
from wsgi_wasm.gateway.program import Program, ProgramFinder, ProgramMatch
from wsgi_wasm.gateway.request import LocalRedirect, Request
from wsgi_wasm.gateway.wsgi_server import ClientConnection
from wsgi_wasm.messages import escaped


class RouteHandler:
    """What the handlers of a route have in common for the dispatcher."""

    def __init__(self, route: Route) -> None:
        self.name = route.name
        self.methods = frozenset(route.methods) if route.methods is not None else None
        self.native = route.native
        self.local_redirects = frozenset(f"{route.host or ''}{path}" for path in route.local_redirects)

    def has_program(self, request: Request) -> bool:
        """As `RoutedHandler.has_program`."""
        return True


class GuestHandler(RouteHandler):
    """The one handler of a route, whatever its guests speak and however a request
    has reached it."""

    def __init__(self, route: Route, programs: ProgramFinder, admission: Admission | None) -> None:
        super().__init__(route)
        self._streams = route.stream_request
        self._apart = route.isolate is not False
        self._programs = programs
        self._admission = admission

    def modules(self) -> list[Module]:
        """The modules that are known before a request comes."""
        return self._programs.modules()

    def has_program(self, request: Request) -> bool:
        """As `RoutedHandler.has_program`."""
        try:
            self._programs.find(request)
        except NotFound:
            return False
        except RequestError:
            pass  # an answer, too
        return True

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """Run the request's program. Raises RequestError for what becomes a status, Cut where the
        answer broke off."""
        return self._run(request, self._programs.find(request))

    def serve_file(self, request: Request, file: Path) -> Iterable[bytes] | LocalRedirect:
        """The same for a module file that the front server has chosen (a dropped-in file)."""
        return self._run(request, self._programs.dropped_in(request, file))

    def execute(self, request: Request, arguments: Sequence[bytes], stdin: Input | None, client: Client) -> Outcome:
        """Run the program that the request names outside HTTP, with `arguments` after its own and
        without the request's variables. Raises RequestError."""
        found = self._programs.find(request)
        guest, protocol = found.program.guest(found.program.limits.queue_timeout)
        if guest.interface != "cgi":
            raise ModuleError(f"{escaped(found.program.module.path)}: answers requests, and is no program to be run")
        own, variables, _, _ = protocol.call(request, found, None)
        environment = [variable for variable in variables if not is_reserved(_name(variable))]
        return guest.run(Invocation([*own, *arguments], environment, stdin, client))

    def _run(self, request: Request, found: ProgramMatch) -> Iterable[bytes] | LocalRedirect:
        program, exchange = found.program, request.exchange
        limits = program.limits
        exchange.runs(self.name, program.name, program.label)
        if program.methods is not None and request.method not in program.methods:
            raise MethodNotAllowed(f"{escaped(request.method)} is not in methods", sorted(program.methods))
        guest, protocol = program.guest(limits.queue_timeout)
        streamed = self._streams and protocol.streams
        body = read_body(request.environ, limits.max_body, limits.body_timeout, streamed, self._apart)
        errors = ErrorLog(program, exchange.identity, limits.max_stderr)
        try:
            arguments, environment, stdin, head = protocol.call(request, found, body)
            answer = Answer(request, head, ClientConnection(request.environ), limits.send_timeout, errors)
            invocation = Invocation(arguments, environment, stdin, answer, (exchange.wall, exchange.cpu))
            outcome = self._admitted(program, guest, invocation, exchange)
        finally:
            errors.close()
            if body is not None:
                body.close()
        return _finished(request, outcome, answer)

    def _admitted(self, program: Program, guest: Guest, invocation: Invocation, exchange: Exchange) -> Outcome:
        """Admission comes before instantiation: a full pool is a 503, never an
        error of the engine."""
        admission, own = self._admission, program.admission
        queued = 0.0
        if own is not None:
            queued = own.enter(program.limits.queue_timeout)
        try:
            if admission is None:
                outcome = guest.run(invocation)
            else:
                queued += admission.enter(program.limits.queue_timeout - queued)
                try:
                    outcome = guest.run(invocation)
                finally:
                    admission.leave()
        finally:
            if own is not None:
                own.leave()
        exchange.ran(outcome, queued)
        return outcome


def _name(variable: bytes) -> str:
    return variable.partition(b"=")[0].decode("latin-1")


def _finished(request: Request, outcome: Outcome, answer: Answer) -> Iterable[bytes] | LocalRedirect:
    """The rest of the answer of a run that has ended."""
    result = answer.finish(outcome)
    exchange = request.exchange
    if outcome.code:
        exchange.remark(logging.WARNING, f"the guest {outcome}")
    if answer.mismatch is not None:
        exchange.remark(logging.WARNING, answer.mismatch)
    head = answer.head
    if head is not None and head.local_redirect is not None:
        return LocalRedirect(head.local_redirect)
    return result


class FileHandler:
    """The handler of a route, for one file that the front server has chosen."""

    def __init__(self, handler: GuestHandler, file: Path) -> None:
        self._handler = handler
        self._file = file
        self.name = handler.name
        self.methods = handler.methods
        self.local_redirects = handler.local_redirects

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """As `Handler.serve`."""
        return self._handler.serve_file(request, self._file)


class Refusing:
    """Stands in for a handler where there is none to be had: each request ends with the error
    that `error` makes."""

    methods: frozenset[str] | None = None
    native = False
    local_redirects: frozenset[str] = frozenset()

    def __init__(self, name: str, error: Callable[[], RequestError]) -> None:
        self.name = name
        self._error = error

    def has_program(self, request: Request) -> bool:
        """As `RoutedHandler.has_program`."""
        return True

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """Raises what `error` makes."""
        raise self._error()
