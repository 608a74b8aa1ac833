"""The server's end of a connection between components: HTTP/1.1 as Wasmtime's client and the forwarder write it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from wsgi_wasm.errors import Cut
from wsgi_wasm.gateway.wsgi_server import Environ, WSGIApplication
from wsgi_wasm.spin.chaining import serve


def asked(data: bytes, application: WSGIApplication) -> bytes:
    """Everything that comes back for `data`, after which nothing more is sent."""
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=serve, args=(theirs, application))
    server.start()
    with ours:
        ours.settimeout(20)
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := ours.recv(65536):
            answer += piece
    server.join(20)
    assert not server.is_alive()
    return answer


def echo(environ: Environ, start_response: Any) -> Iterable[bytes]:
    body = b""
    while piece := environ["wsgi.input"].read(4):
        body += piece
        if len(body) == int(environ.get("CONTENT_LENGTH", -1)):
            break
    write = start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])
    write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ['QUERY_STRING']}|".encode())
    return [body, b"", b"!"]


HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: close\r\n"


def chunked(*parts: str) -> bytes:
    return (HEAD + "Transfer-Encoding: chunked\r\n\r\n" + "".join(f"{len(p):x}\r\n{p}\r\n" for p in parts)).encode()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"content-length: 5\r\n\r\nhello", "hello"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n", "hello"),
        (b"transfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    ],
)
def test_a_body_in_both_forms(body: bytes, text: str) -> None:
    answer = asked(b"POST /a%20b?c=d HTTP/1.1\r\nhost: x.spin.internal\r\n" + body, echo)
    assert answer == chunked("POST /a%20b c=d|", text, "!") + b"0\r\n\r\n"


def test_what_fields_become() -> None:
    seen: list[Environ] = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        seen.append(environ)
        start_response("204 No Content", [])
        return []

    fields = b"host: a\r\nX-A: 1\r\nx-a: 2\r\ncookie: a=b\r\ncookie: c=d\r\nx_a: spoofed\r\ncontent-type: t/x\r\n\r\n"
    assert asked(b"GET / HTTP/1.1\r\n" + fields, application) == b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    names = ("HTTP_HOST", "HTTP_X_A", "HTTP_COOKIE", "CONTENT_TYPE", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT")
    assert [seen[0][name] for name in names] == ["a", "1, 2", "a=b; c=d", "t/x", "0.0.0.0", "spin.internal", "80"]


def test_a_length_that_is_known_and_a_head_alone() -> None:
    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    assert asked(b"GET / HTTP/1.1\r\n\r\n", application) == head + b"ok"
    assert asked(b"HEAD / HTTP/1.1\r\n\r\n", application) == head


def test_an_answer_that_breaks_off_has_no_last_chunk() -> None:
    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"begun")
        raise Cut("trapped")

    assert asked(b"GET / HTTP/1.1\r\n\r\n", application).endswith(b"\r\n\r\n5\r\nbegun\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: 1\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"GET / HTTP/1.1\r\n" + b"a: 1\r\n" * 1001 + b"\r\n",
    ],
)
def test_a_request_that_is_none_ends_the_connection(data: bytes) -> None:
    assert asked(data, echo) == b""
