"""The child's end of a connection, on threads of this process and without walls: every kind of message."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import component
from hostapi import programs
from servers.process import wait_for
from wsgi_wasm.engine.runtime import guest_memory
from wsgi_wasm.gateway.answer import Answer
from wsgi_wasm.hostapi import APIS, keyvalue
from wsgi_wasm.isolation import connections as kept
from wsgi_wasm.isolation import messages as m
from wsgi_wasm.isolation.child import main
from wsgi_wasm.isolation.connections import Connections
from wsgi_wasm.isolation.frames import Channel, FrameKind
from wsgi_wasm.isolation.listeners import Listeners
from wsgi_wasm.isolation.tenant import Tenant

BODY = os.urandom(3_000_000)


def serving() -> int:
    """How many threads of the child have a connection."""
    return sum(thread.name == "wsgi_wasm-isolated" for thread in threading.enumerate())


class Child:
    """As the spawner has one: a control socket, over which connections are handed in."""

    def __init__(self, idle: float = 600.0) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tenant = Tenant(name="thread", idle=idle)
        self._theirs, self._listeners = theirs, Listeners(2)
        self.thread = threading.Thread(target=main, args=(theirs, APIS, tenant, self._listeners))
        self.thread.start()

    def connected(self) -> tuple[socket.socket, int]:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"connect"], [theirs.fileno()])
        return kept._OwnSocket(fileno=ours.detach()), os.getpid()

    def end(self) -> None:
        self.control.close()
        self.thread.join(60)
        wait_for("threads to give their listeners back", lambda: serving() == 0)
        for one in (self._theirs, *self._listeners.sockets):
            one.close()
        assert not self.thread.is_alive()


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.setattr(guest_memory, "bound", None)
    made = Child()
    monkeypatch.setattr(Connections, "_connected", lambda _connections: made.connected())
    monkeypatch.setattr(Connections, "ended", lambda _connections, _pid: "has closed the connection")
    yield made
    kept.end_leases()
    gc.collect()  # connections that are kept end with their site
    made.end()


@pytest.fixture
def site(make_client: SiteMaker, child: Child, tmp_path: Path) -> Callable[..., Client]:
    return lambda **route: make_client({"/x": {**route, "isolate": "thread"}}, state_dir=str(tmp_path / "state"))


def test_a_program(site: Callable[..., Client]) -> None:
    client = site(module="hello")
    assert [client.get("/x").text for _ in range(3)] == ["hello\n"] * 3


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_bodies(site: Callable[..., Client], size: int, streamed: bool) -> None:
    client = site(module="echo", stream_request=streamed)
    assert client.post("/x", data=BODY[:size]).data == b"POST %d\n" % size + BODY[:size]
    client = site(module=str(component("http")), stream_request=streamed)
    assert client.post("/x/echo", data=BODY[:size]).data == BODY[:size]


def test_connections_that_nobody_wants_are_closed(
    site: Callable[..., Client], child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a burst, when one is given back later; and with each goes the child's thread."""
    client = site(module="sleep", timeout="1s")
    with ThreadPoolExecutor(4) as threads:
        assert [answer.status_code for answer in threads.map(client.get, ["/x"] * 4)] == [504] * 4
    assert serving() > 1
    monkeypatch.setattr(kept, "IDLE", 0.0)
    assert client.get("/x").status_code == 504
    wait_for("threads to end", lambda: serving() == 1)


def test_errors_are_cut_here(site: Callable[..., Client], caplog: pytest.LogCaptureFixture) -> None:
    assert site(module="stderr", max_stderr="1KiB").get("/x?kind=lines&n=1000").status_code == 200
    assert "1024 bytes" in caplog.text or "max_stderr" in caplog.text


def test_what_cannot_be_run(site: Callable[..., Client]) -> None:
    assert site(module="hello", memory="64KiB").get("/x").status_code == 200
    assert site(module="big_memory", memory="64KiB").get("/x").status_code == 503


def test_concurrency(site: Callable[..., Client]) -> None:
    assert site(module="sleep", timeout="10ms").get("/x").status_code == 504  # it is compiled now
    client = site(module="sleep", concurrency=1, queue_timeout="10ms", timeout="5s")
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(client.get, ("/x", "/x")))
    assert {answer.status_code for answer in answers} == {503, 504}


def test_functions_of_the_host(site: Callable[..., Client], tmp_path: Path) -> None:
    path = tmp_path / "program.wat"
    path.write_text(programs.program(keyvalue.SPIN, {1024: "default", 1100: "hits"}, programs.KEY_VALUE))
    client = site(module=str(path), key_value={"default": "default"})
    assert client.get("/x").status_code == 200
    assert client.get("/x").text == "xx"


def test_requests_of_guests(site: Callable[..., Client], upstream: str) -> None:
    client = site(module=str(component("client")), allowed_outbound_hosts=["http://127.0.0.1:*"])
    assert client.get(f"/x/get?{upstream}").text == "up"


@pytest.fixture
def upstream() -> Iterator[str]:
    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nup")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(60)


def test_a_client_that_leaves(site: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest is stopped, and the connection serves the next request."""
    quick = site(module="loop", timeout="100ms")
    wait_for("the guest to be compiled", lambda: quick.get("/x").status_code == 504)
    client = site(module="loop", timeout="5m", cpu="5m")
    monkeypatch.setattr(Answer, "gone", lambda _answer: True)
    with pytest.raises(ConnectionResetError):
        client.get("/x")
    monkeypatch.undo()


def test_frames_that_make_no_sense_end_the_connection(child: Child) -> None:
    for kind, payload in ((FrameKind.END, b""), (FrameKind.GUEST, b"{}"), (FrameKind.REPLY, b"")):
        ours, _ = child.connected()
        ours.settimeout(60)
        Channel(ours).send(kind, payload)
        assert ours.recv(1) == b""


def test_a_body_without_its_descriptor_ends_the_connection(child: Child) -> None:
    ours, _ = child.connected()
    ours.settimeout(60)
    channel = Channel(ours)
    channel.send(FrameKind.CANCEL)
    channel.send(FrameKind.RUN, m._RUN.pack(b"x" * m.ID_SIZE, 0.0, 0.0, 0, m.FILE, 0, 0, 0, 0))
    assert channel.receive().kind == FrameKind.UNKNOWN


def test_sockets_are_leased_while_there_are_some(child: Child) -> None:
    """Two, and then none; what a connection has goes back with it."""
    asking = [child.connected()[0] for _ in range(3)]
    counts = []
    for ours in asking:
        Channel(ours).send(FrameKind.LISTEN)
        _, descriptors, _, _ = socket.recv_fds(ours, 64, 1)
        counts.append(len(descriptors))
        for descriptor in descriptors:
            os.close(descriptor)
    assert counts == [1, 1, 0]


def test_it_ends_when_it_is_told_to_leave_and_nothing_runs() -> None:
    child = Child()
    child.control.send(b"leave")
    child.end()


def test_it_ends_when_nothing_has_run_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgi_wasm.isolation.child._FIRST", 0.0)
    child = Child(idle=0.05)
    child.thread.join(60)
    child.end()
