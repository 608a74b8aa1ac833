"""The body that Apache delivers, which need not be the one that a client announced: input filters make it longer or
shorter, HTTP/2 announces none. The same program natively under mod_cgid reads the same bytes."""

from __future__ import annotations

import gzip
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from guests.printed import variables as told

from .apache import Apache
from .beside_cgid import PROGRAMS, WAYS, path_of, serve_beside
from .client import Answer, Connection, chunked, get
from .http2 import Refused, ask_http2

TEXT = "".join(f"line {number} of a text\n" for number in range(9000)).encode()
NOISE = random.Random(1).randbytes(200_000)
PACKED = ("Content-Encoding", "gzip")
CHUNKED = ("Transfer-Encoding", "chunked")

FILTERS = """
Protocols h2c http/1.1
LimitRequestBody 0
<LocationMatch "^/[^?]*/inflated$">
    SetInputFilter DEFLATE
</LocationMatch>
<LocationMatch "^/[^?]*/longer$">
    SetInputFilter Sed
    InputSed "s/a/aaaa/g"
</LocationMatch>
<LocationMatch "^/[^?]*/shorter$">
    SetInputFilter Sed
    InputSed "s/line [0-9]*//g"
</LocationMatch>
ErrorDocument 404 /app/tell
"""

STREAMS = {"/app/stream": "/app/tell", "/embedded/stream": "/embedded/tell"}


@pytest.fixture(scope="module")
def apache(open_module_tmp: Path) -> Iterator[Apache]:
    routes = {
        "/stream": {"module": "docroot/tell.wasm", "stream_request": True, "max_body": "2MiB"},
        "/small": {"module": "docroot/tell.wasm", "max_body": "100KiB"},
        "/small-stream": {"module": "docroot/tell.wasm", "max_body": "100KiB", "stream_request": True},
    }
    with serve_beside(
        open_module_tmp,
        ["tell"],
        lambda way: FILTERS if way == "native" else "",
        routes=routes,
        ready=list(routes),
        modules=("filter", "deflate", "sed", "http2"),
    ) as server:
        yield server


def checked(body: bytes) -> str:
    """What the program prints of a body."""
    total = 0
    for byte in body:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return f"{len(body)} {total}"


def ask(server: Apache, target: str, fields: tuple[tuple[str, str], ...], body: bytes, method: str = "POST") -> Answer:
    with Connection(server.address) as connection:
        connection.send_request(method, target, fields=(*fields, ("Connection", "close")), body=body)
        return connection.read_answer()


@dataclass(frozen=True, slots=True)
class Case:
    """A body for PROGRAM`path`, and what arrives of it."""

    path: str
    sent: bytes
    arrives: bytes
    fields: tuple[tuple[str, str], ...] = ()


SHORTER = b"".join(b" of a text\n" for _ in range(9000))

CASES = {
    "inflated": Case("/inflated", gzip.compress(TEXT), TEXT, (PACKED,)),
    "inflated to more than memory holds": Case("/inflated", gzip.compress(TEXT * 9), TEXT * 9, (PACKED,)),
    "inflated to less": Case("/inflated", gzip.compress(NOISE), NOISE, (PACKED,)),
    "inflated to nothing": Case("/inflated", gzip.compress(b""), b"", (PACKED,)),
    "inflated from chunks": Case(
        "/inflated", chunked([gzip.compress(TEXT)[:99], gzip.compress(TEXT)[99:]]), TEXT, (PACKED, CHUNKED)
    ),
    "nothing to inflate": Case("/inflated", NOISE, NOISE),
    "longer": Case("/longer", TEXT, TEXT.replace(b"a", b"aaaa")),
    "longer by chunks": Case("/longer", chunked([TEXT]), TEXT.replace(b"a", b"aaaa"), (CHUNKED,)),
    "shorter": Case("/shorter", TEXT, SHORTER),
    "as it is": Case("/x", NOISE, NOISE),
    "as large": Case("/x", TEXT * 9, TEXT * 9),
    "expected": Case("/x", b"abc", b"abc", (("Expect", "100-continue"),)),
    "with trailers": Case("/x", b"3\r\nabc\r\n0\r\nX-Last: 1\r\nContent-Length: 9\r\n\r\n", b"abc", (CHUNKED,)),
}


@pytest.mark.parametrize("name", CASES)
def test_bodies(apache: Apache, name: str) -> None:
    case = CASES[name]
    expected = checked(case.arrives)
    assert told(ask(apache, path_of("native", "tell") + case.path, case.fields, case.sent).text)["BODY"] == expected
    for way in WAYS:
        found = told(ask(apache, path_of(way, "tell") + case.path, case.fields, case.sent).text)
        assert (found["BODY"], found["CONTENT_LENGTH"]) == (expected, str(len(case.arrives))), way
    announced = None if CHUNKED in case.fields else str(len(case.sent))
    for path in STREAMS:
        found = told(ask(apache, path + case.path, case.fields, case.sent).text)
        assert (found["BODY"], found.get("CONTENT_LENGTH")) == (expected, announced), path


@pytest.mark.parametrize("path", ["/small", "/small-stream"])
@pytest.mark.parametrize("mount", ["/app", "/embedded"])
def test_what_becomes_too_long(apache: Apache, mount: str, path: str) -> None:
    packed = gzip.compress(TEXT)
    assert len(packed) < 100 * 1024 < len(TEXT)
    for body, fields in ((packed, (PACKED,)), (chunked([packed]), (PACKED, CHUNKED))):
        assert ask(apache, f"{mount}{path}/inflated", fields, body).status == 413
    assert ask(apache, f"{mount}{path}/longer", (), b"a" * 30_000).status == 413
    assert ask(apache, f"{mount}{path}/longer", (), b"a" * 25_599 + b"\n").status == 200


def test_what_cannot_be_inflated(apache: Apache) -> None:
    for path in (*(path_of(way, "tell") for way in PROGRAMS), *STREAMS):
        answer = ask(apache, f"{path}/inflated", (PACKED,), b"no gzip at all")
        assert answer.status in (400, 500), path
        assert "BODY" not in answer.text


def test_clients_that_stop(apache: Apache) -> None:
    """Less than announced, which no filter has done, is no body."""
    for path in (path_of(way, "tell") for way in WAYS):
        for head, sent in (("Content-Length: 10", b"abc"), ("Transfer-Encoding: chunked", b"3\r\nabc\r\n")):
            with Connection(apache.address) as connection:
                connection.send(
                    f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n\r\n".encode() + sent
                )
                connection.socket.shutdown(socket.SHUT_WR)
                assert b"REQUEST_METHOD" not in connection.read_until_end(), (path, head)


def test_no_body_is_none(apache: Apache) -> None:
    for way in PROGRAMS:
        for method in ("GET", "POST", "DELETE"):
            found = told(ask(apache, path_of(way, "tell"), (), b"", method).text)
            assert (found["BODY"], found.get("CONTENT_LENGTH")) == ("0 0", None)
        with Connection(apache.address) as connection:  # what follows is the next request
            connection.send_request("POST", path_of(way, "tell"), fields=(("Content-Length", "0"),), body=b"GET /none ")
            connection.send(b"HTTP/1.1\r\nHost: x\r\n\r\n")
            assert told(connection.read_answer().text)["BODY"] == "0 0"
            assert connection.read_answer().status == 404


# --- HTTP/2 ---

PIECES = {
    "one piece": [b"abc"],
    "pieces": [b"x" * 1000, b"y" * 16000, b"", b"z" * 3],
    "an empty piece first": [b"", b"abc"],
    "an empty piece last": [b"abc", b""],
}


@pytest.mark.parametrize("name", PIECES)
def test_http2(apache: Apache, name: str) -> None:
    pieces = PIECES[name]
    whole = b"".join(pieces)
    length = [("content-length", str(len(whole)))]
    for path in (*(path_of(way, "tell") for way in PROGRAMS), *STREAMS):
        assert told(ask_http2(apache.address, "POST", path, pieces, fields=length).body.decode())["BODY"] == checked(
            whole
        )
        answer = ask_http2(apache.address, "POST", path, pieces)
        if path.startswith(("/native", "/embedded")):
            assert told(answer.body.decode())["BODY"] == checked(whole), path
        else:  # mod_wsgi's daemons never see it
            assert (answer.status, b"BODY" in answer.body) == (411, False), path
    answer = ask_http2(apache.address, "POST", "/missing", pieces)
    assert (answer.status, told(answer.body.decode())["REDIRECT_STATUS"]) == (404, "404")


def test_http2_without_a_body(apache: Apache) -> None:
    for path in (*(path_of(way, "tell") for way in PROGRAMS), *STREAMS):
        for method in ("GET", "POST"):
            found = told(ask_http2(apache.address, method, path).body.decode())
            assert (found["BODY"], found.get("CONTENT_LENGTH"), found["SERVER_PROTOCOL"]) == ("0 0", None, "HTTP/2.0")
        found = told(ask_http2(apache.address, "POST", path, [b""], fields=[("content-length", "0")]).body.decode())
        assert (found["BODY"], found["CONTENT_LENGTH"]) == ("0 0", "0")


def test_http2_with_another_length(apache: Apache) -> None:
    for path in (*(path_of(way, "tell") for way in PROGRAMS), *STREAMS):
        with pytest.raises(Refused):
            ask_http2(apache.address, "POST", path, [b"abc"], fields=[("content-length", "5")])
    assert get(apache.address, path_of("daemon", "tell")).status == 200


def test_http2_with_trailers(apache: Apache) -> None:
    for path in ("/native/tell", "/embedded/tell", "/embedded/stream"):
        answer = ask_http2(apache.address, "POST", path, [b"abc"], trailers=[("x-last", "1")])
        assert told(answer.body.decode())["BODY"] == checked(b"abc")
