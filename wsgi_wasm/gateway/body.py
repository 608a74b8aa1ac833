"""The request body: its length checked, read within limits before the guest starts, kept in memory
or in a file."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from wsgi_wasm.cgi.redirects import inherited_status
from wsgi_wasm.errors import BadRequest, BodyTooLarge, LengthRequired, RequestTimeout
from wsgi_wasm.gateway.spool import SPOOL_SIZE, Spool, to_file
from wsgi_wasm.gateway.wsgi_server import ClientConnection, Environ

_CHUNK = 1 << 16
_MAX_DIGITS = 18
_WITHOUT_CODINGS = ("HTTP/2", "HTTP/3")  # bodies end by themselves, without Transfer-Encoding


def _nothing() -> None: ...


class Body(NamedTuple):
    """A request body ready for the guest. `length` is None where it is not known
    (streamed and chunked)."""

    stream: io.BytesIO | io.FileIO | StreamedBody
    length: int | None
    close: Callable[[], None] = _nothing  # gives back the spool file, where there is one


def announced_length(environ: Environ) -> int | None:
    """CONTENT_LENGTH as a number, None without one. Raises BadRequest for anything but digits
    (RFC 9110 8.6)."""
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        raise BadRequest(f"Content-Length is {text!r}")
    return int(text)


class Announced(NamedTuple):
    """What a request and its server say of the body before it is read."""

    length: int | None  # that the client has announced
    ends: bool  # the server's input ends where the body does, whatever its length
    filtered: bool  # and it may have become longer or shorter on its way
    perhaps_none: bool  # there need not be one
    perhaps_lost: bool  # if nothing comes, the server has lost it


def announced_body(environ: Environ) -> Announced | None:
    """None where a request has no body. Raises BadRequest for framing that is not understood.

    mod_wsgi hands over what Apache's input filters have made of a body, and nothing for the page of
    an error whose request is read. It raises OSError if the client sends less than it announced, so
    any end of its input is the end of the body.
    """
    length = announced_length(environ)
    coding = environ.get("HTTP_TRANSFER_ENCODING", "")
    without_coding = environ.get("SERVER_PROTOCOL", "").startswith(_WITHOUT_CODINGS)
    if length is None and not coding and not without_coding:
        return None
    filtered = "mod_wsgi.version" in environ
    ends = bool(environ.get("wsgi.input_terminated"))
    if length is not None:
        return Announced(length, ends, filtered and ends, False, False)
    if not coding:
        return Announced(None, ends, filtered, True, False) if ends else None
    if coding.strip().lower() != "chunked":
        # RFC 9112 6.1: what is not undone here must not reach a guest as if it were.
        raise BadRequest(f"Transfer-Encoding is {coding!r}, and only chunked is supported")
    # mod_http2 hands mod_wsgi empty pieces too, which its daemons take for the end.
    lost = bool(without_coding and environ.get("mod_wsgi.process_group")) and inherited_status(environ) is None
    return Announced(None, ends, filtered, False, lost)


def read_body(environ: Environ, max_body: int, body_timeout: float, streamed: bool, apart: bool = False) -> Body | None:
    """The body of a request, None where it has none. One that goes to another process (`apart`)
    lies in a file that no later body comes into: that process may keep it open.

    Raises BodyTooLarge before a byte is read where the length is announced, BadRequest where the
    client sent less than it announced, RequestTimeout after `body_timeout` seconds, LengthRequired
    where the server loses bodies without a length.
    """
    announced = announced_body(environ)
    if announced is None:
        return None
    if announced.length == 0:
        return Body(io.BytesIO(), 0)
    if announced.length is not None and announced.length > max_body:
        raise BodyTooLarge(f"the body of {announced.length} bytes is larger than max_body ({max_body})")
    source = environ["wsgi.input"]
    connection = ClientConnection(environ)
    if streamed:
        return _stream(source, announced, max_body, connection, body_timeout)
    body = _spool(source, announced, max_body, connection, body_timeout)
    if body.length == 0 and not _is_there(announced):
        return None
    if apart and isinstance(body.stream, io.FileIO):
        return body._replace(close=body.stream.close)
    return body


def _is_there(announced: Announced) -> bool:
    """Whether there is a body at all of which no byte has come. Raises LengthRequired."""
    if announced.perhaps_lost:
        raise LengthRequired("mod_wsgi's daemons lose bodies that come by HTTP/2 without Content-Length")
    return not announced.perhaps_none


def _stream(
    source: Any, announced: Announced, max_body: int, connection: ClientConnection, body_timeout: float
) -> Body | None:
    """The body while it comes; only what may not be there is waited for."""
    length, early = announced.length, b""
    if announced.perhaps_none or announced.perhaps_lost:
        deadline = time.monotonic() + body_timeout
        with connection.reading_until(deadline):
            early = _read(source, 1, deadline)
        if not early and not _is_there(announced):
            return None
    open_ended = length is None or announced.ends
    stream = StreamedBody(
        source=source,
        connection=connection,
        body_timeout=body_timeout,
        left=max_body + 1 - len(early) if length is None or open_ended else length,
        open_ended=open_ended,
        early=early,
    )
    return Body(stream, length)


def _spool(source: Any, announced: Announced, max_body: int, connection: ClientConnection, body_timeout: float) -> Body:
    deadline = time.monotonic() + body_timeout
    spool: io.BytesIO | Spool = io.BytesIO()
    received = 0
    try:
        with connection.reading_until(deadline):
            while size := _next_size(announced, received):
                data = _read(source, size, deadline)
                if not data:
                    break
                received += len(data)
                if received > max_body:
                    raise BodyTooLarge(f"the body is larger than max_body ({max_body} bytes)")
                if received > SPOOL_SIZE and isinstance(spool, io.BytesIO):
                    spool = to_file(spool)
                spool.write(data)
                if time.monotonic() > deadline:
                    raise RequestTimeout(f"only {received} bytes of the body arrived within {body_timeout:g} s")
        if announced.length is not None and received < announced.length and not announced.filtered:
            raise BadRequest(f"the body ended after {received} of {announced.length} bytes")
        if isinstance(spool, Spool):
            spool.whole()
            return Body(spool.file, received, spool.close)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return Body(spool, received)


def _next_size(announced: Announced, received: int) -> int:
    """Bytes to ask for; 0 at the end. Where the server ends its input, that is one more than
    is announced, and whatever follows."""
    if announced.length is None:
        return _CHUNK
    left = announced.length - received
    if announced.ends:
        return _CHUNK if left < 0 else min(_CHUNK, left + 1)
    return min(_CHUNK, left)


def _read(source: Any, size: int, deadline: float) -> bytes:
    """What `source` gives. Raises RequestTimeout where that ended because of `deadline`
    (monotonic clock, seconds)."""
    try:
        data: bytes = source.read(size)
    except OSError as error:
        # What mod_wsgi and gunicorn raise when the client is gone or its chunks are malformed.
        if isinstance(error, TimeoutError) or time.monotonic() > deadline:
            raise RequestTimeout("the client stopped sending its body") from error
        raise BadRequest(f"the body could not be read: {error}") from error
    if len(data) < size and time.monotonic() > deadline:
        raise RequestTimeout("the client was too slow to send its body")
    return data


@dataclass(slots=True, kw_only=True)
class StreamedBody:
    """The body as it comes (`stream_request`): the guest waits for the client, and its clock
    stands still meanwhile.

    `left` is the number of bytes that are still wanted; of an `open_ended` body it is what
    `max_body` leaves, and one. `body_timeout` (seconds) is for each read. `early` is what has been
    read already.
    """

    source: Any
    connection: ClientConnection
    body_timeout: float
    left: int
    open_ended: bool
    early: bytes = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises BodyTooLarge, RequestTimeout, BadRequest."""
        if self.early:
            data, self.early = self.early, b""
            return data
        if self.left <= 0:
            return b""
        deadline = time.monotonic() + self.body_timeout
        with self.connection.reading_until(deadline):
            data = _read(self.source, min(size, self.left), deadline)
        self.left -= len(data)
        if self.open_ended and self.left <= 0:
            raise BodyTooLarge("the body is larger than max_body")
        return data

    def stop(self) -> None:
        """Nobody wants the rest: a `read` that waits returns at once, where the server
        shows its socket."""
        self.connection.stop_reading()
