"""What Apache takes of an answer's head, where it comes from mod_wsgi. Both limits are found out by
their effects alone: an error page of Apache's own, or a stream that is reset."""

from __future__ import annotations

from collections.abc import Collection

from wsgi_wasm.errors import BadGateway
from wsgi_wasm.gateway.wsgi_server import Environ

LONGEST_LINE = 32765
"""Bytes of a header line, without its end, from mod_wsgi's daemons (`wsgi_scan_headers`). Their
`header-buffer-size` can make it another number, which mod_wsgi tells nobody."""

LARGEST_HTTP2 = 63 << 10
"""Bytes of names and values by HTTP/2, with `_FIELD` for each field: libnghttp2 sends no more than
64 KiB, and Apache has fields of its own."""

_FIELD = 12
_STATUS = len("Status: 200 ")


def checked_reason(environ: Environ, status: int, reason: str, fields: Collection[tuple[str, str]]) -> str:
    """The reason as Apache understands it. Raises BadGateway where it could not send the head."""
    if environ.get("SERVER_PROTOCOL", "").startswith("HTTP/2"):
        size = sum(len(name) + len(value) for name, value in fields) + _FIELD * len(fields)
        if size > LARGEST_HTTP2:
            raise BadGateway(f"the fields of the head have {size} bytes, but Apache sends at most 64 KiB by HTTP/2")
    if not environ.get("mod_wsgi.process_group"):
        return reason
    for name, value in fields:
        if len(name) + len(value) + 2 > LONGEST_LINE:
            raise BadGateway(_too_long(name, len(name) + len(value) + 2))
    if len(reason) + _STATUS > LONGEST_LINE:
        raise BadGateway(_too_long("Status", len(reason) + _STATUS))
    # By `200 Error` a daemon says that its application has failed.
    return "OK" if status == 200 and reason == "Error" else reason


def _too_long(name: str, size: int) -> str:
    return f"the line of the field {name} has {size} bytes, but mod_wsgi's daemons pass on at most {LONGEST_LINE}"
