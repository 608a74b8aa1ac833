"""A query string as command-line arguments (RFC 3875 4.4; WAGI's `argv`), for the rare route that
asks for it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes


def query_arguments(query: str) -> tuple[bytes, ...]:
    """The search words of an indexed query; none where it holds a "=", or a word that no
    argument can hold.

    Programs take arguments for options, so this must never happen by itself: it did
    in php-cgi (CVE-2012-1823).
    """
    if not query or "=" in query:
        return ()
    words = tuple(unquote_to_bytes(word.encode("latin-1")) for word in query.split("+"))
    try:
        for word in words:
            word.decode("utf-8")
    except UnicodeDecodeError:
        return ()
    return () if any(b"\0" in word for word in words) else words


def wagi_arguments(template: str, path: str, query: str) -> tuple[bytes, ...]:
    """All arguments, the program's name among them, from the template `argv` of WAGI and of Spin,
    for a path and a query as the client sent them. Nothing is decoded."""
    values = {b"${SCRIPT_NAME}": path, b"${ARGS}": query.replace("&", " ")}
    parts = re.split(rb"(\$\{(?:SCRIPT_NAME|ARGS)\})", template.encode("utf-8"))
    text = b"".join(values[part].encode("latin-1", "replace") if part in values else part for part in parts)
    return tuple(word for word in text.split(b" ") if word)
