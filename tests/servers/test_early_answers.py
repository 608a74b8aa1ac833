"""Clients and answers that miss each other: answers that are out before the body has come, clients that leave before
the answer; and how long a request line may be."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component, guest

from .apache import put
from .client import Connection, Truncated, get, request, wait_compiled
from .command import serving
from .process import wait_for
from .server import Server

SERVERS = ("gunicorn-gthread", "gunicorn-sync", "serve")
HUGE = 30_000_000  # bytes; the kernel's own buffers hold much less

# what sleeps for an hour under these; the client leaves before the head, and after it
SLEEPERS = {
    "/sleep": "/sleep",
    "/late": "/late?when=after",
    "/raw": "/raw",
    "/worker": "/worker",
    "/component": "/component/stream?lines=1",
    "/isolated": "/isolated?when=after",
}
WITH_HEAD = ("/late", "/component", "/isolated")


def site(tmp: Path) -> Path:
    sleeper, http = {"module": "sleep.wasm"}, {"module": "http.wasm"}
    routes: dict[str, Any] = {
        "/hello": {"module": "hello.wat"},
        "/env": {"module": "env.wasm", "max_body": "1KiB"},
        "/few": {"module": "env.wasm", "methods": ["GET"]},
        "/slow": {"module": "env.wasm", "body_timeout": "100ms"},
        "/unread": {"module": "env.wasm", "stream_request": True, "max_body": "1GiB"},
        "/unread-component": http | {"stream_request": True, "max_body": "1GiB"},
        "/unread-isolated": {"module": "env.wasm", "stream_request": True, "max_body": "1GiB", "isolate": True},
        "/cut": sleeper | {"timeout": "100ms"},
        "/sleep": sleeper,
        "/late": sleeper,
        "/raw": sleeper | {"interface": "raw"},
        "/worker": sleeper | {"interface": "wws"},
        "/component": http,
        "/isolated": sleeper | {"isolate": True},
    }
    for path in SLEEPERS:
        routes[path] = routes[path] | {"timeout": "1h", "concurrency": 1, "queue_timeout": "1h"}
    put(tmp / "hello.wat", guest("hello").read_bytes())
    for name in ("env", "sleep"):
        put(tmp / f"{name}.wasm", guest(name).read_bytes())
    put(tmp / "http.wasm", component("http").read_bytes())
    file = tmp / "site.yaml"
    file.write_text(yaml.safe_dump({"defaults": {"queue_timeout": "60s"}, "routes": routes}), encoding="utf-8")
    return file


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    with serving(str(request.param), site(open_module_tmp), open_module_tmp, ready="/hello", threads=4) as running:
        wait_compiled(running.address, "/hello", "/env", "/sleep?seconds=0", "/component/request")
        yield running


REFUSALS = {
    "/env": 413,
    "/few": 405,
    "/none": 404,
    "/unread": 200,
    "/unread-isolated": 200,
    "/unread-component/status?202": 202,
}


@pytest.mark.parametrize("path", REFUSALS)
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_an_early_answer_reaches_a_client_that_still_sends(server: Server, path: str, coding: str) -> None:
    """Most clients and proxies send all of the body before they look at the answer."""
    if coding == "length":
        assert request(server.address, "POST", path, body=b"x" * HUGE).status == REFUSALS[path]
        return
    with Connection(server.address) as connection:
        connection.send_request("POST", path, fields={"Transfer-Encoding": "chunked"})
        chunk = b"%x\r\n%s\r\n" % (1 << 16, b"x" * (1 << 16))
        for _ in range(HUGE >> 16):
            connection.send(chunk)
        connection.send(b"0\r\n\r\n")
        assert connection.read_head().status == REFUSALS[path]


def test_what_follows_an_early_answer_is_no_request(server: Server) -> None:
    """A body that is late is never taken for requests, on a connection that a proxy may share among its clients."""
    inner = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
    with Connection(server.address) as connection:
        connection.send(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert connection.read_head().status == 408
        connection.send(inner)
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := connection.read_some():
                rest += data
        assert b"HTTP/1.1" not in rest


def test_small_bodies_that_nobody_reads_keep_the_connection(server: Server) -> None:
    with Connection(server.address) as connection:
        for _ in range(2):
            connection.send_request("POST", "/none", body=b"x" * 1000)
            assert connection.read_answer().status == 404
            if server.name == "gunicorn-sync":
                return  # it closes after each answer


def said_of(server: Server, path: str) -> list[str]:
    """The lines of the log about requests of one route, the server's own access log left out."""
    return [line for line in server.log().splitlines() if re.search(rf"{path} (sleep|http)\.wasm \[", line)]


@pytest.mark.parametrize("path", SLEEPERS)
def test_a_client_that_leaves_is_one_line_and_frees_its_slot(server: Server, path: str) -> None:
    """`concurrency` is 1, so that the second client waits for the first one's guest to end."""
    for count in (1, 2):
        with Connection(server.address) as connection:
            connection.send_request("GET", SLEEPERS[path])
            if path in WITH_HEAD:
                assert connection.read_head().status == 200
        wait_for("a line in the log", lambda: len(said_of(server, path)) == count)  # noqa: B023
    said = said_of(server, path)
    if path in WITH_HEAD:
        server.wait_for_log(f'"GET {SLEEPERS[path]} HTTP/1.1" 200 ', 2)
    assert all("the client has disconnected" in line for line in said), said
    assert "Traceback" not in server.log()


def test_an_answer_that_is_cut_off_is_one_line(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send_request("GET", "/cut?when=after")
        with pytest.raises(Truncated):
            connection.read_answer()
    server.wait_for_log("/cut sleep.wasm [")
    said = said_of(server, "/cut")
    server.wait_for_log('"GET /cut?when=after HTTP/1.1" 200 ')
    assert ["the answer is cut off: exceeded its timeout: 0.1 s" in line for line in said] == [True]
    assert "Traceback" not in server.log()


def test_clients_that_do_not_close_keep_nobody_waiting(server: Server) -> None:
    """gunicorn would wait for each of them for 2 s, one after the other, before it takes another connection. They are
    more than are waited for."""
    if server.name == "gunicorn-sync":
        return  # has but one connection at a time
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(Connection(server.address))
            connection.send_request("GET", "/hello", fields={"Connection": "close"})
            assert connection.read_answer().status == 200
            assert connection.ended()


LINE = len("GET /hello? HTTP/1.1")


def test_request_lines_are_as_long_as_apaches(server: Server) -> None:
    assert get(server.address, "/hello?" + "x" * (8190 - LINE)).status == 200
    assert get(server.address, "/hello?" + "x" * (8191 - LINE)).status == 414
    assert get(server.address, "/hello", fields={"X-Long": "x" * (8190 - len("X-Long: \r\n"))}).status == 200
    assert get(server.address, "/hello", fields={"X-Long": "x" * 8190}).status == 431


def test_cookie_fields_are_joined_as_cookies_are(server: Server) -> None:
    fields = [("Cookie", "a=1; b=x,y"), ("X-Twice", "1"), ("COOKIE", "c=2"), ("Cookie", ""), ("X-Twice", "2")]
    answer = get(server.address, "/env", fields=fields)
    assert "HTTP_COOKIE=a=1; b=x,y; c=2\n" in answer.text
    assert "HTTP_X_TWICE=1,2\n" in answer.text
