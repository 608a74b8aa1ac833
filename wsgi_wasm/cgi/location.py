"""The value of a `Location` field for another path of this server (RFC 9110 10.2.2)."""

from __future__ import annotations

from urllib.parse import quote

_IN_A_PATH = "/:@!$&'()*+,;=~"  # RFC 3986 3.3, besides letters, digits, `-`, `.` and `_`
_IN_A_QUERY = "".join(map(chr, range(0x21, 0x7F)))  # a client's query is kept as it came


def location_of(path: str, query: str) -> str:
    """Path and query as a reference to this very server. `path` is decoded, both are WSGI strings.

    Nothing in it can end the field, and it has one slash at its beginning: two would name another
    server.
    """
    location = "/" + quote(path.lstrip("/").encode("latin-1"), _IN_A_PATH)
    return f"{location}?{quote(query.encode('latin-1'), _IN_A_QUERY)}" if query else location
