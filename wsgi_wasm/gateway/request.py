"""One request on its way through the gateway."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

from wsgi_wasm.cgi.redirects import answers_itself, inherited_status
from wsgi_wasm.gateway.apache_heads import checked_reason
from wsgi_wasm.gateway.exchange import Exchange
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse

REQUEST_ID_FIELD = "X-Request-ID"

_ID_LENGTH = 128

_OVERRIDE = "set WSGIErrorOverride Off for the path of the ErrorDocument"


@dataclass(slots=True)
class Request:
    """What a handler gets. `script_name` and `path_info` are WSGI strings that add up to the mount,
    route and rest.

    `environ` is what the guest learns from; a local redirect has its own. `exchange` is the record
    of the whole chain. `head_only` stays true through a local redirect, whose own method is GET.
    """

    environ: Environ
    exchange: Exchange
    start_response: StartResponse
    method: str
    script_name: str
    path_info: str
    head_only: bool

    @classmethod
    def arrived(
        cls, environ: Environ, start_response: StartResponse, route: str, script_name: str, path_info: str
    ) -> Self:
        """A request for the route of this name as the server gives it, before any redirect."""
        method = environ["REQUEST_METHOD"]
        exchange = Exchange(route, request_identity(environ), environ)
        return cls(environ, exchange, start_response, method, script_name, path_info, method == "HEAD")

    @property
    def identity(self) -> str:
        """The request's id, in the log and in the answer."""
        return self.exchange.identity

    @property
    def inherited_status(self) -> int | None:
        """The status of the answer where none is said: that of the error for whose page the front
        server asks, None for any other request."""
        status = inherited_status(self.environ)
        if status is not None and answers_itself(self.environ):
            self.exchange.remark(logging.WARNING, f"{status} is replaced by this very page: {_OVERRIDE}")
            return None
        return status

    def respond(self, status: int, reason: str, fields: list[tuple[str, str]]) -> Callable[[bytes], Any]:
        """Begin the answer, as PEP 3333 has it: what is returned sends a piece of the body.

        Raises BadGateway where the server cannot pass on the head.
        """
        if "mod_wsgi.version" in self.environ:
            reason = checked_reason(self.environ, status, reason, fields)
        self.exchange.status = status
        write: Callable[[bytes], Any] = self.start_response(f"{status} {reason}", fields)
        return write

    def respond_whole(self, status: int, reason: str, fields: list[tuple[str, str]], body: bytes) -> Iterable[bytes]:
        """The whole of an answer, as a handler returns it; without the body if HEAD was asked."""
        self.respond(status, reason, fields)
        if self.head_only:
            return []
        self.exchange.sent = len(body)
        return [body]


@dataclass(frozen=True, slots=True)
class LocalRedirect:
    """A guest asks for another path of this site to be served in its place (RFC 3875 6.2.2).

    `location` is a path and query.
    """

    location: str


def request_identity(environ: Environ) -> str:
    """The front server's id for this request (mod_unique_id's, mod_wsgi's), else a new one of
    64 random bits."""
    identity = environ.get("UNIQUE_ID") or environ.get("mod_wsgi.request_id")
    if identity and len(identity) <= _ID_LENGTH and identity.isascii() and identity.isprintable():
        return str(identity)
    # Not a secret, and seeded anew after fork by the module itself.
    return f"{random.getrandbits(64):016x}"
