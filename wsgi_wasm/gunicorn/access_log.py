"""Access log lines in Apache's combined format, written under gunicorn.

    %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"

gunicorn's own format escapes quotation marks alone, so a backslash before one ends the field, and
it leaves out requests that it refuses before it has read them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

# As httpd's ap_escape_logitem writes what is not printable ASCII, a quotation mark or a backslash.
_SHORT = {"\b": "\\b", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", '"': '\\"', "\\": "\\\\"}
_ESCAPED = re.compile(r"[^ !#-\[\]-~]")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_NO_BODY = "-"
_UNREAD: Mapping[str, Any] = {}
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")


def escaped_item(text: str) -> str:
    """A field of a request, whose characters stand for bytes (PEP 3333), as httpd logs it."""
    return _ESCAPED.sub(lambda match: _SHORT.get(match[0]) or f"\\x{ord(match[0]) & 0xFF:02x}", text)


def combined_line(environ: Mapping[str, Any], request: str, status: int | str, sent: int, now: float) -> str:
    """The line of one request. `request` is its first line, "" for one that was not read; `sent` is
    the bytes of the body, `now` the time in seconds since the epoch."""
    address = environ.get("REMOTE_ADDR") or "-"
    user = environ.get("REMOTE_USER") or "-"
    referrer, agent = environ.get("HTTP_REFERER", "-"), environ.get("HTTP_USER_AGENT", "-")
    fields = [escaped_item(str(text)) for text in (address, user, request or "-", referrer, agent)]
    return (
        f'{fields[0]} - {fields[1]} [{_time(now)}] "{fields[2]}" {str(status)[:3]} {sent or _NO_BODY} '
        f'"{fields[3]}" "{fields[4]}"'
    )


def _time(now: float) -> str:
    """Local time, with names of months that no locale changes."""
    local = time.localtime(now)
    minutes = local.tm_gmtoff // 60
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    return time.strftime(f"%d/{_MONTHS[local.tm_mon - 1]}/%Y:%H:%M:%S {zone}", local)


class CombinedLog(Logger):  # type: ignore[misc]
    """gunicorn's logs, with an access log in this format."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn's. A reader that has left, or a full disk, costs lines and nothing else."""
        super().setup(cfg)
        self._lost = False
        for handler in self.access_log.handlers:
            handler.handleError = self._cannot_write

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """As gunicorn's, which calls it at the end of each request that was read. The time in the
        line is that of the request's beginning, as in Apache's."""
        if self.access_log_enabled:
            first = f"{environ.get('REQUEST_METHOD')} {environ.get('RAW_URI')} {environ.get('SERVER_PROTOCOL')}"
            started = time.time() - request_time.total_seconds()
            self.write(combined_line(environ, first, resp.status or "500", resp.sent or 0, started))

    def write(self, line: str) -> None:
        """A whole line."""
        self.access_log.info("%s", line)

    def _cannot_write(self, record: Any) -> None:
        if not self._lost:
            self._lost = True
            self.error("the access log cannot be written")


class _Answered:
    """A connection, and the beginning of what is sent to it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.sent = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        self.sent += data
        self._connection.sendall(data)


def log_refused(worker: Any) -> None:
    """Log what a worker answers to requests that gunicorn refuses before it has read them."""
    refuse = worker.handle_error

    def handle_error(req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        # gunicorn itself logs those whose head was read, also where the error carries the request
        if req is not None or hasattr(getattr(exc, "req", None), "method") or not worker.log.access_log_enabled:
            refuse(req, client, addr, exc)
            return
        answered = _Answered(client)
        refuse(req, answered, addr, exc)
        status = _STATUS.match(answered.sent)
        if status:
            line = getattr(exc, "req", "")
            environ = {"REMOTE_ADDR": addr[0] if isinstance(addr, tuple) else ""}
            size = len(answered.sent.partition(b"\r\n\r\n")[2])
            worker.log.write(
                combined_line(environ, line if isinstance(line, str) else "", status[1].decode(), size, time.time())
            )

    worker.handle_error = handle_error
