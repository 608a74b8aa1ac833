"""Servers that guests reach through the host, as texts: see `scalars`, whose rules these
functions follow."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

REDIS_URL = r"rediss?://(?:.|\n)+"
ENDPOINT = r"(?:[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?"


def redis_url(text: str) -> str:
    """`redis://host`, with what else such a URL may have; `rediss://` goes through TLS."""
    if not re.fullmatch(REDIS_URL, text) or not _is_server(text):
        raise ValueError("is not a valid Redis URL; write 'redis://host:6379/0'")
    return text


def _is_server(text: str) -> bool:
    """Whether a URL names a host, with a port and a database that are numbers if they are there."""
    try:
        url = urlsplit(text)
        return bool(url.hostname) and url.port != 0 and re.fullmatch(r"/?|/[0-9]{1,9}/?", url.path) is not None
    except ValueError:
        return False


def endpoint(text: str, port: int) -> tuple[str, int]:
    """A server's name or address with its port, which is `port` where none is written."""
    if "://" in text:
        raise ValueError("is a URL; write only the host and its port")
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:]+)(?::([0-9]+))?", text)
    if match is None or not re.fullmatch(ENDPOINT, text) or int(match[2] or port) > 65535:
        raise ValueError(f"is not a valid server; write a host and a port, such as 'db.example:{port}'")
    return match[1].strip("[]").lower(), int(match[2] or port)
