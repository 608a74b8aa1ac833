"""Requests byte by byte, under every server: what a client may not decide, framing, and one slow guest among others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import yaml

from guests.build import guest
from guests.printed import variables

from .client import Answer, Connection, get, wait_compiled
from .fixtures import SERVERS, serve
from .server import Server

GUESTS = ("env", "echo", "hello", "sleep")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, open_tmp: Path) -> Iterator[Server]:
    routes = {}
    for name in GUESTS:
        module = open_tmp / guest(name).name
        module.write_bytes(guest(name).read_bytes())
        routes[f"/{name}"] = {"module": module.name, "timeout": "20s", "max_body": "1KiB"}
    site = open_tmp / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    with serve(str(request.param), site, open_tmp, ready="/hello") as running:
        wait_compiled(running.address, "/env", "/echo", "/sleep?seconds=0")
        yield running


def ask(server: Server, request: bytes) -> Answer:
    with Connection(server.address) as connection:
        connection.send(request)
        return connection.read_answer()


def test_requests(server: Server) -> None:
    names_that_only_look_alike(server)
    framing(server)
    if server.name != "werkzeug":  # the development server leaves what an application did not read on the connection
        after_a_refusal(server)
    one_slow_guest(server)


def names_that_only_look_alike(server: Server) -> None:
    """A field with underscores must not replace its dashed twin, nor a variable that the gateway goes by."""
    answer = ask(
        server,
        b"GET /env/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"X-Real: good\r\nX_Real: evil\r\nX_REAL: evil\r\nContent_Length: 5\r\n"
        b"SCRIPT_NAME: /evil\r\nPATH_INFO: /evil\r\nScript-Name: /evil\r\nProxy: http://evil\r\n\r\n",
    )
    found = variables(answer.text)
    assert answer.status == 200
    assert found["HTTP_X_REAL"] == "good"
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/env", "/info")
    assert "CONTENT_LENGTH" not in found
    assert "HTTP_PROXY" not in found
    assert "evil" not in (found["REQUEST_URI"], found["QUERY_STRING"])


def framing(server: Server) -> None:
    assert ask(server, b"GET /hello HTTP/1.0\r\n\r\n").status == 200
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;name=value\r\nde\r\n0\r\nX-Last: x\r\n\r\n"
    if server.name != "werkzeug":  # its own server leaves chunked bodies to others
        assert ask(server, head + chunked).body == b"POST 5\nabcde"
    for length in (b"+5", b"-1", b"5 5", b"0x5", b"1_0"):
        refused = ask(server, head + b"Content-Length: " + length + b"\r\n\r\n12345")
        assert refused.status in (400, 413, 501), length
    with Connection(server.address) as connection:
        connection.send(head + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        connection.send(b"12345")
        answer = connection.read_answer()
        assert answer.status in (100, 200)


def after_a_refusal(server: Server) -> None:
    """A body that is refused must not be taken for the next request."""
    with Connection(server.address) as connection:
        inner = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
        body = inner + b"x" * (2000 - len(inner))
        connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + body)
        assert connection.read_answer().status == 413
        connection.send(b"GET /env HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = b""
        with contextlib.suppress(ConnectionError):  # closed after the refusal, which is as good
            while data := connection.read_some():
                rest += data
        assert b"Hello" not in rest
        assert not rest or b"REQUEST_METHOD=GET" in rest


def one_slow_guest(server: Server) -> None:
    """While one guest sleeps, others are served; the sync worker has another process for them."""
    slow = Thread(target=get, args=(server.address, "/sleep?seconds=3&times=1"))
    slow.start()
    answers = [get(server.address, "/hello").status for _ in range(5)]
    still_asleep = slow.is_alive()
    slow.join(30)
    assert answers == [200] * 5
    assert still_asleep, "the others waited for the slow one"
