"""The request body: its length checked, read within limits before the guest starts, kept in memory or in a file."""

from __future__ import annotations

import io
import tempfile
import time
from typing import Any, BinaryIO, NamedTuple

from wsgi_wasm.errors import BadRequest, BodyTooLarge, RequestTimeout
from wsgi_wasm.wsgi_server import Connection, Environ

SPOOL_SIZE = 1 << 20  # bytes; a larger body goes to an unlinked temporary file
_CHUNK = 1 << 16
_MAX_DIGITS = 18


class Body(NamedTuple):
    """A request body ready for the guest. `length` is None where it is not known (streamed and chunked)."""

    stream: BinaryIO | StreamedBody
    length: int | None

    def close(self) -> None:
        """Give back the spool file, if there is one."""
        self.stream.close()


def announced_length(environ: Environ) -> int | None:
    """CONTENT_LENGTH as a number, None without one. Raises BadRequest for anything but digits (RFC 9110 8.6)."""
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        raise BadRequest(f"Content-Length is {text!r}")
    return int(text)


def read_body(environ: Environ, max_body: int, body_timeout: float, streamed: bool) -> Body | None:
    """The body of a request, None where it has none.

    Raises BodyTooLarge before a byte is read where the length is announced, BadRequest where the client sent less
    than it announced, RequestTimeout after `body_timeout` seconds.
    """
    length = announced_length(environ)
    if length is None:
        if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            return None
    elif length == 0:
        return Body(io.BytesIO(), 0)
    elif length > max_body:
        raise BodyTooLarge(f"the body of {length} bytes is over max_body ({max_body})")
    source = environ["wsgi.input"]
    connection = Connection(environ)
    if streamed:
        connection.set_timeout(body_timeout)
        return Body(StreamedBody(source, length, max_body), length)
    return _spool(source, length, max_body, connection, body_timeout)


def _spool(source: Any, length: int | None, max_body: int, connection: Connection, body_timeout: float) -> Body:
    deadline = time.monotonic() + body_timeout
    spool: BinaryIO = io.BytesIO()
    received = 0
    try:
        while length is None or received < length:
            connection.set_timeout(max(0.001, deadline - time.monotonic()))
            data = _read(source, _CHUNK if length is None else min(_CHUNK, length - received))
            if not data:
                break
            received += len(data)
            if received > max_body:
                raise BodyTooLarge(f"the body is over max_body ({max_body} bytes)")
            if received > SPOOL_SIZE and isinstance(spool, io.BytesIO):
                spool = _to_file(spool)
            spool.write(data)
            if time.monotonic() > deadline:
                raise RequestTimeout(f"{received} bytes of body after {body_timeout:g} s")
        if length is not None and received < length:
            raise BadRequest(f"the body ended after {received} of {length} bytes")
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return Body(spool, received)


def _to_file(spool: io.BytesIO) -> BinaryIO:
    file: BinaryIO = tempfile.TemporaryFile(prefix="wsgi-wasm-body-")  # noqa: SIM115
    file.write(spool.getbuffer())
    return file


def _read(source: Any, size: int) -> bytes:
    try:
        data: bytes = source.read(size)
    except TimeoutError as error:
        raise RequestTimeout("the client stopped sending its body") from error
    except OSError as error:
        # What mod_wsgi and gunicorn raise when the client is gone or its chunks are malformed.
        raise BadRequest(f"the body could not be read: {error}") from error
    return data


class StreamedBody:
    """The body as it comes (`stream_request`): the guest waits for the client, and its clock stands still meanwhile."""

    def __init__(self, source: Any, length: int | None, max_body: int) -> None:
        self._source = source
        self._left = max_body + 1 if length is None else length
        self._open_ended = length is None

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises BodyTooLarge, RequestTimeout, BadRequest."""
        if self._left <= 0:
            return b""
        data = _read(self._source, min(size, self._left))
        self._left -= len(data)
        if self._open_ended and self._left <= 0:
            raise BodyTooLarge("the body is over max_body")
        return data

    def close(self) -> None:
        """Nothing to give back: the server owns the source."""
