"""CGI programs (RFC 3875): meta-variables and body in, head and body out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.metavars import request_uri
from wsgi_wasm.cgi.query import query_arguments, wagi_arguments
from wsgi_wasm.config.model import ModuleTarget, Route
from wsgi_wasm.gateway.body import Body
from wsgi_wasm.gateway.program import GuestCall, ProgramMatch
from wsgi_wasm.gateway.request import Request

Arguments = Callable[[Request, Sequence[bytes]], Sequence[bytes]]
"""From a request and the program's own arguments to those of one run."""


def with_search_words(request: Request, arguments: Sequence[bytes]) -> Sequence[bytes]:
    """RFC 3875 4.4: the words of an indexed query follow the program's own arguments."""
    return (*arguments, *query_arguments(request.environ.get("QUERY_STRING", "")))


def by_template(argv: str) -> Arguments:
    """All arguments, as the template `argv` of WAGI and of Spin has them."""

    def arguments(request: Request, _own: Sequence[bytes]) -> Sequence[bytes]:
        path = request_uri(request.environ, request.script_name, request.path_info).partition("?")[0]
        return wagi_arguments(argv, path, request.environ.get("QUERY_STRING") or "")

    return arguments


def _of_route(route: Route) -> Arguments | None:
    """What the route's own keys make of the arguments; None where that is nothing."""
    argv = route.target.argv if isinstance(route.target, ModuleTarget) else None
    if argv is None:
        return with_search_words if route.query_args else None
    return by_template(argv)


class Cgi:
    """As `GuestProtocol`, for CGI programs."""

    streams = True

    def __init__(self, route: Route, variables: Environment, arguments: Arguments | None = None) -> None:
        """`arguments` are the program's own unless said, as `argv` and `query_args` have it."""
        self._variables = variables
        self._arguments = arguments or _of_route(route)
        self._new_head = partial(HeadParser, route.limits.max_head, frozenset(route.response_fields))

    def call(self, request: Request, found: ProgramMatch, body: Body | None) -> GuestCall:
        """As `GuestProtocol.call`."""
        stdin, length = (None, None) if body is None else (body.stream, body.length)
        environment = self._variables.build(
            request.environ,
            script_name=found.script_name,
            path_info=found.path_info,
            request_id=request.exchange.identity,
            content_length=length,
            script_filename=found.script_filename,
            streamed_body=body is not None,
        )
        arguments: Sequence[bytes] = found.program.arguments
        if self._arguments is not None:
            arguments = self._arguments(request, arguments)
        return arguments, environment, stdin, self._new_head()
