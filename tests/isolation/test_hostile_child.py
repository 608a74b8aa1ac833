"""A child that a guest has taken over: whatever it sends, the gateway loses that request alone."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.binary.module_facts import ModuleFacts
from wsgi_wasm.engine.guest import Invocation
from wsgi_wasm.engine.hostcalls.host_api import Bindings
from wsgi_wasm.engine.outcome import End, Outcome
from wsgi_wasm.errors import BadGateway
from wsgi_wasm.hostapi import APIS
from wsgi_wasm.isolation import guest as remote
from wsgi_wasm.isolation import messages as m
from wsgi_wasm.isolation.calls import numbered
from wsgi_wasm.isolation.connections import Connection, Connections
from wsgi_wasm.isolation.frames import MAX_FRAME, Channel, Closed, FrameKind, Misbehaved
from wsgi_wasm.isolation.rendezvous import Meeting
from wsgi_wasm.isolation.tenant import Tenant

WELL = m.pack_end(Outcome(End.RETURNED))
HEADER = struct.Struct("<BI")


CODE = remote.RemoteCode("x", lambda: os.open(os.devnull, os.O_RDONLY))


class Taker:
    """A client that takes everything."""

    label = "/x x.wasm"
    errors_left = 1000

    def output(self, data: bytes) -> None: ...

    def error_output(self, data: bytes) -> None: ...

    def gone(self) -> bool:
        return False


class Limits:
    timeout, cpu, memory, max_output, queue_timeout = 2.0, 2.0, 1 << 20, 10_000, 0.1
    concurrency = None


class Taken(Connections):
    """Connections to a child that has been taken over: `attack` sends what it likes."""

    def __init__(self, attack: Callable[[socket.socket], None]) -> None:
        self.group = Tenant(name="taken")
        self._attack = attack
        self.killed = self.given = 0

    def cover(self, preopens: Sequence[Any]) -> None: ...

    def take(self) -> Connection:
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._child, args=(theirs,), daemon=True).start()
        return Connection(ours, 1)

    def _child(self, theirs: socket.socket) -> None:
        with theirs, contextlib.suppress(Closed, OSError):
            channel = Channel(theirs, takes_descriptors=True)
            channel.receive()
            self._attack(theirs)
            while True:
                channel.receive()

    def give(self, connection: Connection) -> None:
        self.given += 1
        connection.close()

    def ended(self, pid: int) -> str:
        return "was ended by SIGKILL"

    def kill(self, pid: int) -> str:
        self.killed += 1
        return "was ended by SIGKILL"

    def address(self, pid: int) -> str:
        return ""


def frame(kind: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


def call(number: int, values: bytes = b"") -> bytes:
    return frame(FrameKind.CALL, struct.pack("<Hdd", number, 1e12, 1.0) + values)


def run(attack: Callable[[socket.socket], None], component: bool) -> tuple[Outcome, Taken]:
    facts = ComponentFacts("http", (), 1, 1, 1, 0, 0, 1, 0) if component else ModuleFacts()
    taken = Taken(attack)
    settings = remote.Settings("/x", frozenset(), 1, lambda: numbered(APIS))
    linked = remote.RemoteLinked(facts, CODE, taken, settings)
    guest = linked.guest(Limits(), (), lambda: Bindings({}))
    return guest.run(Invocation([b"x"], [b"A=b"], io.BytesIO(b"body"), Taker())), taken


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "GRACE", 1.0)


END = struct.Struct("<BBidddIII")
NAN, INFINITY = float("nan"), float("inf")
LARGE = m.pack_end(Outcome(End.RETURNED, rest=b"x" * 20_000)) + b"x" * 20_000

ATTACKS: dict[str, bytes] = {
    "an unknown kind": frame(0),
    "another unknown kind": frame(255, b"x" * 100),
    "a kind that goes to children": frame(FrameKind.RUN),
    "a frame that is too long": HEADER.pack(FrameKind.OUTPUT, MAX_FRAME + 1),
    "a frame of 4 GiB": HEADER.pack(FrameKind.OUTPUT, 0xFFFFFFFF),
    "more output than allowed": frame(FrameKind.OUTPUT, b"x" * 9000) * 2,
    "more output at the end": frame(FrameKind.END, LARGE),
    "an outcome without anything": frame(FrameKind.END),
    "an outcome that is cut": frame(FrameKind.END, WELL[:-1]),
    "an outcome that goes on": frame(FrameKind.END, WELL + b"x"),
    "an outcome of no kind": frame(FrameKind.END, END.pack(99, 0, 0, 0, 0, 0, 0, 0, 0)),
    "a failure of no kind": frame(FrameKind.END, END.pack(0, 99, 0, 0, 0, 0, 0, 0, 0)),
    "times that are no number": frame(FrameKind.END, END.pack(0, 0, 0, NAN, 0, 0, 0, 0, 0)),
    "times without end": frame(FrameKind.END, END.pack(0, 0, 0, INFINITY, 0, 0, 0, 0, 0)),
    "times before the beginning": frame(FrameKind.END, END.pack(0, 0, 0, 0, -1, 0, 0, 0, 0)),
    "lengths that are too large": frame(FrameKind.END, END.pack(0, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0, 0)),
    "a refusal without anything": frame(FrameKind.REFUSED),
    "a refusal of no kind": frame(FrameKind.REFUSED, struct.pack("<Bd", 77, 0.0)),
    "a guest that is asked for twice": frame(FrameKind.UNKNOWN) * 2,
    "a function that is not there": call(60_000),
    "a call without anything": frame(FrameKind.CALL),
    "a call without its values": call(0),
    "a call with too many": call(0, bytes(5000)),
    "a handle that is not there": frame(FrameKind.DROP, b"\1\0\0\0"),
    "a handle of many bytes": frame(FrameKind.DROP, b"\xff" * 1000),
    "a lease that nobody asked for": frame(FrameKind.LEASED),
    "nothing at all": b"",
    "a frame that never ends": HEADER.pack(FrameKind.OUTPUT, 1000) + b"x",
}


@pytest.mark.parametrize("component", [False, True], ids=["program", "component"])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_it_is_ended_and_the_request_is_502(attack: bytes, component: bool) -> None:
    outcome, taken = run(lambda theirs: theirs.sendall(attack), component)
    assert isinstance(outcome.failure, BadGateway)
    assert (taken.killed, taken.given) == (1, 0)


def test_frames_without_end() -> None:
    """The clock is looked at between frames that come without a pause."""

    def flood(theirs: socket.socket) -> None:
        while True:
            theirs.sendall(frame(FrameKind.ERRORS, b"x" * 100) * 100)

    outcome, taken = run(flood, component=False)
    assert isinstance(outcome.failure, BadGateway)
    assert taken.killed == 1


def test_what_is_said_of_a_failure_is_bounded() -> None:
    refusal = m.unpack_refusal(struct.pack("<Bd", 3, 1e300) + b"x" * 10_000_000)
    assert len(str(refusal)) < 100_000


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def unix() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")
    listener.listen()
    return listener


def everywhere() -> socket.socket:
    return socket.create_server(("0.0.0.0", 0))


def connected() -> socket.socket:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname())


@pytest.mark.parametrize("given", [udp, unix, everywhere, connected])
def test_sockets_that_are_not_what_was_asked_for(
    given: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    nobody = cast("Meeting", None)
    connections = Connections(Tenant(name="taken"), nobody, lambda listener: pytest.fail("it is listened on"))
    monkeypatch.setattr(connections, "_connected", lambda: (ours, 4711))
    with ours, theirs, given() as handed:
        socket.send_fds(theirs, [frame(FrameKind.LEASED)], [handed.fileno()])
        with pytest.raises(Misbehaved):
            connections.address(4711)
