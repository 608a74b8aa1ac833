"""The WSGI callable: match, handle, answer. The whole request path of the package is on the first screen below."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote_to_bytes

from wsgi_wasm.errors import BadGateway, ClientLeft, Cut, MethodNotAllowed, RequestError
from wsgi_wasm.gateway.request import REQUEST_ID_FIELD, Environ, LocalRedirect, Request, StartResponse, WSGIApplication
from wsgi_wasm.gateway.routing import Match, Router

log = logging.getLogger("wsgi_wasm.gateway")

MAX_LOCAL_REDIRECTS = 10

_REASONS: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}


class Handler(Protocol):
    """Serves the requests of one route."""

    name: str
    methods: frozenset[str] | None
    local_redirects: frozenset[str]

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """Answer through `request.start_response` and return the body, or ask for a local redirect.

        Raises RequestError before the answer has started, Cut after.
        """


class Dispatcher:
    """Serves requests from a table of routes. Made anew for each configuration; holds no other state."""

    def __init__(self, router: Router[Handler], fallback: WSGIApplication) -> None:
        self._router = router
        self._fallback = fallback

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        match = self._router.match(environ.get("HTTP_HOST", ""), environ.get("PATH_INFO", ""))
        if match is None:
            return self._fallback(environ, start_response)
        script_name = environ.get("SCRIPT_NAME", "") + match.script_name
        request = Request.arrived(environ, start_response, script_name, match.path_info)
        return self.answer(match.target, request)

    def answer(self, handler: Handler, request: Request) -> Iterable[bytes]:
        """Serve one request with a handler that is already chosen, following local redirects."""
        try:
            for _ in range(MAX_LOCAL_REDIRECTS + 1):
                if handler.methods is not None and request.method not in handler.methods:
                    raise MethodNotAllowed(f"{request.method} is not in methods", sorted(handler.methods))
                result = handler.serve(request)
                if not isinstance(result, LocalRedirect):
                    return result
                match = self._target(handler, request, result)
                if match is None:
                    return redirect_response(request, result.location)
                handler, request = match.target, redirected(request, result, match)
            raise BadGateway(f"more than {MAX_LOCAL_REDIRECTS} local redirects")
        except RequestError as error:
            level = logging.INFO if error.status < 500 else logging.ERROR
            log.log(level, "%s [%s] %d: %s", handler.name, request.identity, error.status, error)
            return error_response(error, request)
        except ClientLeft:
            log.warning("%s [%s] the client is gone", handler.name, request.identity)
            raise
        except Cut as error:
            log.warning("%s [%s] the answer breaks off: %s", handler.name, request.identity, error)
            raise

    def _target(self, handler: Handler, request: Request, redirect: LocalRedirect) -> Match[Handler] | None:
        """Where a local redirect leads, if this handler's route may send requests there.

        An inner redirect passes no access rule of the front server, so only listed routes are open to it.
        """
        mount = request.environ.get("SCRIPT_NAME", "")
        path = _decoded_path(redirect.location)
        if not path.startswith(f"{mount}/"):
            return None
        match = self._router.match(request.environ.get("HTTP_HOST", ""), path[len(mount) :])
        if match is None or match.target.name not in handler.local_redirects:
            return None
        return match


def _decoded_path(location: str) -> str:
    return unquote_to_bytes(location.partition("?")[0].encode("latin-1")).decode("latin-1")


def redirected(request: Request, redirect: LocalRedirect, match: Match[Handler]) -> Request:
    """The request that a local redirect stands for: GET, without a body."""
    environ = dict(request.environ)
    mount = environ.get("SCRIPT_NAME", "")
    environ["REDIRECT_URL"] = request.script_name + request.path_info
    environ["REQUEST_METHOD"] = "GET"
    environ["PATH_INFO"] = _decoded_path(redirect.location)[len(mount) :]
    environ["QUERY_STRING"] = redirect.location.partition("?")[2]
    environ["wsgi.input"] = io.BytesIO()
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"):
        environ.pop(name, None)
    return Request(
        environ=environ,
        notes=request.notes,
        start_response=request.start_response,
        identity=request.identity,
        method="GET",
        script_name=mount + match.script_name,
        path_info=match.path_info,
        head_only=request.head_only,
        spent=redirect.spent,
    )


def _plain(request: Request, status: int, fields: Iterable[tuple[str, str]]) -> Iterable[bytes]:
    """An answer of the gateway's own: status and request id, nothing of the inside."""
    line = f"{status} {_REASONS.get(status, 'Error')}"
    body = f"{line}\nRequest ID: {request.identity}\n".encode("latin-1")
    request.start_response(
        line,
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            (REQUEST_ID_FIELD, request.identity),
            *fields,
        ],
    )
    return [] if request.head_only else [body]


def redirect_response(request: Request, location: str) -> Iterable[bytes]:
    """A local redirect that the client has to follow itself."""
    return _plain(request, 302, [("Location", location)])


def error_response(error: RequestError, request: Request) -> Iterable[bytes]:
    """The one place where an error becomes a response."""
    request.notes["wsgi_wasm.outcome"] = type(error).__name__
    return _plain(request, error.status, error.fields)


def not_found(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """What stands in for a wrapped application where there is none."""
    body = b"404 Not Found\n"
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
