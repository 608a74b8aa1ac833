"""Two small servers that answer as they are told, also as no server should."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = bytes | Callable[[socket.socket], None]


def answer(body: str | bytes = "", status: str = "200 OK", *fields: str) -> bytes:
    """A whole answer with a length."""
    data = body.encode() if isinstance(body, str) else body
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *fields))
    return head.encode("latin-1") + b"\r\n" + data


@dataclass
class Answering:
    """A server on a free port. `answers` are by target; `requests` are the bytes of those that came."""

    answers: Mapping[str, Answer]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        """One request."""
        with connection, suppress(OSError):
            connection.settimeout(60)
            data = b""
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    while len(body) < int(line.partition(b":")[2]):
                        body += connection.recv(65536)
            self.requests.append(head + b"\r\n\r\n" + body)
            one = self.answers.get(head.split(b" ")[1].decode("latin-1"), answer("none", "404 Not Found"))
            if isinstance(one, bytes):
                connection.sendall(one)
            else:
                one(connection)


@contextmanager
def answering(answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> Iterator[Answering]:
    """A server for the time of a block."""
    server = Answering(answers)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port = listening.getsockname()[1]
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    if tls is not None:
                        try:
                            connection = tls.wrap_socket(connection, server_side=True)
                        except OSError:
                            connection.close()
                            continue
                    threads.append(threading.Thread(target=server.serve, args=(connection,)))
                    threads[-1].start()

        loop = threading.Thread(target=accept)
        loop.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            loop.join()
            for thread in threads:
                thread.join()


def dripping(pause: float) -> Callable[[socket.socket], None]:
    """Answers a byte at a time, without an end."""

    def serve(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return serve


def endless(connection: socket.socket) -> None:
    """A body without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)
