"""Components that export `wasi:http/incoming-handler`: the request as the adapter takes it, the answer as from a CGI
program.

What a guest is told of a request is what a CGI program is told: header fields that are kept back there are kept back
here. Its environment holds the route's own variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.gateway.programs import Invocation
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.protocols.cgi import CgiHandler
from wsgi_wasm.protocols.component_head import ComponentHeadParser


class HttpHandler(CgiHandler):
    """Serves a route whose guests speak wasi:http."""

    interface = "http"
    parser = ComponentHeadParser
    host_is_field = False
    """Whether `Host` is a field, as it is for others; in wasi:http it is the authority."""

    def _told(
        self, request: Request, invocation: Invocation, length: int | None, streamed: bool
    ) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """As `RequestFields.tell`."""
        return cast("RequestFields", invocation.program.variables).tell(
            request.environ,
            script_name=invocation.script_name,
            path_info=invocation.path_info,
            content_length=length,
            streamed_body=streamed,
            host_is_field=self.host_is_field,
        )
