"""A guest's request body on its way through the forwarder: in chunks from the engine, by its length to the server."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from wsgi_wasm.hostapi.forwarded import parsed, without_length
from wsgi_wasm.hostapi.forwarder import _pass_chunks


class Target:
    """Stands where the connection to the server would."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        """Nothing holds this one up."""


def passed(data: bytes, length: int, most: int = 1000) -> bytes:
    target = Target()

    async def run() -> None:
        source = asyncio.StreamReader(limit=100)
        source.feed_data(data)
        source.feed_eof()
        await _pass_chunks(source, cast(asyncio.StreamWriter, target), most, length)

    asyncio.run(run())
    return target.data


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ],
)
def test_chunks_become_a_body(data: bytes, body: bytes) -> None:
    assert passed(data, len(body)) == body


@pytest.mark.parametrize(
    ("data", "length", "message"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", 4, "longer"),
        (b"5\r\nhello\r\n0\r\n\r\n", 6, "shorter"),
        (b"5\r\nhel", 5, "was cut off"),
        (b"", 5, "was cut off"),
        (b"zz\r\n", 5, "was cut off"),
        (b"1" * 200, 5, "was cut off"),
        (b"5\r\nhello\r\n0\r\n\r\n", 1001, "more bytes than allowed"),
    ],
)
def test_a_body_that_is_not_what_was_said(data: bytes, length: int, message: str) -> None:
    """It must never leave bytes that the server takes for the next request."""
    with pytest.raises(ConnectionAbortedError, match=message):
        passed(data, length)


def test_the_length_among_the_fields() -> None:
    fields = [b"Transfer-Encoding: chunked", b"a: b", b"WSGI-Wasm-Length: 12"]
    assert without_length(b"POST", fields) == ([b"a: b"], 12)
    assert without_length(b"POST", fields[:2]) == (fields[:2], None)
    assert without_length(b"GET", fields[:2]) == ([b"a: b"], 0)
    assert without_length(b"GET", fields[1:2]) == ([b"a: b"], None)
    for wrong in ([fields[2], fields[2]], [b"wsgi-wasm-length: -1"], [b"wsgi-wasm-length: "]):
        with pytest.raises(ValueError, match=r"length|unpack"):
            without_length(b"POST", wrong)


def test_a_get_with_a_body_that_may_be_written_to() -> None:
    """The engine's client is told of a POST, or it would close the body at once."""
    assert parsed(b"POST /abc./x?y HTTP/1.1\r\na: b\r\n\r\n") == (b"GET", "abc", b"/x?y", [b"a: b"])
    assert parsed(b"POST /abc/. HTTP/1.1\r\n\r\n") == (b"POST", "abc", b"/.", [])
