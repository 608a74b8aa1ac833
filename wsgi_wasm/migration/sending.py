"""One request to one of two sites, and what came back: its body in memory or in a file that has no
name, so that its size costs no memory, and never for longer than a deadline.

Redirects are not followed, as where they lead is part of the answer. Certificates are verified.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO
from urllib.parse import urlsplit

from wsgi_wasm.messages import escaped, reason
from wsgi_wasm.migration.planned import PlannedRequest
from wsgi_wasm.version import __version__

IN_MEMORY = 1 << 20  # bytes of a body; what is longer goes to a file
_PIECE = 64 << 10


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """Where a site is: its scheme, host and port, and the path before every target."""

    secure: bool
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """As in a URL, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.prefix}"


def site_address(text: str) -> SiteAddress:
    """A base URL. Raises ValueError."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("not a URL such as http://localhost:8000")
    if url.username is not None:
        raise ValueError("names a user: give an Authorization field with --header")
    if url.query or url.fragment:
        raise ValueError("has a query or a fragment")
    secure = url.scheme == "https"
    return SiteAddress(secure, url.hostname, port or (443 if secure else 80), url.path.rstrip("/"))


@dataclass(slots=True)
class Reply:
    """What came back. Where there was no answer, or it broke off, `failure` says why. `seconds` is
    the time to its last byte, from before the connection was made. `cut` says that more than the
    bound would have come."""

    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: IO[bytes] = field(default_factory=partial(tempfile.SpooledTemporaryFile, IN_MEMORY))
    size: int = 0
    digest: str = ""
    seconds: float = 0.0
    cut: bool = False
    failure: str = ""

    def close(self) -> None:
        """Give the body back."""
        self.body.close()


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests to one site, each on a connection of its own. `timeout` (seconds) bounds a
    whole answer, `most` (bytes) what is read of a body. `fields` are added to each request, `host`
    takes the place of the site's own name."""

    site: SiteAddress
    timeout: float
    most: int
    tls: ssl.SSLContext | None = None
    host: str = ""
    fields: Sequence[tuple[str, str]] = ()

    def send(self, planned: PlannedRequest) -> Reply:
        """The answer, or what became of it. Never raises for anything that a server does."""
        reply = Reply()
        begun = time.perf_counter()
        connection = self._connection()
        # A server that sends a byte now and then would outlast the timeout of a socket.
        held: list[socket.socket] = []
        watch = threading.Timer(self.timeout, _cut_off, (connection, held))
        watch.daemon = True
        watch.start()
        try:
            connection.connect()
            held.append(connection.sock)  # which the connection forgets once it has the head
            self._ask(connection, planned)
            self._read(connection.getresponse(), reply)
            if time.perf_counter() - begun >= self.timeout:  # cut off, which looks like an end
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as error:
            reply.failure = _words(error, time.perf_counter() - begun >= self.timeout)
        finally:
            watch.cancel()
            connection.close()
            reply.seconds = time.perf_counter() - begun
        return reply

    def _connection(self) -> http.client.HTTPConnection:
        if self.site.secure:
            return http.client.HTTPSConnection(
                self.site.host, self.site.port, timeout=self.timeout, context=self.tls or ssl.create_default_context()
            )
        return http.client.HTTPConnection(self.site.host, self.site.port, timeout=self.timeout)

    def _ask(self, connection: http.client.HTTPConnection, planned: PlannedRequest) -> None:
        target = planned.target if planned.target == "*" else self.site.prefix + planned.target
        connection.putrequest(planned.method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.host or self.site.authority)
        given = [*planned.fields, *self.fields]
        names = {name.lower() for name, _ in given}
        if "user-agent" not in names:
            connection.putheader("User-Agent", f"wsgi-wasm-compare/{__version__}")
        for name, value in given:
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        connection.putheader("Connection", "close")
        if planned.body or planned.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(planned.body)))
        connection.endheaders(planned.body or None)

    def _read(self, response: http.client.HTTPResponse, reply: Reply) -> None:
        reply.status = response.status
        reply.fields = response.getheaders()
        digest = hashlib.sha256()
        while reply.size < self.most:
            piece = response.read1(min(_PIECE, self.most - reply.size))
            if not piece:
                break
            digest.update(piece)
            reply.body.write(piece)
            reply.size += len(piece)
        reply.digest = digest.hexdigest()
        reply.cut = reply.size == self.most and bool(response.read1(1))
        if response.length and not reply.cut:  # `read1` does not tell
            raise http.client.IncompleteRead(b"", response.length)


def _cut_off(connection: http.client.HTTPConnection, held: Sequence[socket.socket]) -> None:
    for one in held or [connection.sock]:
        if one is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself
                one.shutdown(socket.SHUT_RDWR)


def _words(error: Exception, late: bool) -> str:
    if late or isinstance(error, TimeoutError):
        return "no whole answer in time"
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is refused: {escaped(error.verify_message)} (--ca names the one to trust)"
        case http.client.IncompleteRead(expected=int() as missing):
            return f"the answer broke off, {missing} bytes are missing"
        case http.client.IncompleteRead():
            return "the answer broke off"
        case http.client.RemoteDisconnected():
            return "the connection was closed without an answer"
        case http.client.HTTPException():
            return f"no HTTP answer: {type(error).__name__}"
    return reason(error)
