"""The client library for MySQL with a bound on every wait and on what is received. Needs the
`pymysql` package."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import pymysql
from pymysql.protocol import MysqlPacket

from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.leases import TooLate
from wsgi_wasm.hostapi.mysql_address import TLS

MAX_RECEIVED = 32 << 20  # bytes of one answer
_SLICE = 0.05  # seconds between two looks at the clock while a server is silent
_PIECE = 1 << 16  # bytes that are sent or received at a time


class _NoPlainPassword:
    """In place of ways to log in that send the password as it is."""

    def __init__(self, _connection: object) -> None:
        pass

    def authenticate(self, _packet: object) -> None:
        raise pymysql.OperationalError(2059, "the server asks for the password itself, which is not supported")


class BoundedMysql(pymysql.Connection):
    """Looks at the clock, and at the size of the answer, whenever it waits."""

    # the client library's own, of which its types do not speak
    _sock: Any
    _execute_command: Callable[[int, bytes], None]
    _force_close: Callable[[], None]
    server_version: str

    def __init__(self, options: dict[str, Any], context: ssl.SSLContext | None, flags: int) -> None:
        self.end, self.received = 0.0, 0
        self.host_state: HostState | None = None
        self._unread = bytearray()
        self._unread_of: object = None
        super().__init__(
            host=options["host"],
            port=options["port"],
            user=options["user"],
            password=options["password"],
            database=options["database"] or None,
            ssl=context,
            ssl_disabled=TLS[options["tls"]] is None,
            charset="utf8mb4",
            autocommit=True,
            client_flag=flags,
            auth_plugin_map=dict.fromkeys(("mysql_clear_password", "dialog"), _NoPlainPassword),
            defer_connect=True,
        )
        self._connect_attrs = {"_client_name": "wsgi_wasm"}  # and nothing of this process

    def time(self) -> float:
        """Seconds that are left. Raises TooLate, Stop."""
        if self.host_state is not None:
            self.host_state.look()
        remaining = self.end - time.monotonic()
        if remaining <= 0:
            raise TooLate("the time limit was reached")
        return remaining

    def _waited(self, work: Callable[[Any], Any]) -> Any:
        while True:
            self._sock.settimeout(min(_SLICE, self.time()))
            with contextlib.suppress(TimeoutError):
                return work(self._sock)

    def _read_bytes(self, num_bytes: int) -> bytes:
        if self._unread_of is not self._sock:
            # Encrypted from here on: what came before does not count.
            self._unread.clear()
            self._unread_of = self._sock
        self.received += num_bytes
        if self.received > MAX_RECEIVED:
            raise TooLate(f"the answer is larger than {MAX_RECEIVED >> 20} MiB")
        while len(self._unread) < num_bytes:
            data = self._waited(methodcaller("recv", _PIECE))
            if not data:
                raise pymysql.OperationalError(2013, "the server has closed the connection")
            self._unread += data
        found = bytes(self._unread[:num_bytes])
        del self._unread[:num_bytes]
        return found

    def _write_bytes(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            some = left[:_PIECE]
            left = left[self._waited(methodcaller("send", some)) :]

    def packet(self, kind: type[MysqlPacket] = MysqlPacket) -> Any:
        """The next one. Raises pymysql.Error for what the server says went wrong."""
        read: Callable[..., Any] = self._read_packet
        return read(kind)

    def command(self, number: int, data: bytes = b"") -> None:
        """Begin an exchange."""
        self.received = 0
        self._execute_command(number, data)

    def cut(self) -> None:
        """Close, without a good-bye for which a server could be waited for."""
        self._force_close()

    @property
    def socket(self) -> socket.socket | None:
        """None where it is closed."""
        opened: socket.socket | None = self._sock
        return opened
