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


MAIL_SERVER = r"(?:smtp|smtps|smtp\+starttls)://(?:.|\n)+|/(?:.|\n)+"
ADDRESS_PATTERN = r"\*|[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"


def mail_server(text: str) -> str:
    """`smtp://host`, with a port and a user where there are any; `smtps://` and `smtp+starttls://`
    go through TLS. Or the path of a program that takes mail as sendmail(8) does."""
    if text.startswith("/"):
        return text
    if not re.fullmatch(MAIL_SERVER, text) or not _is_mail_server(text):
        raise ValueError("is not a mail server; write 'smtp://mail.example:25' or '/usr/sbin/sendmail'")
    return text


def _is_mail_server(text: str) -> bool:
    try:
        url = urlsplit(text)
        return bool(url.hostname) and url.port != 0 and url.path in ("", "/") and not url.query and not url.fragment
    except ValueError:
        return False


def address_pattern(text: str) -> str:
    """An address, `*@example` for all of a host, `*@*.example` for those below it, or `*`."""
    if not re.fullmatch(ADDRESS_PATTERN, text):
        raise ValueError("is no address; write 'name@host.example', '*@host.example' or '*'")
    return text
