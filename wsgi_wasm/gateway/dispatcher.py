"""The WSGI callable: match, handle, answer. The whole request path of the package is on the
first screen below."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol
from urllib.parse import unquote_to_bytes

from wsgi_wasm.cgi.message import REASONS
from wsgi_wasm.cgi.names import USUAL_METHODS, is_refused
from wsgi_wasm.cgi.redirects import inherited_status
from wsgi_wasm.cgi.target import host_asked, host_variables, raw_target, split_target
from wsgi_wasm.errors import BadGateway, ClientLeft, Cut, Forbidden, MethodNotAllowed, RequestError, Unavailable
from wsgi_wasm.gateway.exchange import OBSERVERS, Observer
from wsgi_wasm.gateway.request import REQUEST_ID_FIELD, LocalRedirect, Request
from wsgi_wasm.gateway.routing import Match, Router
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse, WSGIApplication, correct_peer
from wsgi_wasm.messages import escaped

MAX_LOCAL_REDIRECTS = 10
SERVER_AS_A_WHOLE = "*"  # asterisk-form


class Handler(Protocol):
    """Serves the requests of one route."""

    name: str
    methods: frozenset[str] | None
    local_redirects: frozenset[str]

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """Answer through `request.respond` and return the body, or ask for a local redirect.

        Raises RequestError before the answer has started, Cut after.
        """


class RoutedHandler(Handler, Protocol):
    """Serves the requests that a path has led to. With `native`, those for which it has no program
    go on to the wrapped application."""

    native: bool

    def has_program(self, request: Request) -> bool:
        """Whether there is something to answer a request with; asked only where `native` is set."""


class Dispatcher:
    """Serves requests from a table of routes. Made anew for each configuration; holds
    no other state."""

    def __init__(
        self, router: Router[RoutedHandler], fallback: WSGIApplication, observers: Sequence[Observer] = OBSERVERS
    ) -> None:
        self._router = router
        self._fallback = fallback
        self._observers = observers

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = self.find(environ, start_response)
        if found is None:
            return self._fallback(environ, start_response)
        handler, request = found
        if handler.native and not handler.has_program(request):
            return self._fallback(environ, start_response)
        return self.answer(handler, request)

    def find(self, environ: Environ, start_response: StartResponse) -> tuple[RoutedHandler, Request] | None:
        """The route's handler and what it gets; None where no route matches."""
        match = self._router.match(*_asked(environ))
        if match is None:
            return None
        handler = match.target
        script_name = environ.get("SCRIPT_NAME", "") + match.script_name
        return handler, Request.arrived(environ, start_response, handler.name, script_name, match.path_info)

    def answer(self, handler: Handler, request: Request) -> Iterable[bytes]:
        """Serve one request with a handler that is already chosen, following local redirects."""
        exchange = request.exchange
        try:
            return self._served(handler, request)
        except RequestError as error:
            return error_response(error, request)
        except ClientLeft:
            exchange.remark(logging.WARNING, "the client has disconnected")
            raise
        except Cut as error:
            exchange.remark(logging.WARNING, f"the answer is cut off: {error}")
            raise
        finally:
            for observe in self._observers:
                observe(exchange)

    def _served(self, handler: Handler, request: Request) -> Iterable[bytes]:
        """Raises as `Handler.serve`."""
        if is_refused(request.method):
            allowed = sorted(handler.methods or USUAL_METHODS)
            raise MethodNotAllowed(f"{escaped(request.method)} is never given to a guest", allowed)
        correct_peer(request.environ)
        host = host_variables(request.environ)
        if host:
            request.environ.update(host)
        for _ in range(MAX_LOCAL_REDIRECTS + 1):
            if handler.methods is not None and request.method not in handler.methods:
                raise MethodNotAllowed(f"{escaped(request.method)} is not in methods", sorted(handler.methods))
            result = handler.serve(request)
            if not isinstance(result, LocalRedirect):
                return result
            match = self._target(handler, request, result)
            if match is None:
                return redirect_response(request, result.location)
            handler, request = match.target, redirected(request, result, match)
        raise BadGateway(f"more than {MAX_LOCAL_REDIRECTS} local redirects")

    def _target(self, handler: Handler, request: Request, redirect: LocalRedirect) -> Match[RoutedHandler] | None:
        """Where a local redirect leads, if this handler's route may send requests there.

        An inner redirect passes no access rule of the front server, so only listed routes are
        open to it.
        """
        mount = request.environ.get("SCRIPT_NAME", "")
        path = _decoded_path(redirect.location)
        if not path.startswith(f"{mount}/"):
            return None
        match = self._router.match(request.environ.get("HTTP_HOST", ""), path[len(mount) :])
        if match is None or match.target.name not in handler.local_redirects:
            return None
        return match


def _asked(environ: Environ) -> tuple[str, str]:
    """Host and path that are asked for. A target in absolute-form has both, and its path may be
    empty (RFC 9112 3.2.4)."""
    path = environ.get("PATH_INFO", "")
    if raw_target(environ)[:1] == "/":
        return environ.get("HTTP_HOST", ""), path
    host = host_asked(environ)
    if path or environ.get("SCRIPT_NAME") or not split_target(raw_target(environ))[0]:
        return host, path
    whole = environ["REQUEST_METHOD"] == "OPTIONS" and not environ.get("QUERY_STRING")
    return host, SERVER_AS_A_WHOLE if whole else "/"


def _decoded_path(location: str) -> str:
    return unquote_to_bytes(location.partition("?")[0].encode("latin-1")).decode("latin-1")


def redirected(request: Request, redirect: LocalRedirect, match: Match[RoutedHandler]) -> Request:
    """The request that a local redirect stands for: GET, without a body."""
    environ = dict(request.environ)
    mount = environ.get("SCRIPT_NAME", "")
    environ["REDIRECT_STATUS"] = "200"
    environ["REDIRECT_URL"] = request.script_name + request.path_info
    environ["REDIRECT_QUERY_STRING"] = environ.get("QUERY_STRING", "")
    environ["REQUEST_METHOD"] = "GET"
    environ["PATH_INFO"] = _decoded_path(redirect.location)[len(mount) :]
    environ["QUERY_STRING"] = redirect.location.partition("?")[2]
    environ["wsgi.input"] = io.BytesIO()
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"):
        environ.pop(name, None)
    return replace(
        request,
        environ=environ,
        method="GET",
        script_name=mount + match.script_name,
        path_info=match.path_info,
    )


def _plain(request: Request, status: int, fields: Iterable[tuple[str, str]]) -> Iterable[bytes]:
    """An answer of the gateway's own: status and request id, nothing of the inside."""
    reason = REASONS.get(status, "Error")
    body = f"{status} {reason}\nRequest ID: {request.identity}\n".encode("latin-1")
    own = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        (REQUEST_ID_FIELD, request.identity),
    ]
    return request.respond_whole(status, reason, [*own, *fields], body)


def redirect_response(request: Request, location: str) -> Iterable[bytes]:
    """A local redirect that the client has to follow itself."""
    return _plain(request, 302, [("Location", location)])


def error_response(error: RequestError, request: Request) -> Iterable[bytes]:
    """The one place where an error becomes a response, and a line in the log.

    An error document that fails leaves the error that it is for, as it does with httpd's own
    programs: whoever must log in shall be asked to (401), whatever becomes of the page.
    """
    exchange = request.exchange
    exchange.outcome = type(error).__name__
    if isinstance(error, Unavailable):
        exchange.queued += error.waited
    inherited = request.inherited_status
    kept = "" if inherited is None else f", on the page for a {inherited}"
    exchange.remark(_level(error), f"{error.status}{kept}: {error}")
    if inherited is not None:
        return _plain(request, inherited, ())
    return _plain(request, error.status, error.fields)


def _level(error: RequestError) -> int:
    """What only the operator can mend is more than a refusal."""
    if error.status >= 500:
        return logging.ERROR
    return logging.WARNING if isinstance(error, Forbidden) else logging.INFO


def not_found(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """What stands in for a wrapped application where there is none. The page of an error that is
    not there leaves the error."""
    status, fields = inherited_status(environ) or 404, []
    method = environ["REQUEST_METHOD"]
    if is_refused(method):
        status, fields = 405, [("Allow", ", ".join(USUAL_METHODS))]
    elif method == "OPTIONS" and _asked(environ)[1] == SERVER_AS_A_WHOLE:
        start_response("200 OK", [("Allow", ", ".join(USUAL_METHODS)), ("Content-Length", "0")])
        return []
    line = f"{status} {REASONS.get(status, 'Error')}"
    body = f"{line}\n".encode()
    start_response(line, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *fields])
    return [] if method == "HEAD" else [body]
