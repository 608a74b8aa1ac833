"""Components that export `wasi:http/incoming-handler`: the request as the adapter takes it, the
answer as from a CGI program.

What a guest is given of a request is what a CGI program is given: header fields that are kept back
there are kept back here. Its environment holds the route's own variables.
"""

from __future__ import annotations

from functools import partial

from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.config.model import Route
from wsgi_wasm.gateway.body import Body
from wsgi_wasm.gateway.program import GuestCall, ProgramMatch
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.protocols.component_head import ComponentHeadParser


class Http:
    """As `GuestProtocol`, for components that handle HTTP."""

    streams = True

    def __init__(self, route: Route, fields: RequestFields) -> None:
        self._fields = fields
        self._new_head = partial(ComponentHeadParser, route.limits.max_head, frozenset(route.response_fields))

    def call(self, request: Request, found: ProgramMatch, body: Body | None) -> GuestCall:
        """As `GuestProtocol.call`. The request travels in the arguments."""
        stdin, length = (None, None) if body is None else (body.stream, body.length)
        arguments, environment = self._fields.of_request(
            request.environ,
            script_name=found.script_name,
            path_info=found.path_info,
            content_length=length,
            streamed_body=body is not None,
        )
        return arguments, environment, stdin, self._new_head()
