"""The process that guests of one name run in. It has the engine, and nothing else.

A thread serves each connection of the gateway, one request after the other; the main thread takes
connections from the spawner, and ends the process where nothing has run for a while. When the
spawner has gone, so has the server: the process ends at once.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Sequence

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.engine.guest import Invocation
from wsgi_wasm.engine.hostcalls.host_api import AnyApi
from wsgi_wasm.engine.linking import Refused
from wsgi_wasm.engine.runtime import guest_memory
from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.isolation import messages as m
from wsgi_wasm.isolation.child_guests import Guests, Ready
from wsgi_wasm.isolation.frames import Channel, Closed, Frame, FrameKind, closing
from wsgi_wasm.isolation.gateway_client import GatewayClient, PipeBody, body_of
from wsgi_wasm.isolation.listeners import Listeners
from wsgi_wasm.isolation.tenant import Tenant

_KEPT = 256  # guests that are kept; the least recently used goes first
_PIECE = 1 << 16


_FIRST = 10.0  # seconds that a process waits for its first run


class Activity:
    """How many guests run, and since when none does."""

    def __init__(self, idle: float) -> None:
        self._idle = idle  # seconds
        # Whoever had it started is on the way, on a busy machine for a while.
        self._first = max(idle, _FIRST)
        self._begun = False
        self._running = 0
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._over = False

    def begin(self) -> bool:
        """A run begins; False where the process is about to end."""
        with self._lock:
            self._running += not self._over
            self._begun = True
            return not self._over

    def end(self) -> None:
        """A run has ended."""
        with self._lock:
            self._running -= 1
            self._since = time.monotonic()

    def over(self, *, now: bool = False) -> bool:
        """Whether nothing runs, and has not for long enough, or is to end `now`; then nothing
        begins any more."""
        with self._lock:
            idle = time.monotonic() - self._since >= (self._idle if self._begun else self._first)
            self._over = self._over or (self._running == 0 and (now or idle))
            return self._over


class ServedConnection:
    """One connection of a gateway: a request at a time."""

    def __init__(self, channel: Channel, guests: Guests, activity: Activity, listeners: Listeners) -> None:
        self._channel = channel
        self._guests = guests
        self._activity = activity
        self._listeners = listeners
        self._waiting: Frame | None = None  # the RUN whose guest has been asked for

    def serve(self) -> None:
        """Until the gateway has gone."""
        try:
            while True:
                frame = self._channel.receive()
                try:
                    self._take(frame)
                finally:
                    closing(frame.descriptors if frame is not self._waiting else ())
        except Closed:
            pass
        finally:
            self._listeners.give_back(self)
            self._channel.close()

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case FrameKind.RUN:
                self._begin(frame)
            case FrameKind.GUEST:
                waiting, self._waiting = self._waiting, None
                if waiting is None:
                    raise Closed("nobody has asked for a guest")
                try:
                    if self._make(frame):
                        self._begin(waiting)
                finally:
                    closing(waiting.descriptors)
            case FrameKind.LISTEN:
                listener = self._listeners.lease(self)
                descriptors = [] if listener is None else [listener.fileno()]
                self._channel.send(FrameKind.LEASED, descriptors=descriptors)
            case FrameKind.CANCEL:
                pass  # it has crossed the outcome on its way
            case _:
                raise Closed(f"a frame of kind {frame.kind}")

    def _make(self, frame: Frame) -> bool:
        try:
            self._guests.make(m.GuestSpec.from_json(frame.payload), frame.descriptors[0])
        except (WsgiWasmError, Refused, OSError) as error:
            self._channel.send(FrameKind.REFUSED, m.pack_refusal(error))
            return False
        return True

    def _begin(self, frame: Frame) -> None:
        message = m.unpack_run(frame.payload)
        known = self._guests.known(message.guest)
        if known is None:
            self._waiting = frame
            self._channel.send(FrameKind.UNKNOWN)
            return
        if not self._activity.begin():
            raise Closed("the process is about to end")
        try:
            self._run(known, message, frame.descriptors)
        finally:
            self._activity.end()

    def _run(self, ready: Ready, message: m.RunMessage, descriptors: Sequence[int]) -> None:
        client = GatewayClient(self._channel, message)
        is_component = isinstance(ready.guest.linked.facts, ComponentFacts)
        stdin = body_of(message, descriptors, is_component)
        invocation = Invocation(message.arguments, message.environment, stdin, client, message.spent)
        try:
            outcome = ready.run(invocation)
        except (WsgiWasmError, OSError) as error:
            self._channel.send(FrameKind.REFUSED, m.pack_refusal(error))
            return
        finally:
            client.running = False
            if isinstance(stdin, PipeBody):
                stdin.close()
        self._channel.send(FrameKind.END, m.pack_end(outcome), outcome.rest)


def main(control: socket.socket, apis: Sequence[AnyApi], tenant: Tenant, listeners: Listeners) -> None:
    """Serve until the spawner has gone or nothing has run for a while."""
    guest_memory.bound = tenant.memory
    guests, activity = Guests(apis), Activity(tenant.idle)
    ready = select.poll()
    ready.register(control, select.POLLIN)
    while not activity.over():
        if not ready.poll(min(1.0, tenant.idle) * 1000):
            continue
        data, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if not data:
            return
        if data == b"leave" and activity.over(now=True):
            return
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            channel = Channel(connection, takes_descriptors=True)
            served = ServedConnection(channel, guests, activity, listeners)
            threading.Thread(target=served.serve, name="wsgi_wasm-isolated", daemon=True).start()
