"""Components that export `wasi:http/incoming-handler`: the request as the adapter takes it, the answer as from a CGI
program.

What a guest is told of a request is what a CGI program is told: header fields that are kept back there are kept back
here. Its environment holds the route's own variables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.handlers.cgi import CgiHandler
from wsgi_wasm.handlers.component_head import ComponentHeadParser
from wsgi_wasm.handlers.program import Invocation
from wsgi_wasm.request import Request

_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_PLAIN = re.compile(rb"[\x21-\x7e]*")


# Clients choose the names of header fields, so what is remembered of them has a bound, in number and in length.
_REMEMBERED = 256


@lru_cache(_REMEMBERED)
def _is_told(name: bytes) -> bool:
    """Whether the request decides a variable of this name."""
    return is_reserved(name.decode("latin-1"))


@lru_cache(_REMEMBERED)
def _field_name(name: bytes) -> bytes:
    """The header field that a meta-variable stands for, b"" where it is none of the request's fields."""
    if not name.startswith(b"HTTP_") or name == b"HTTP_HOST":
        return b""
    return name[5:].replace(b"_", b"-").lower()


class HttpHandler(CgiHandler):
    """Serves a route whose guests speak wasi:http."""

    interface = "http"
    parser = ComponentHeadParser

    def _told(
        self, request: Request, invocation: Invocation, environment: list[bytes]
    ) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """Method, target, scheme, authority, then name and value of each field; and the variables."""
        told: dict[bytes, bytes] = {}
        # A route's own variable may have any name: it is none of the request's.
        first = len(environment) - invocation.program.variables.own
        own = environment[first:]
        for variable in environment[:first]:
            name, _, value = variable.partition(b"=")
            if _is_told(name):
                told[name] = value
            else:
                own.append(variable)
        authority = told.get(b"HTTP_HOST") or told[b"SERVER_NAME"] + b":" + told[b"SERVER_PORT"]
        arguments = [told[b"REQUEST_METHOD"], _ascii(told[b"REQUEST_URI"]), told[b"REQUEST_SCHEME"], _ascii(authority)]
        for name, value in self.fields(request, told):
            # The engine takes text: each byte goes as one character, and the adapter makes bytes of them again.
            arguments += (name, value if value.isascii() else value.decode("latin-1").encode())
        return arguments, own

    def fields(self, request: Request, told: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """The request's header fields, in lower case; `told` are the meta-variables.

        `Host` is the authority, and no field: that is how Wasmtime's own server has it.
        """
        fields = [(field, value) for name, value in told.items() if (field := _field_name(name))]
        for name in (b"CONTENT_TYPE", b"CONTENT_LENGTH"):
            if name in told:
                fields.append((name.replace(b"_", b"-").lower(), told[name]))
        return fields


def _ascii(value: bytes) -> bytes:
    """What stands in a request's target, as URIs are: other bytes than printable ASCII percent-encoded."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_ASCII).encode()
