"""The WSGI application that a guest is compared with: the same answers, from Python in the server's own process.

It does what an application would do that is written for speed: constants are made once, nothing is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

PAGE = Path(__file__).with_name("data") / "page.html"
PIECE = b"x" * 65536
SIZE = 10_000_000

Environ = dict[str, Any]
Fields = list[tuple[str, str]]
Answer = tuple[str, bytes]


def hello(environ: Environ) -> Answer:
    return "text/plain", f"hello {environ['QUERY_STRING']}\n".encode()


def environment(environ: Environ) -> Answer:
    lines = [f"{name}={value}\n" for name, value in environ.items() if isinstance(value, str)]
    return "text/plain", "".join(lines).encode("latin-1", "replace")


def form(environ: Environ) -> Answer:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    values = parse_qsl(body, keep_blank_values=True)
    return "text/plain", f"{len(values)} fields, {sum(len(value) for _, value in values)} bytes\n".encode()


def body_size(environ: Environ) -> Answer:
    total, left = 0, int(environ["CONTENT_LENGTH"])
    while left and (piece := environ["wsgi.input"].read(min(left, 65536))):
        total += len(piece)
        left -= len(piece)
    return "text/plain", f"{total} bytes\n".encode()


def file(environ: Environ) -> Answer:
    return "text/html", PAGE.read_bytes()


def page(environ: Environ) -> Answer:
    name = parse_qs(environ["QUERY_STRING"]).get("name", ["nobody"])[0]
    return "text/html; charset=utf-8", f"<h1>Hello, {escape(name)}!</h1>\n".encode()


def lines(environ: Environ) -> Answer:
    return "text/plain", b"".join(each_line())


def each_line() -> Iterator[bytes]:
    for line in range(1000):
        yield b"line %03d of a thousand\n" % line


def pieces() -> Iterator[bytes]:
    left = SIZE
    while left:
        piece = PIECE if left >= len(PIECE) else PIECE[:left]
        yield piece
        left -= len(piece)


WHOLE: dict[str, Callable[[Environ], Answer]] = {
    "/hello": hello,
    "/environment": environment,
    "/form": form,
    "/in": body_size,
    "/file": file,
    "/page": page,
    "/lines": lines,
}
STREAMED: dict[str, tuple[Fields, Callable[[], Iterator[bytes]]]] = {
    "/out": ([("Content-Type", "application/octet-stream"), ("Content-Length", str(SIZE))], pieces),
    "/flushed": ([("Content-Type", "text/plain")], each_line),
}


def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """PEP 3333."""
    path = environ["PATH_INFO"]
    if path in STREAMED:
        fields, make = STREAMED[path]
        start_response("200 OK", list(fields))
        return make()
    kind, body = WHOLE[path](environ)
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
