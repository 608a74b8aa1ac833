"""What becomes of a head between mod_wsgi's daemon and Apache, which passes it on in CGI's form."""

from __future__ import annotations

from collections.abc import Iterable

from wsgi_wasm.errors import BadGateway

LONGEST_LINE = 32765
"""Bytes of a header line, without its end (`wsgi_scan_headers`). `header-buffer-size` of
WSGIDaemonProcess can make it another number, which mod_wsgi tells nobody."""


def daemon_reason(status: int, reason: str) -> str:
    """By `200 Error` mod_wsgi means that the application has failed, and answers 500."""
    return "OK" if status == 200 and reason == "Error" else reason


def check_daemon_head(reason: str, fields: Iterable[tuple[str, str]]) -> None:
    """Raises BadGateway, naming the field, where Apache would answer 500 because of a long line."""
    for name, value in fields:
        if len(name) + len(value) + 2 > LONGEST_LINE:
            raise BadGateway(_too_long(name, len(name) + len(value) + 2))
    if len(reason) + 12 > LONGEST_LINE:  # Status: 200 reason
        raise BadGateway(_too_long("Status", len(reason) + 12))


def _too_long(name: str, size: int) -> str:
    return f"the line of the field {name} has {size} bytes, but mod_wsgi's daemons pass on at most {LONGEST_LINE}"
