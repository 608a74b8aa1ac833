"""A connection to a Redis or Valkey server: RESP2 over a socket, with a bound on every wait
and every answer.

Written out because the bounds are the point: an answer's size is known before it is
read, a whole answer has one deadline however slowly it comes, and a status is told from
a value. https://redis.io/docs/latest/develop/reference/protocol-spec
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote

from wsgi_wasm.engine.hostcalls.host_api import HostState

_CONNECT = 5.0  # seconds at most
_WAIT = 30.0  # seconds at most that an answer may take
_SLICE = 0.05  # seconds of that between two looks at the clock
_PIECE = 1 << 16  # bytes that are sent at a time
_MAX_ANSWER = 5 << 20  # bytes
_MAX_DEPTH = 8  # of arrays in arrays


class RespError(Exception):
    """The connection cannot be made or used any more."""


class ServerError(Exception):
    """The server's own answer `-...`; the connection is as it was."""


class Status(str):
    """An answer `+...`, which says how a command went and is no value."""


Answer: TypeAlias = Any  # Status, int, bytes, None, or a list of these and of ServerError


class RespConnection:
    """Connects at the first call, or by `connect`."""

    def __init__(
        self, host: str, port: int, *, tls: bool, database: int, username: str | None, password: str | None
    ) -> None:
        self._name, self._port = host, port
        self._addresses: Sequence[str] = (host,)
        self._tls = tls
        self._hello: list[tuple[Any, ...]] = []
        if password is not None:
            self._hello.append(("AUTH", *([username] if username is not None else []), password))
        if database:
            self._hello.append(("SELECT", database))
        self._host_state: HostState | None = None
        self._socket: socket.socket | None = None
        self._unread = bytearray()
        self._end = 0.0
        self._left = 0
        self.usable = True

    @classmethod
    def from_url(cls, url: SplitResult) -> RespConnection:
        """For `redis://user:password@host:port/database`; `rediss` is TLS. Raises ValueError."""
        if url.scheme not in ("redis", "rediss") or not url.hostname:
            raise ValueError("is not a valid Redis address")
        path = url.path.strip("/")
        return cls(
            url.hostname,
            url.port or 6379,
            tls=url.scheme == "rediss",
            database=int(path) if path else 0,
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password is not None else None,
        )

    def go_to(self, addresses: Sequence[str] | None) -> None:
        """Connect to one of these addresses, tried in turn, whatever the name resolves to by then;
        None undoes it."""
        self._addresses = addresses or (self._name,)

    def serve(self, host: HostState | None) -> None:
        """From now on calls end when this run must end; None between runs."""
        self._host_state = host

    def is_stale(self) -> bool:
        """Whether the server has said something that nobody has asked for: its good-bye."""
        return self._socket is not None and self._has_spoken()

    def connect(self) -> None:
        """Raises RespError, ServerError."""
        self._begin()
        if self._socket is None:
            self._open()

    def call(self, *command: Any) -> Answer:
        """The answer to one command, whose parts are bytes, text or numbers.
        Raises RespError, ServerError."""
        self._begin()
        if self._socket is None:
            self._open()
        return self._ask(command)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._unread.clear()

    # --- one exchange ---

    def _begin(self) -> None:
        remaining = _WAIT if self._host_state is None else min(_WAIT, self._host_state.remaining())
        if remaining <= 0:
            raise RespError("the time limit was reached")
        self._end = time.monotonic() + remaining

    def _open(self) -> None:
        try:
            opened = self._connected()
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                opened = ssl.create_default_context().wrap_socket(opened, server_hostname=self._name)
        except (OSError, ValueError) as error:
            self.usable = False
            raise RespError(f"cannot connect: {error}") from None
        self._socket = opened
        for command in self._hello:
            try:
                self._ask(command)
            except ServerError:
                self.close()
                raise

    def _connected(self) -> socket.socket:
        """Raises OSError where no address takes the connection."""
        for address in self._addresses[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self._port), timeout=min(_CONNECT, self._time()))
        return socket.create_connection((self._addresses[-1], self._port), timeout=min(_CONNECT, self._time()))

    def _ask(self, command: tuple[Any, ...]) -> Answer:
        try:
            self._left = _MAX_ANSWER
            self._send(_written(command))
            answer = self._answer(0)
        except BaseException as error:
            # Half an answer may be left, which the next call would take for its own.
            self.usable = False
            self.close()
            if isinstance(error, OSError | ValueError | IndexError):
                raise RespError(str(error) or type(error).__name__) from None
            raise
        if isinstance(answer, ServerError):
            raise answer
        return answer

    def _answer(self, depth: int) -> Answer:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Status(rest.decode("utf-8", "replace"))
        if kind == b"-":
            return ServerError(rest.decode("utf-8", "replace"))
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"$":
            return self._bytes(number)
        if kind == b"*" and depth < _MAX_DEPTH:
            return [self._answer(depth + 1) for _ in range(number)]
        raise RespError("an invalid answer")

    def _line(self) -> bytes:
        while (end := self._unread.find(b"\r\n")) < 0:
            if len(self._unread) > 65536:
                raise RespError("an incomplete answer")
            self._receive(65536)
        line = bytes(self._unread[:end])
        del self._unread[: end + 2]
        self._spend(end + 2)
        return line

    def _bytes(self, size: int) -> bytes:
        self._spend(size + 2)
        while len(self._unread) < size + 2:
            self._receive(size + 2 - len(self._unread))
        value = bytes(self._unread[:size])
        del self._unread[: size + 2]
        return value

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise RespError(f"the answer is larger than {_MAX_ANSWER >> 20} MiB")

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            some = left[:_PIECE]
            left = left[self._waited(methodcaller("send", some)) :]

    def _receive(self, size: int) -> None:
        data: bytes = self._waited(methodcaller("recv", max(size, 4096)))
        if not data:
            raise RespError("the server has closed the connection")
        self._unread += data

    def _waited(self, work: Callable[[socket.socket], Any]) -> Any:
        """Wait for the server in slices, with a look at the clock between them. Raises Stop."""
        opened = self._socket
        assert opened is not None
        while True:
            opened.settimeout(min(_SLICE, self._time()))
            with contextlib.suppress(TimeoutError):
                return work(opened)

    def _time(self) -> float:
        if self._host_state is not None:
            self._host_state.look()
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise RespError("the time limit was reached")
        return remaining

    def _has_spoken(self) -> bool:
        assert self._socket is not None
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True


def _written(command: tuple[Any, ...]) -> bytes:
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
    pieces = [b"*%d\r\n" % len(parts)]
    for part in parts:
        pieces.append(b"$%d\r\n%b\r\n" % (len(part), part))
    return b"".join(pieces)
