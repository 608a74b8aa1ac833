"""What handlers of every interface do alike: body in, a fresh instance, answer out, and a report of it.

An interface is a subclass that says what the guest's environment is (`_environment`) and how its output begins
(`_new_parser`); one whose guests read something else than the request's body writes a `run` of its own from the same
parts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.cgi.query import query_arguments
from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.engine.run import Input
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.gateway.answer import Answer, HeadReader
from wsgi_wasm.gateway.body import read_body
from wsgi_wasm.gateway.error_log import ErrorLog
from wsgi_wasm.gateway.programs import AnyGuest, Invocation, Programs
from wsgi_wasm.gateway.request import LocalRedirect, Request
from wsgi_wasm.gateway.wsgi_server import Connection

if TYPE_CHECKING:
    from wsgi_wasm.hostapi.outbound import Within

log = logging.getLogger("wsgi_wasm.gateway")


class GuestHandler:
    """Serves one route. Everything that does not depend on the request is worked out here, once."""

    _new_parser: Callable[[], HeadReader]
    """Makes the reader of one answer's head; set by the subclass."""

    def __init__(self, route: Route, modules: ModuleStore, within: Within | None = None) -> None:
        """`within` is as for `Programs`."""
        self.route = route
        self.name = route.name
        self.methods = frozenset(route.methods) if route.methods is not None else None
        self.local_redirects = frozenset(f"{route.host or ''}{path}" for path in route.local_redirects)
        self._limits = route.limits
        self._admission = (
            Admission(route.limits.concurrency, route.limits.queue_timeout) if route.limits.concurrency else None
        )
        self._programs = Programs(route, modules, self._environment, within)

    def _environment(self, env: Mapping[str, str]) -> Environment:
        """What builds the guest's environment; `env` are variables that it always has."""
        raise NotImplementedError

    def modules(self) -> list[Path]:
        """The module files that are known before a request comes."""
        return self._programs.files()

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """Run the request's program. Raises RequestError for what becomes a status, Cut where the answer broke off."""
        return self.run(request, self._programs.find(request))

    def serve_file(self, request: Request, file: Path) -> Iterable[bytes] | LocalRedirect:
        """The same for a module file that the front server has chosen (a dropped-in file)."""
        return self.run(request, self._programs.dropped_in(request, file))

    def run(self, request: Request, invocation: Invocation) -> Iterable[bytes] | LocalRedirect:
        """Body in, guest, answer out."""
        return self.run_guest(request, invocation, invocation.program.guest(self._limits.queue_timeout))

    def run_guest(self, request: Request, invocation: Invocation, guest: AnyGuest) -> Iterable[bytes] | LocalRedirect:
        """The same with the invocation's guest in hand."""
        limits = self._limits
        body = read_body(request.environ, limits.max_body, limits.body_timeout, self.route.stream_request)
        errors = ErrorLog(self.route.name, request.identity, limits.max_stderr)
        answer = Answer(request, self._new_parser(), Connection(request.environ), limits.send_timeout, errors)
        try:
            stdin, length = (None, None) if body is None else (body.stream, body.length)
            arguments, variables = self._told(request, invocation, length, body is not None)
            outcome = self._admitted(guest, arguments, variables, stdin, answer, request.spent)
        finally:
            errors.close()
            if body is not None:
                body.close()
        return self._finish(request, outcome, answer)

    def _told(
        self, request: Request, invocation: Invocation, length: int | None, streamed: bool
    ) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """What the guest is told of the request, as arguments and environment. `length` is the body's, where there is
        one and it is known; with `streamed` there is one in any case."""
        environment = invocation.program.variables.build(
            request.environ,
            script_name=invocation.script_name,
            path_info=invocation.path_info,
            request_id=request.identity,
            content_length=length,
            script_filename=invocation.script_filename,
            streamed_body=streamed,
        )
        return self._arguments(request, invocation), environment

    def _arguments(self, request: Request, invocation: Invocation) -> tuple[bytes, ...]:
        """The guest's `argv`, its name first."""
        arguments = invocation.program.arguments
        if self.route.query_args:
            arguments += query_arguments(request.environ.get("QUERY_STRING", ""))
        return arguments

    def _admitted(
        self,
        guest: AnyGuest,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        stdin: Input | None,
        answer: Answer,
        spent: tuple[float, float],
    ) -> Outcome:
        """Admission comes before instantiation: a full pool is a 503, never an error of the engine."""
        admission, engine = self._admission, guest.linked.engine
        if admission is not None:
            admission.enter()
        try:
            slot: Any = engine.take_slot(self._limits.queue_timeout)  # of the kind that this guest's engine has
            try:
                return guest.run(slot, arguments, environment, stdin, answer, spent)
            finally:
                engine.slots.give(slot)
        finally:
            if admission is not None:
                admission.leave()

    def _finish(self, request: Request, outcome: Outcome, answer: Answer) -> Iterable[bytes] | LocalRedirect:
        """The rest of the answer of a run that has ended, noted and reported."""
        # Fields for the server's access log, gunicorn's `%({wsgi_wasm.cpu_us}e)s` for one.
        environ = request.notes
        environ["wsgi_wasm.route"] = self.route.name
        environ["wsgi_wasm.outcome"] = outcome.end.name.lower()
        environ["wsgi_wasm.cpu_us"] = int(outcome.cpu * 1e6)
        environ["wsgi_wasm.guest_us"] = int(outcome.wall * 1e6)
        result = answer.finish(outcome)
        if outcome.code:
            log.warning("%s [%s] the guest %s", self.route.name, request.identity, outcome)
        if answer.mismatch is not None:
            log.warning("%s [%s] %s", self.route.name, request.identity, answer.mismatch)
        head = answer.head
        if head is not None and head.local_redirect is not None:
            spent = (request.spent[0] + outcome.wall, request.spent[1] + outcome.cpu)
            return LocalRedirect(head.local_redirect, spent)
        return result
