"""The request body: its length checked, read within limits before the guest starts, kept in memory
or in a file."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from wsgi_wasm.errors import BadRequest, BodyTooLarge, RequestTimeout, Unavailable
from wsgi_wasm.files.room import unwritable
from wsgi_wasm.gateway.wsgi_server import ClientConnection, Environ
from wsgi_wasm.messages import escaped, reason, size_text

SPOOL_SIZE = 1 << 20  # bytes; a larger body goes to an unlinked temporary file
KEPT = 8  # such files that a process keeps for later bodies
KEPT_SIZE = 16 << 20  # bytes of each
_CHUNK = 1 << 16
_MAX_DIGITS = 18


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


def read_body(environ: Environ, max_body: int, body_timeout: float, streamed: bool, apart: bool = False) -> Body | None:
    """The body of a request, None where it has none. One that goes to another process (`apart`)
    lies in a file that no later body comes into: that process may keep it open.

    Raises BodyTooLarge before a byte is read where the length is announced, BadRequest where the
    client sent less than it announced, RequestTimeout after `body_timeout` seconds.
    """
    length = announced_length(environ)
    if length is None:
        coding = environ.get("HTTP_TRANSFER_ENCODING", "")
        if not coding:
            return None
        if coding.strip().lower() != "chunked":
            # RFC 9112 6.1: what is not undone here must not reach a guest as if it were.
            raise BadRequest(f"Transfer-Encoding is {coding!r}, and only chunked is supported")
    elif length == 0:
        return Body(io.BytesIO(), 0)
    elif length > max_body:
        raise BodyTooLarge(f"the body of {length} bytes is larger than max_body ({max_body})")
    source = environ["wsgi.input"]
    connection = ClientConnection(environ)
    if streamed:
        left = max_body + 1 if length is None else length
        stream = StreamedBody(
            source=source, connection=connection, body_timeout=body_timeout, left=left, open_ended=length is None
        )
        return Body(stream, length)
    body = _spool(source, length, max_body, connection, body_timeout)
    if apart and isinstance(body.stream, io.FileIO):
        return body._replace(close=body.stream.close)
    return body


def _spool(source: Any, length: int | None, max_body: int, connection: ClientConnection, body_timeout: float) -> Body:
    deadline = time.monotonic() + body_timeout
    spool: io.BytesIO | Spool = io.BytesIO()
    received = 0
    try:
        with connection.reading_until(deadline):
            while length is None or received < length:
                data = _read(source, _CHUNK if length is None else min(_CHUNK, length - received), deadline)
                if not data:
                    break
                received += len(data)
                if received > max_body:
                    raise BodyTooLarge(f"the body is larger than max_body ({max_body} bytes)")
                if received > SPOOL_SIZE and isinstance(spool, io.BytesIO):
                    spool = _to_file(spool)
                spool.write(data)
                if time.monotonic() > deadline:
                    raise RequestTimeout(f"only {received} bytes of the body arrived within {body_timeout:g} s")
        if length is not None and received < length:
            raise BadRequest(f"the body ended after {received} of {length} bytes")
        if isinstance(spool, Spool):
            spool.whole()
            return Body(spool.file, received, spool.close)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return Body(spool, received)


class Spool:
    """An unlinked file that bodies are written to, one after the other.

    A process keeps some: writing over pages that are there takes a fifth of what new ones take. One
    is cut to each body's length before a guest reads it, so nothing of an earlier body is left in
    it. It has no buffer of Python's, which could outlive that. What a disk refuses raises
    Unavailable.
    """

    def __init__(self) -> None:
        with _stored():
            self.file: io.FileIO = tempfile.TemporaryFile(prefix="wsgi-wasm-body-", buffering=0)  # noqa: SIM115
        self._process = os.getpid()

    def write(self, data: bytes | memoryview) -> None:
        """All of `data`, at the end of what has been written."""
        left = memoryview(data)
        with _stored():
            while left:
                left = left[self.file.write(left) :]

    def begin(self) -> bool:
        """Before a body. False in a child after a fork, where the file and its position are the
        parent's, and where the file is of no use any more."""
        if self._process == os.getpid():
            with contextlib.suppress(OSError, ValueError):
                self.file.seek(0)
                return True
        self.file.close()
        return False

    def whole(self) -> None:
        """The body is all there."""
        with _stored():
            self.file.truncate()
            self.file.seek(0)

    def close(self) -> None:
        """After the body: keep the file for the next one, if it is not one too many or too
        large to keep."""
        with contextlib.suppress(OSError, ValueError):
            if len(_spare) < KEPT:
                if self.file.seek(0, io.SEEK_END) > KEPT_SIZE:
                    self.file.truncate(0)
                _spare.append(self)
                return
        with contextlib.suppress(OSError):
            self.file.close()


# the last one that was used is the next, while its pages are in the processor's caches
_spare: list[Spool] = []


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    """Raises Unavailable for a full disk, a file size limit of the process, no directory for
    temporary files, no descriptors left."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the body cannot be stored in {_where()}: {reason(error)}", retry_after=30) from error


def _where() -> str:
    try:
        return escaped(tempfile.gettempdir())
    except OSError:
        return "a temporary directory"


def spool_problem() -> str:
    """What is wrong with the place where larger bodies go, "" if all is well."""
    try:
        wrong = unwritable(Path(tempfile.gettempdir()))
    except OSError as error:
        wrong = reason(error)
    if not wrong:
        return ""
    return f"bodies of more than {size_text(SPOOL_SIZE)} get 503, as they cannot be stored in {_where()}: {wrong}"


def _to_file(memory: io.BytesIO) -> Spool:
    try:
        spool = _spare.pop()
        if not spool.begin():
            spool = Spool()
    except IndexError:
        spool = Spool()
    try:
        # Not a view of the buffer, which could not be closed while anybody, a traceback for one,
        # still has it.
        spool.write(memory.getvalue())
    except BaseException:
        spool.close()
        raise
    return spool


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
    `max_body` leaves, and one. `body_timeout` (seconds) is for each read.
    """

    source: Any
    connection: ClientConnection
    body_timeout: float
    left: int
    open_ended: bool

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises BodyTooLarge, RequestTimeout, BadRequest."""
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
