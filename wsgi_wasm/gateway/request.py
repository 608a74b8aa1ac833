"""One request on its way through the gateway."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

REQUEST_ID_FIELD = "X-Request-ID"

_ID_LENGTH = 128


@dataclass(slots=True)
class Request:
    """What a handler gets. `script_name` and `path_info` are WSGI strings that add up to the mount, route and rest.

    `notes` is the environ that the server gave, and may log: through a local redirect it stays the same one, while
    `environ` is the guest's. `head_only` stays true through a local redirect, whose own method is GET. `spent` is wall
    and CPU time (seconds) that guests before this one have used of the request's limits.
    """

    environ: Environ
    notes: Environ
    start_response: StartResponse
    identity: str
    method: str
    script_name: str
    path_info: str
    head_only: bool
    spent: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def arrived(cls, environ: Environ, start_response: StartResponse, script_name: str, path_info: str) -> Self:
        """A request as the server gives it, before any redirect."""
        method = environ["REQUEST_METHOD"]
        return cls(
            environ=environ,
            notes=environ,
            start_response=start_response,
            identity=request_identity(environ),
            method=method,
            script_name=script_name,
            path_info=path_info,
            head_only=method == "HEAD",
        )


@dataclass(frozen=True, slots=True)
class LocalRedirect:
    """A guest asks for another path of this site to be served in its place (RFC 3875 6.2.2).

    `location` is a path and query; `spent` is what the chain of guests has used so far, as in `Request`.
    """

    location: str
    spent: tuple[float, float]


def request_identity(environ: Environ) -> str:
    """The front server's id for this request (mod_unique_id's, mod_wsgi's), else a new one of 64 random bits."""
    identity = environ.get("UNIQUE_ID") or environ.get("mod_wsgi.request_id")
    if identity and len(identity) <= _ID_LENGTH and identity.isascii() and identity.isprintable():
        return str(identity)
    # Not a secret, and seeded anew after fork by the module itself.
    return f"{random.getrandbits(64):016x}"
