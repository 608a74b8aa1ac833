"""A connection to a PostgreSQL server whose every wait, and every answer, has a bound. Needs the `psycopg` package."""

from __future__ import annotations

import math
import os
import socket
import struct
from collections.abc import Generator, Sequence
from typing import Any

import psycopg
from psycopg import conninfo, pq

from wsgi_wasm.engine.hostcalls import Held

_CONNECT = 5.0  # seconds at most
_MAX_RECEIVED = 32 << 20  # bytes of one answer, which the client library gathers before anybody can look at it
_INTERVAL = 0.1  # seconds between two looks at the clock while a server is silent

# What a guest may say of a connection. Nothing that names files of the host, or another address than `host`.
_OPTIONS = frozenset({"host", "port", "user", "password", "dbname", "sslmode", "application_name", "connect_timeout"})

# The server's own files and tickets are not the guest's: whatever else libpq would look for by itself.
_OURS = {
    "passfile": "/nonexistent",
    "sslcert": "/nonexistent",
    "sslkey": "/nonexistent",
    "gssencmode": "disable",
    "require_auth": "!gss,!sspi",
    "client_encoding": "UTF8",
}

Error = psycopg.Error

_BYTES_RECEIVED = struct.Struct("=Q")  # in `struct tcp_info` of Linux, at 128


class TooLate(Exception):
    """The run's time is up, or an answer is larger than allowed; the connection is of no use any more."""


def options(address: str) -> dict[str, Any]:
    """What a guest's address says, a URL or `name=value` pairs. Raises ValueError in words that are for the guest."""
    try:
        found = conninfo.conninfo_to_dict(address)
    except psycopg.Error as error:
        raise ValueError(f"the address cannot be read: {error}") from None
    wrong = sorted(found.keys() - _OPTIONS)
    if wrong:
        raise ValueError(f"the address has what is not supported here: {', '.join(wrong)}")
    if not found.get("user"):
        raise ValueError("the address names no user")
    port = str(found.get("port", 5432))
    if not (port.isascii() and port.isdigit()):
        raise ValueError("the address has no single port")
    return {**found, "host": str(found.get("host", "")), "port": int(port)}


class _Connection(psycopg.Connection[Any]):
    """Looks at the clock and at the size of the answer whenever the client library waits."""

    held: Held | None = None
    received = 0

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(self._bounded(gen), _INTERVAL)

    def _bounded(self, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        ready = None
        while True:
            try:
                wanted = inner.send(ready)
            except StopIteration as end:
                return end.value
            self._check()
            ready = yield wanted

    def _check(self) -> None:
        if self.held is None:
            return
        if self.held.remaining() <= 0:
            raise TooLate("the time is up")
        if received_by(self.pgconn.socket) - self.received > _MAX_RECEIVED:
            raise TooLate(f"the answer is larger than {_MAX_RECEIVED >> 20} MiB")


def received_by(descriptor: int) -> int:
    """Bytes that a TCP socket has received so far."""
    with socket.socket(fileno=os.dup(descriptor)) as one:
        info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    return int(_BYTES_RECEIVED.unpack_from(info, 128)[0]) if len(info) >= 136 else 0


class PostgresConnection:
    """A guest's connection. Each statement is a transaction, unless the guest begins one itself."""

    def __init__(self, options: dict[str, Any], held: Held) -> None:
        """Connects. Raises psycopg.Error, TooLate."""
        remaining = held.remaining()
        if remaining <= 0:
            raise TooLate("the time is up")
        given = {**options, **_OURS, "connect_timeout": math.ceil(min(_CONNECT, remaining))}
        self._raw = _Connection.connect(autocommit=True, cursor_factory=psycopg.RawCursor, **given)
        self._raw.held = held
        self._held = held

    def run(self, statement: str, parameters: Sequence[Any]) -> psycopg.Cursor[Any]:
        """The cursor after one statement. Raises psycopg.Error, TooLate."""
        raw = self._raw
        remaining = self._held.remaining()
        if remaining <= 0:
            raise TooLate("the time is up")
        try:
            raw.received = received_by(raw.pgconn.socket)
            # The server would go on for nobody; a guest that undoes this is stopped by the clock here.
            raw.execute(f"SET statement_timeout = {max(1, int(remaining * 1000))}")
            return raw.execute(statement, parameters)
        except TooLate:
            self.close()
            raise
        except psycopg.Error:
            if raw.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                # The server waits for what no guest can send it, the data of a COPY.
                self.close()
            raise

    def close(self) -> None:
        # Not politely: a server that does not answer must not be waited for.
        self._raw.pgconn.finish()
