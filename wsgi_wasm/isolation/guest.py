"""A guest in a child, as the gateway has it: the same promises as `engine.guest`, kept over a
connection.

The thread of the request stays here. It sends what the run is given, passes on what comes back, and
calls the functions of the host. The child keeps the limits; should it not, it is ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.binary.module_facts import Facts
from wsgi_wasm.engine.component.feeder import Feeder
from wsgi_wasm.engine.guest import Invocation, Preopen, RunLimits
from wsgi_wasm.engine.linking import Refused, calls_host
from wsgi_wasm.engine.outcome import End, Outcome
from wsgi_wasm.engine.run import Run
from wsgi_wasm.errors import BadGateway, ModuleError, RequestError, Unavailable
from wsgi_wasm.isolation import messages as m
from wsgi_wasm.isolation.calls import HostCalls, Numbered
from wsgi_wasm.isolation.connections import Connection, Connections
from wsgi_wasm.isolation.frames import Closed, Frame, FrameKind, Misbehaved
from wsgi_wasm.isolation.tenant import identity
from wsgi_wasm.messages import reason

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import Bindings

GRACE = 10.0  # seconds that a child may be late before it counts as hung
_TRIES = 3  # of a request that came to children that were about to end


class RemoteCode(NamedTuple):
    """A module's native code: a name that tells it from others, and what opens it."""

    name: str
    open: Callable[[], int]


class RemoteLinked:
    """As `engine.guest.Linked`: a module whose code a child loads."""

    def __init__(self, facts: Facts, code: RemoteCode, connections: Connections, settings: Settings) -> None:
        self.facts = facts
        self.code = code
        self.refused = False
        self.connections = connections
        self.settings = settings

    def guest(
        self,
        limits: RunLimits,
        preopens: Sequence[Preopen],
        bindings: Callable[[], Bindings],
        entry_point: str | None = None,
    ) -> RemoteGuest:
        """As `Linked.guest`. What the child finds wrong with it is found by the first run."""
        of = self.settings
        own = m.SentLimits.of(limits, of.route, getattr(limits, "concurrency", None))
        spec = m.GuestSpec(self.facts, of.features, of.instances, own, tuple(preopens), self.code.name, entry_point)
        return RemoteGuest(self, limits, spec, bindings)


class Settings:
    """What all guests of a route have in common: settings of the engine, and the host's functions.
    `functions` is called when the first component is linked."""

    def __init__(
        self, route: str, features: frozenset[str], instances: int, functions: Callable[[], Sequence[Numbered]]
    ) -> None:
        self.route = route
        self.features = features
        self.instances = instances
        self.functions = functions


class RemoteGuest:
    """As `engine.guest.Guest`."""

    def __init__(
        self, linked: RemoteLinked, limits: RunLimits, spec: m.GuestSpec, bindings: Callable[[], Bindings]
    ) -> None:
        self.linked, self.limits, self.interface = linked, limits, "cgi"
        self._functions: Sequence[Numbered] = ()
        self._bindings: Bindings | None = None
        self._outbound = False
        if isinstance(linked.facts, ComponentFacts):
            self.interface, self._outbound = linked.facts.interface, linked.facts.outbound
        if calls_host(linked.facts):
            self._functions, self._bindings = linked.settings.functions(), bindings()
        linked.connections.cover(spec.preopens)
        self._folders = [preopen.folder.path for preopen in spec.preopens]
        self._seen = [identity(folder) for folder in self._folders]
        self._spec = spec

    def run(self, invocation: Invocation) -> Outcome:
        """As `Guest.run`."""
        connections = self.linked.connections
        if self._folders:
            now = [identity(folder) for folder in self._folders]
            if now != self._seen:
                self._seen = now
                connections.cover(self._spec.preopens)
        for _ in range(_TRIES):
            connection = connections.take()
            run = _RemoteRun(self, connection, invocation)
            try:
                outcome = run.run()
            except _NotRun as said:  # the child's word, after which it waits for the next run
                connections.give(connection)
                raise self._reason(said.error) from None
            except Closed as closed:
                connection.close()
                how = (connections.kill if isinstance(closed, Misbehaved) else connections.ended)(connection.pid)
                if how == "idle" and not run.answered:
                    continue  # it had not begun
                return run.broken(f"the process of {connections.group.name!r} {how}", closed)
            except BaseException:
                connection.close()
                raise
            finally:
                run.close()
            connections.give(connection)
            return outcome
        raise Unavailable(f"the processes of {connections.group.name!r} end as fast as they begin")

    def _reason(self, error: RequestError | Refused) -> RequestError:
        if isinstance(error, RequestError):
            return error
        self.linked.refused = True
        return ModuleError(f"cannot be loaded: {error}", retry_after=1)


class _NotRun(Exception):
    """The child has not run the guest, and is ready for another run."""

    def __init__(self, error: RequestError | Refused) -> None:
        super().__init__(str(error))
        self.error = error


class _RemoteRun:
    """One run on one connection. The child is not believed: whatever it sends is within the limits
    of the run, or ends it."""

    def __init__(self, guest: RemoteGuest, connection: Connection, invocation: Invocation) -> None:
        self._guest = guest
        self._connection = connection
        self._invocation = invocation
        self._client = invocation.client
        self._calls: HostCalls | None = None
        self._feeder: Feeder | None = None
        self._failure: BaseException | None = None
        self._cancelled = self._described = False
        self.answered = False  # whether the guest may have begun
        self._output_left = guest.limits.max_output
        limits, spent = guest.limits, invocation.spent
        self._until = time.monotonic() + limits.timeout - spent[0] + 2 * limits.queue_timeout + GRACE

    def run(self) -> Outcome:
        """Raises Closed where the child is gone, Misbehaved, and _NotRun for what REFUSED says."""
        self._send()
        while True:
            frame = self._next()
            self.answered = frame.kind != FrameKind.UNKNOWN
            match frame.kind:
                case FrameKind.OUTPUT:
                    self._count(len(frame.payload))
                    self._pass_on(self._client.output, frame.payload)
                case FrameKind.ERRORS:
                    self._pass_on(self._client.error_output, frame.payload)
                case FrameKind.CALL:
                    self._call(frame.payload)
                case FrameKind.DROP:
                    self._host_calls().drop(frame.payload)
                case FrameKind.UNKNOWN if not self._described:
                    self._described = True
                    self._describe()
                case FrameKind.REFUSED:
                    raise _NotRun(m.unpack_refusal(frame.payload))
                case FrameKind.END:
                    outcome = m.unpack_end(frame.payload)
                    self._count(len(outcome.rest))
                    return self._outcome(outcome)
                case _:
                    raise Misbehaved(f"a frame of kind {frame.kind}")

    def _count(self, size: int) -> None:
        self._output_left -= size
        if self._output_left < 0:
            raise Misbehaved("it sends more than max_output")

    def broken(self, why: str, closed: Closed) -> Outcome:
        """The outcome of a run whose child is gone."""
        failure = self._failure or BadGateway(f"{why} ({closed})")
        return Outcome(End.STOPPED, detail=str(failure), failure=failure)

    def close(self) -> None:
        """After the run."""
        if self._calls is not None:
            self._calls.close()
        if self._feeder is not None:
            self._feeder.end()
        self._failure = self._feeder = None  # as in `Run.close`

    # --- what goes to the child ---

    def _send(self) -> None:
        stdin = self._invocation.stdin
        body, inline = m.body_of(stdin)
        head = m.pack_run(self._guest._spec.id, body, self._invocation)
        if body == m.PIPE:
            source: Any = stdin
            self._feeder = feeder = Feeder(source, self._cancel)
            self._connection.send(FrameKind.RUN, head, descriptors=[feeder.descriptor])
            feeder.begin()
        elif body == m.FILE:
            file: Any = stdin
            self._connection.send(FrameKind.RUN, head, descriptors=[file.fileno()])
        else:
            self._connection.send(FrameKind.RUN, head, inline)

    def _describe(self) -> None:
        try:
            descriptor = self._guest.linked.code.open()
        except OSError as error:
            raise Unavailable(f"the module's code cannot be handed over: {reason(error)}") from None
        try:
            self._connection.send(FrameKind.GUEST, self._guest._spec.text, descriptors=[descriptor])
        finally:
            os.close(descriptor)

    def _cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._connection.send(FrameKind.CANCEL)

    # --- what comes from it ---

    def _next(self) -> Frame:
        """The next frame. Between two of them the clock is looked at, and while none comes, the
        client."""
        while True:
            began = time.monotonic()
            if began > self._until:
                raise Misbehaved("it has not kept its limits")
            try:
                return self._connection.receive()
            except TimeoutError:
                pass
            if self._feeder is not None and self._feeder.guest_waits():
                self._later(time.monotonic() - began)
            if not self._cancelled and self._client.gone():
                self._cancel()

    def _later(self, seconds: float) -> None:
        self._until += seconds
        if self._calls is not None:
            self._calls.later(seconds)

    def _pass_on(self, take: Callable[[bytes], None], data: bytes) -> None:
        """What the client raises ends the run, and is raised again after it."""
        if self._failure is not None:
            return
        before = time.monotonic()
        try:
            take(data)
        except BaseException as failure:
            self._failure = failure
            self._cancel()
        self._later(time.monotonic() - before)

    def _host_calls(self) -> HostCalls:
        if self._calls is None:
            guest = self._guest
            if guest._bindings is None:
                raise Misbehaved("a program calls functions of the host")
            run = Run(guest.limits, self._invocation, None)
            run.deadline = self._until
            address = guest.linked.connections.address(self._connection.pid) if guest._outbound else ""
            self._calls = HostCalls(guest._functions, guest._bindings, run, address)
        return self._calls

    def _call(self, question: bytes) -> None:
        calls = self._host_calls()
        self._connection.send(FrameKind.REPLY, *calls.answer(question))
        if calls.failure is not None and self._failure is None:
            self._failure = calls.failure

    def _outcome(self, outcome: Outcome) -> Outcome:
        failure = self._failure
        if failure is None and self._feeder is not None:
            failure = self._feeder.failure
        if failure is not None:
            outcome.end, outcome.detail, outcome.failure = End.STOPPED, str(failure), failure
        return outcome
