"""From a guest's output to a WSGI response: head, body, and what to do where the two do not fit.

Nothing is sent before the head is whole and a tick has passed, or 64 KiB have gathered, so that the
usual answer goes out whole, with its length, and an error can still have an honest status. After
that the answer streams, and a guest that fails then can only be cut off.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from wsgi_wasm.cgi.message import BODYLESS, Head
from wsgi_wasm.engine.outcome import End, Outcome
from wsgi_wasm.errors import BadGateway, ClientLeft, Cut, GatewayTimeout, PreconditionFailed
from wsgi_wasm.gateway.error_log import ErrorLog
from wsgi_wasm.gateway.request import REQUEST_ID_FIELD, Request
from wsgi_wasm.gateway.wsgi_server import ClientConnection, Environ

_NOT_IN_304 = frozenset({"content-type", "content-encoding", "content-language", "content-range"})


class HeadReader(Protocol):
    """Finds the head in a guest's output: `cgi.head.HeadParser`, or what another interface has
    in its place."""

    body: bytes
    """What followed the head in the output fed so far; valid once the head is whole."""

    must_say_status: bool
    """Every answer of the format has a status, so that 200 is that of one which nobody has
    thought about."""

    def feed(self, data: bytes) -> Head | None:
        """The head once it is whole, else None; not called again after that. Raises BadGateway."""

    def finish(self) -> Head | None:
        """The output has ended: the head, where only the end decides what it is. Raises BadGateway
        where it is none."""


class ClientGone(Exception):
    """The server could not write: the client is no longer there."""


class Answer:
    """Takes a guest's output (it is the `Client` of an engine run) and speaks WSGI
    to the server."""

    def __init__(
        self, request: Request, parser: HeadReader, connection: ClientConnection, send_timeout: float, errors: ErrorLog
    ) -> None:
        self.error_output = errors.write
        self._errors = errors
        self.head: Head | None = None
        self.started = False
        self._request = request
        self._parser = parser
        self._connection = connection
        self._send_timeout = send_timeout
        self._write: Callable[[bytes], Any] | None = None
        # body not sent yet: before the start, or on a server that cannot stream
        self._kept: list[bytes] = []
        self._left: int | None = None  # bytes of body that the guest's Content-Length still allows
        self._silent = False  # no body goes to the client
        self.length = 0  # bytes of body that the guest has written

    # --- while the guest runs ---

    def output(self, data: bytes) -> None:
        """Parse the head, then pass the body on. Raises BadGateway for a bad head, ClientGone."""
        data = self._body_of(data)
        if self.head is None or self._silent or not data:
            return
        if not self.started:
            self._start(self._fields(self.head))
        self._send(data)

    @property
    def errors_left(self) -> int:
        """As `Client.errors_left`."""
        return self._errors.left

    @property
    def label(self) -> str:
        """As `Client.label`."""
        return self._errors.label

    def gone(self) -> bool:
        """True once the client has hung up."""
        return self._connection.gone()

    def _body_of(self, data: bytes) -> bytes:
        """The part of `data` that is body and may be sent."""
        if self.head is None:
            head = self._parser.feed(data)
            if head is None:
                return b""
            self._take_head(head)
            data = self._parser.body
        return self._counted(data)

    def _body_at_end(self) -> bytes:
        head = self._parser.finish()
        if head is None:
            return b""
        self._take_head(head)
        return self._counted(self._parser.body)

    def _counted(self, data: bytes) -> bytes:
        self.length += len(data)
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return data

    def _take_head(self, head: Head) -> None:
        if head.implied or (head.status == 200 and self._parser.must_say_status):
            inherited = self._request.inherited_status
            if inherited is not None:
                head = head.inheriting(inherited)
        if head.status == 200 and self._request.method in ("GET", "HEAD") and _is_conditional(self._request.environ):
            head = self._on_condition(head)
        self.head = head
        self._left = head.content_length
        self._silent = self._request.head_only or head.status in BODYLESS or head.local_redirect is not None

    def _on_condition(self, head: Head) -> Head:
        """Raises PreconditionFailed."""
        # Brings in werkzeug, which takes 100 ms of CPU, and most sites never get here.
        from wsgi_wasm.gateway.conditions import unmet_condition

        status = unmet_condition(self._request.environ, head)
        if status == 412:
            raise PreconditionFailed("the answer is not the one that If-Match or If-Unmodified-Since asks for")
        if status is None:
            return head
        fields = tuple(field for field in head.fields if field[0].lower() not in _NOT_IN_304)
        return Head(304, "Not Modified", fields)

    def _fields(self, head: Head, length: int | None = None) -> list[tuple[str, str]]:
        fields = [*head.fields, (REQUEST_ID_FIELD, self._request.exchange.identity)]
        if head.status == 200 and not self._connection.raises:
            fields = [self._absolute(name, value) for name, value in fields]
        if length is not None:
            fields.append(("Content-Length", str(length)))
        return fields

    def _absolute(self, name: str, value: str) -> tuple[str, str]:
        """mod_wsgi's daemons take a 200 with a local Location for an order to serve that
        path instead, which would pass by `local_redirects`. The same location with scheme
        and host is none."""
        if name.lower() != "location" or not value.startswith("/"):
            return name, value
        environ = self._request.environ
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return name, f"{environ['wsgi.url_scheme']}://{host}{value}"

    def _start(self, fields: list[tuple[str, str]]) -> None:
        assert self.head is not None
        self._connection.bound_sending(self._send_timeout)
        self._write = self._request.respond(self.head.status, self.head.reason, fields)
        self.started = True

    def _send(self, data: bytes) -> None:
        self._request.exchange.sent += len(data)
        if self._write is None:
            self._kept.append(data)
            return
        try:
            self._write(data)
        except Exception as error:
            # Servers differ in what they raise: OSError (gunicorn, mod_wsgi), RuntimeError,
            # their own.
            raise ClientGone(str(error)) from error

    # --- when the guest has ended ---

    def finish(self, outcome: Outcome) -> Iterable[bytes]:
        """The rest of the response, as the WSGI server wants it returned.

        Raises BadGateway or GatewayTimeout where nothing has been sent, Cut where the connection
        must be closed.
        """
        failure = outcome.take_failure()
        if isinstance(failure, ClientGone):
            return self._leave()
        if failure is not None:
            if self.started and isinstance(failure, Exception):
                return self._hang_up(str(failure))
            try:
                raise failure
            finally:
                failure = None  # this frame is one of those that it refers to from now on
        if not outcome.well:
            return self._broken_off(outcome)
        body = self._body_of(outcome.rest)
        if self.head is None:
            body = self._body_at_end()
        if self.head is None:
            raise BadGateway("the guest ended before its head was complete")
        if self.started:
            self._request.exchange.sent += len(body)
            return [*self._kept, body] if body or self._kept else []
        return self._whole(self.head, body)

    def _whole(self, head: Head, body: bytes) -> Iterable[bytes]:
        """An answer that is in hand before anything was sent."""
        if head.local_redirect is not None:
            return []
        if head.status in BODYLESS:
            self._start(self._fields(head))
            return []
        if self._silent:
            length = head.content_length
            self._start(self._fields(head, self.length if length is None and self.length else length))
            return []
        self._start(self._fields(head, len(body)))
        self._request.exchange.sent = len(body)
        return [body]

    def _broken_off(self, outcome: Outcome) -> Iterable[bytes]:
        if outcome.end is End.STOPPED and self.gone():
            return self._leave()
        if self.started:
            with contextlib.suppress(ClientGone):
                self.output(outcome.rest)
            return self._hang_up(str(outcome))
        if outcome.end in (End.TIMEOUT, End.CPU):
            raise GatewayTimeout(f"the guest {outcome}")
        raise BadGateway(f"the guest {outcome}")

    def _leave(self) -> Iterable[bytes]:
        """End an answer that nobody waits for."""
        if self._connection.raises:
            raise ClientLeft("the client has disconnected")
        self._request.exchange.remark(logging.WARNING, "the client has disconnected")
        return []

    def _hang_up(self, reason: str) -> Iterable[bytes]:
        """End an answer that cannot be completed, so that nobody takes it for a whole one."""
        if self._connection.raises:
            raise Cut(reason)
        self._request.exchange.remark(
            logging.WARNING, f"the answer is cut off, which the client cannot see on this server: {reason}"
        )
        return []

    @property
    def mismatch(self) -> str | None:
        """What is wrong between the guest's Content-Length and its body, for the log."""
        announced = self.head.content_length if self.head is not None else None
        if announced is None or self._silent or announced == self.length:
            return None
        return f"Content-Length is {announced}, but the body has {self.length} bytes"


def _is_conditional(environ: Environ) -> bool:
    """Whether the request has a precondition."""
    return (
        "HTTP_IF_NONE_MATCH" in environ
        or "HTTP_IF_MODIFIED_SINCE" in environ
        or "HTTP_IF_MATCH" in environ
        or "HTTP_IF_UNMODIFIED_SINCE" in environ
    )
