"""Requests of one component to another of the same application: the server's end of a connection
within this process.

The caller's end is Wasmtime's client and the forwarder (`hostapi/forwarder.py`), which write
HTTP/1.1 and know no difference. One request per connection; an answer that breaks off ends the
connection before its last chunk.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from wsgi_wasm.cgi.message import BODYLESS
from wsgi_wasm.gateway.wsgi_server import Environ, WSGIApplication
from wsgi_wasm.logs import package_log

log = package_log("gateway")

_MOST_LINES = 1000
_LONGEST_LINE = 1 << 17  # bytes; the forwarder takes no longer head


def serve(connection: socket.socket, application: WSGIApplication) -> None:
    """Answer the one request that comes, and close. Raises nothing: a broken connection is what
    the caller sees."""
    try:
        with connection, connection.makefile("rb") as source:
            environ = _environ(source, connection)
            answer = _ResponseWriter(connection, environ["REQUEST_METHOD"])
            for part in application(environ, answer.start_response):
                answer.write(part)
            answer.end()
    except Exception as error:
        log.debug("a request between components ended: %r", error)


def _environ(source: BinaryIO, connection: socket.socket) -> Environ:
    """The request's environ (PEP 3333). Raises ValueError, OSError."""
    method, target, protocol = _line(source).split(" ")
    path, _, query = target.partition("?")
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "SERVER_PROTOCOL": protocol,
        "SERVER_NAME": "spin.internal",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "0.0.0.0",
        "REMOTE_PORT": "0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "gunicorn.socket": connection,  # shows when the caller is gone, as gunicorn's does
    }
    for name, value in _fields(source):
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        joint = "; " if key == "HTTP_COOKIE" else ", "
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    environ["wsgi.input"] = _Chunks(source) if chunked else source
    return environ


def _line(source: BinaryIO) -> str:
    line = source.readline(_LONGEST_LINE + 1)
    if not line.endswith(b"\r\n"):
        raise ValueError("a head that is too long, or cut off")
    return line[:-2].decode("latin-1")


def _fields(source: BinaryIO) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    while line := _line(source):
        name, colon, value = line.partition(":")
        if not colon or len(fields) == _MOST_LINES:
            raise ValueError("an invalid head")
        if "_" not in name:  # it would be taken for a field with a '-'
            fields.append((name, value.strip(" \t")))
    return fields


class _Chunks:
    """A body in chunks (RFC 9112 7.1)."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises ValueError, OSError."""
        if not self._left and not self._ended:
            self._left = int(_line(self._source).partition(";")[0], 16)
            if not self._left:
                self._ended = True
                while _line(self._source):  # trailers
                    pass
        data = self._source.read(min(size, self._left)) if self._left else b""
        if self._left and not data:
            raise OSError("a body that was cut off")
        self._left -= len(data)
        if data and not self._left:
            _line(self._source)
        return data


class _ResponseWriter:
    """Writes HTTP/1.1: with the length that the application gives, else in chunks."""

    def __init__(self, connection: socket.socket, method: str) -> None:
        self._connection = connection
        self._method = method
        self._head = b""
        self._chunked = False
        self._silent = False

    def start_response(self, status: str, fields: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], None]:
        """PEP 3333."""
        self._silent = self._method == "HEAD" or int(status[:3]) in BODYLESS
        self._chunked = not self._silent and not any(name.lower() == "content-length" for name, _ in fields)
        own = [("Connection", "close"), *([("Transfer-Encoding", "chunked")] if self._chunked else [])]
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in [*fields, *own]), "", ""]
        self._head = "\r\n".join(lines).encode("latin-1")
        return self.write

    def write(self, data: bytes) -> None:
        """A piece of the body, after the head."""
        if self._silent or not data:
            data = b""
        elif self._chunked:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        if self._head or data:
            self._connection.sendall(self._head + data)
            self._head = b""

    def end(self) -> None:
        """The head, where there was no body; the last chunk."""
        self.write(b"")
        if self._chunked:
            self._connection.sendall(b"0\r\n\r\n")
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
