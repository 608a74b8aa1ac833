"""Clients that stall: while they send a body, and while they should take an answer. gunicorn's own threads would wait
for ever; under Apache this is the business of mod_reqtimeout and Timeout."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from guests.build import guest

from .client import Connection, Truncated, get, wait_compiled
from .fixtures import serve
from .gunicorn import start_gunicorn
from .process import ServerError, wait_for
from .server import Server


@pytest.fixture(params=["gunicorn-sync", "gunicorn-gthread"])
def server(request: pytest.FixtureRequest, open_tmp: Path) -> Iterator[Server]:
    limits = {"body_timeout": "1s", "send_timeout": "1s"}
    routes = {f"/{name}": {"module": str(guest(name)), **limits} for name in ("echo", "flood", "hello")}
    site = open_tmp / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    with serve(str(request.param), site, open_tmp, workers=1, threads=2, ready="/hello") as running:
        wait_compiled(running.address, "/echo", "/flood?bytes=1")
        yield running


def test_a_body_that_stalls_is_408(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it")
        assert connection.read_head().status == 408
    assert get(server.address, "/hello").status == 200


def test_a_body_that_trickles_is_408(server: Server) -> None:
    """A byte now and then is not progress enough: the time is for the whole body."""
    with Connection(server.address) as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(1000):
            connection.send(b"x")
            if connection.readable(0.1):
                break
        else:
            pytest.fail("a client that goes on sending keeps its thread")
        assert connection.read_head().status == 408


def test_a_client_that_never_reads_is_dropped(server: Server) -> None:
    with Connection(server.address, receive_buffer=2048) as connection:
        connection.send_request("GET", "/flood?bytes=90000000")
        wait_for("the answer to be given up", lambda: "the client has disconnected" in server.log())
    assert get(server.address, "/hello").status == 200


SLOW = 6  # clients that send half a head, three times the threads


def test_c1_heads_that_never_end_hold_no_thread_for_good(open_tmp: Path) -> None:
    """gunicorn itself would wait for them for ever. What is being served goes on meanwhile."""
    site = open_tmp / "site.yaml"
    routes = {f"/{name}": {"module": str(guest(name))} for name in ("echo", "hello")}
    site.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    with serve("gunicorn-gthread", site, open_tmp, workers=1, threads=2, ready="/hello") as server:
        wait_compiled(server.address, *routes)
        with contextlib.ExitStack() as stack:
            busy = stack.enter_context(Connection(server.address))
            busy.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            kept = stack.enter_context(Connection(server.address))
            kept.send_request("GET", "/hello")
            assert kept.read_answer().status == 200
            slow = [stack.enter_context(Connection(server.address)) for _ in range(SLOW)]
            for connection in slow:
                connection.send(b"GET /hello HTTP/1.1\r\nHo")
            assert get(server.address, "/hello").status == 200
            for connection in slow:
                assert connection.ended()
            busy.send(b"cd")
            answer = busy.read_answer()
            assert (answer.status, answer.body) == (200, b"POST 4\nabcd")
        server.wait_for_log("ended connections on which no head of a request arrived in time")


def test_gevent_is_refused_with_the_way_out(open_tmp: Path) -> None:
    """A greenlet switch inside a guest's call would corrupt the engine's stack: said at start, by name."""
    site = open_tmp / "site.yaml"
    site.write_text(f"routes: {{/hello: {{module: {guest('hello')}}}}}\n", encoding="utf-8")
    with pytest.raises(ServerError) as caught:
        start_gunicorn(
            "wsgi_wasm.wsgi:application",
            open_tmp,
            name="gevent",
            worker_class="gevent",
            workers=1,
            env={"WSGI_WASM_CONFIG": str(site), "WSGI_WASM_CACHE": str(open_tmp / "cache")},
            ready="/hello",
        )
    assert "use the gthread worker" in str(caught.value)


def test_a_worker_that_stops_looks_after_its_clients_although_answers_were_cut_off(open_tmp: Path) -> None:
    """gunicorn counts a connection twice that was closed in the middle of an answer. It would then leave its loop with
    clients still there, and hang until its master kills it."""
    site = open_tmp / "site.yaml"
    routes = {"/hello": {"module": str(guest("hello"))}, "/loop": {"module": str(guest("loop")), "timeout": "100ms"}}
    site.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    options = ("--timeout", "10", "--graceful-timeout", "60")
    with serve("gunicorn-gthread", site, open_tmp, workers=1, threads=1, options=options, ready="/hello") as server:
        wait_compiled(server.address, "/loop")
        for _ in range(3):
            with pytest.raises(Truncated):
                get_whole(server)
        with Connection(server.address) as slow:
            slow.send(b"GET /hello HTTP/1.1\r\nHo")
            server.reload()
            assert slow.ended()
        assert "WORKER TIMEOUT" not in server.log()


def get_whole(server: Server) -> None:
    """Raises Truncated."""
    with Connection(server.address) as connection:
        connection.send_request("GET", "/loop?when=after")
        connection.read_answer()
