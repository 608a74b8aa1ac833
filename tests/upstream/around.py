"""The servers that upstream's harnesses put beside their programs, on loopback."""

from __future__ import annotations

import http.server
import socketserver
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostapi.backends import postgres, redis

LINES = {"/a": "one line", "/b": "and another", "/c": "a third", "/d": "the last"}
# What a server for HTTP/2 alone says to a client of HTTP/1.1: its settings, and that the connection is at an end.
HTTP_2 = bytes.fromhex("0000000400000000000000080700000000000000000000000001")


class Echo(http.server.BaseHTTPRequestHandler):
    """The body comes back, piece by piece while it comes; the head says what was asked. `/a` to `/d` are LINES."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("x-wasmtime-test-method", self.command)
        self.send_header("x-wasmtime-test-uri", self.path)
        if self.command == "GET" and self.path in LINES:
            self._whole(LINES[self.path].encode())
        elif "chunked" in self.headers.get("transfer-encoding", ""):
            self._pieces()
        else:
            self._whole(self.rfile.read(int(self.headers.get("content-length", 0))))

    do_GET = do_POST = do_PUT = do_CONNECT = do_DELETE = answer

    def _whole(self, body: bytes) -> None:
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self) -> None:
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while True:
            size = self.rfile.readline()
            piece = self.rfile.read(int(size, 16) + 2)
            self.wfile.write(size + piece)
            if piece == b"\r\n":
                return

    def log_message(self, *_: Any) -> None:
        pass


class Http2(socketserver.BaseRequestHandler):
    """Whatever a client says, it is not what this server speaks."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(HTTP_2)


DATABASES = {"6379": ("redis", redis), "5432": ("postgres", postgres)}


@contextmanager
def surroundings(wanted: Collection[str]) -> Iterator[dict[str, str]]:
    """What stands for `{http}` and `{http2}` in the cases, addresses with their ports; and ports by the numbers that
    Spin's own harness has for them, those of databases where they are `wanted`."""
    with ExitStack() as stack:
        echo = stack.enter_context(_serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)))
        http2 = stack.enter_context(_serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Http2)))
        words = {"http": f"127.0.0.1:{echo}", "http2": f"127.0.0.1:{http2}", "80": str(echo)}
        for number, (server, make) in DATABASES.items():
            if number in wanted:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="upstream-"))) / server
                place.mkdir()
                words[number] = str(stack.enter_context(make(place)).port)
        yield words


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    with server:
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)
