"""Which body a request has, by what its server says of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from wsgi_wasm.errors import BadRequest, BodyTooLarge, LengthRequired, RequestError
from wsgi_wasm.gateway.body import read_body

BARE: Mapping[str, object] = {"REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.1"}
TERMINATED: Mapping[str, object] = {**BARE, "wsgi.input_terminated": True}
DAEMON: Mapping[str, object] = {**TERMINATED, "mod_wsgi.version": (4, 9, 4), "mod_wsgi.process_group": "wsgi-wasm"}
EMBEDDED: Mapping[str, object] = {**DAEMON, "mod_wsgi.process_group": ""}
HTTP2 = {"SERVER_PROTOCOL": "HTTP/2.0"}
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}
ERROR = {"REDIRECT_STATUS": "404"}


@dataclass(frozen=True, slots=True)
class Case:
    """What the server hands over as input, and what a guest reads: None without a body, or the error."""

    about: str
    environ: Mapping[str, object]
    announced: str | None
    comes: bytes
    read: bytes | type[RequestError] | None
    streamed: bytes | type[RequestError] | None


CASES = (
    Case("no more than announced", BARE, "3", b"abcde", b"abc", b"abc"),
    Case("less than announced", BARE, "5", b"abc", BadRequest, b"abc"),
    Case("whatever was announced, to the end", TERMINATED, "3", b"abcde", b"abcde", b"abcde"),
    Case("less, on a server that cannot tell", TERMINATED, "5", b"abc", BadRequest, b"abc"),
    Case("less, by a filter", DAEMON, "5", b"abc", b"abc", b"abc"),
    Case("nothing, by a filter", EMBEDDED, "5", b"", b"", b""),
    Case("more, by a filter", EMBEDDED, "1", b"abc" * 50_000, b"abc" * 50_000, b"abc" * 50_000),
    Case("too much, by a filter", DAEMON, "1", b"x" * 200_001, BodyTooLarge, BodyTooLarge),
    Case("just as much as is allowed", DAEMON, "1", b"x" * 200_000, b"x" * 200_000, b"x" * 200_000),
    Case("announced as nothing", DAEMON, "0", b"abc", b"", b""),
    Case("nothing announced", TERMINATED, None, b"abc", None, None),
    Case("chunks", {**TERMINATED, **CHUNKED}, None, b"abc", b"abc", b"abc"),
    Case("no chunks", {**TERMINATED, **CHUNKED}, None, b"", b"", b""),
    Case("HTTP/2, nothing announced", {**TERMINATED, **HTTP2}, None, b"abc", b"abc", b"abc"),
    Case("HTTP/3, nothing announced", {**TERMINATED, "SERVER_PROTOCOL": "HTTP/3"}, None, b"abc", b"abc", b"abc"),
    Case("HTTP/2, nothing at all", {**TERMINATED, **HTTP2}, None, b"", None, None),
    Case("HTTP/2, no end known", {**BARE, **HTTP2}, None, b"abc", None, None),
    Case("HTTP/2, announced", {**DAEMON, **HTTP2}, "3", b"abc", b"abc", b"abc"),
    Case("HTTP/2, lost by a daemon", {**DAEMON, **HTTP2, **CHUNKED}, None, b"", LengthRequired, LengthRequired),
    Case("HTTP/2, not lost by a daemon", {**DAEMON, **HTTP2, **CHUNKED}, None, b"abc", b"abc", b"abc"),
    Case("HTTP/2, read before the error", {**DAEMON, **HTTP2, **CHUNKED, **ERROR}, None, b"", b"", b""),
    Case("HTTP/2, empty", {**EMBEDDED, **HTTP2, **CHUNKED}, None, b"", b"", b""),
    Case("another coding", {**TERMINATED, "HTTP_TRANSFER_ENCODING": "gzip"}, None, b"abc", BadRequest, BadRequest),
)


def outcome(case: Case, streamed: bool) -> bytes | type[RequestError] | None:
    environ = dict(case.environ) | {"wsgi.input": io.BytesIO(case.comes)}
    if case.announced is not None:
        environ["CONTENT_LENGTH"] = case.announced
    try:
        body = read_body(environ, 200_000, 10, streamed)
        if body is None:
            return None
        data = b"".join(iter(lambda: body.stream.read(7000), b""))
        assert streamed or body.length == len(data)
        body.close()
        return data
    except RequestError as error:
        return type(error)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_bodies(case: Case) -> None:
    assert outcome(case, False) == case.read
    assert outcome(case, True) == case.streamed
