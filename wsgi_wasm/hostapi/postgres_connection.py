"""A connection to a PostgreSQL server whose every wait, and every answer, has a bound. Needs
the `psycopg` package."""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import psycopg
from psycopg import conninfo, pq

from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi.leases import TooLate
from wsgi_wasm.hostapi.postgres_values_4 import prepare

_CONNECT = 5.0  # seconds at most
_RESET = 2.0  # seconds at most, between two runs
# bytes of one answer, which the client library gathers before anybody can look at it
_MAX_RECEIVED = 32 << 20
_INTERVAL = 0.05  # seconds between two looks at the clock while a server is silent

# What a guest may say of a connection. Nothing that names files of the host, or another address
# than `host`.
_OPTIONS = frozenset({"host", "port", "user", "password", "dbname", "sslmode", "application_name", "connect_timeout"})

# The server's own files and tickets are not the guest's: whatever else libpq would look for
# by itself.
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


def options(address: str) -> dict[str, Any]:
    """What a guest's address says, a URL or `name=value` pairs. Raises ValueError in words that are
    for the guest."""
    try:
        found = conninfo.conninfo_to_dict(address)
    except psycopg.Error as error:
        raise ValueError(f"the address cannot be read: {error}") from None
    wrong = sorted(found.keys() - _OPTIONS)
    if wrong:
        raise ValueError(f"the address has parameters that are not supported: {', '.join(wrong)}")
    if not found.get("user"):
        raise ValueError("the address names no user")
    port = str(found.get("port", 5432))
    if not (port.isascii() and port.isdigit()):
        raise ValueError("the address must have exactly one port")
    return {**found, "host": str(found.get("host", "")), "port": int(port)}


def placed(options: dict[str, Any], addresses: tuple[str, ...]) -> dict[str, Any]:
    """The options with the address to connect to."""
    return {**options, "hostaddr": addresses[0]}


def connect(options: dict[str, Any], host: HostState) -> PostgresConnection:
    """Raises psycopg.Error, TooLate."""
    return PostgresConnection(options, host)


class _BoundedConnection(psycopg.Connection[Any]):
    """Looks at the clock and at the size of the answer whenever the client library waits."""

    end = math.inf  # on the monotonic clock
    received = 0
    host_state: HostState | None = None  # of the run that waits

    @classmethod
    def _connect_gen(cls, *args: Any, **options: Any) -> Any:
        def look() -> None:
            if cls.host_state is not None:
                cls.host_state.look()

        # libpq itself waits for two seconds at least.
        return _looking(super()._connect_gen(*args, **options), look)

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(_looking(gen, self._look), _INTERVAL)

    def _look(self) -> None:
        if self.host_state is not None:
            self.host_state.look()
        if time.monotonic() >= self.end:
            raise TooLate("the time limit was reached")
        if received_by(self.pgconn.socket) - self.received > _MAX_RECEIVED:
            raise TooLate(f"the answer is larger than {_MAX_RECEIVED >> 20} MiB")


def _looking(inner: Generator[Any, Any, Any], look: Callable[[], None]) -> Generator[Any, Any, Any]:
    """The client library's steps, with a look before each wait. Raises what `look` does."""
    ready = None
    while True:
        try:
            wanted = inner.send(ready)
        except StopIteration as end:
            return end.value
        look()
        ready = yield wanted


def received_by(descriptor: int) -> int:
    """Bytes that a TCP socket has received so far."""
    with socket.socket(fileno=os.dup(descriptor)) as one:
        info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    return int(_BYTES_RECEIVED.unpack_from(info, 128)[0]) if len(info) >= 136 else 0


class PostgresConnection:
    """One run's connection at a time. Each statement is a transaction, unless the guest
    begins one itself."""

    def __init__(self, options: dict[str, Any], host: HostState) -> None:
        """Connects. Raises psycopg.Error, TooLate."""
        remaining = host.remaining()
        if remaining <= 0:
            raise TooLate("the time limit was reached")
        given = {**options, **_OURS, "connect_timeout": math.ceil(min(_CONNECT, remaining))}
        # Whoever connects looks at the clock of this run.
        bounded: type[_BoundedConnection] = type("_BoundedConnection", (_BoundedConnection,), {"host_state": host})
        self._raw = bounded.connect(autocommit=True, cursor_factory=psycopg.RawCursor, **given)
        prepare(self._raw.adapters)
        self._host_state: HostState | None = None

    def serve(self, host: HostState) -> None:
        """From now on statements end when this run must end. Raises psycopg.Error, TooLate."""
        self._host_state = self._raw.host_state = host
        # The server would otherwise go on for nobody. A guest that undoes this is stopped by the
        # clock here.
        self.run(f"SET statement_timeout = {max(1, int(host.remaining() * 1000))}", ())

    def run(self, statement: str, parameters: Sequence[Any], *, binary: bool = False) -> psycopg.Cursor[Any]:
        """The cursor after one statement; `binary` is the form of its results.
        Raises psycopg.Error, TooLate."""
        assert self._host_state is not None
        remaining = self._host_state.remaining()
        if remaining <= 0:
            raise TooLate("the time limit was reached")
        return self._run(statement, parameters, remaining, binary)

    def _run(
        self, statement: str, parameters: Sequence[Any], seconds: float, binary: bool = False
    ) -> psycopg.Cursor[Any]:
        raw = self._raw
        try:
            raw.end = time.monotonic() + seconds
            raw.received = received_by(raw.pgconn.socket)
            return raw.execute(statement, parameters, binary=binary)
        except (TooLate, OSError, Stop):
            self.close()
            raise
        except psycopg.Error:
            if raw.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                # The server waits for what no guest can send it, the data of a COPY.
                self.close()
            raise

    def reset(self) -> bool:
        """Leave nothing of a run for the next: settings, temporary tables, locks. False
        where that fails."""
        self._host_state = self._raw.host_state = None
        try:
            if self._raw.pgconn.transaction_status != pq.TransactionStatus.IDLE:
                self._run("ROLLBACK", (), _RESET)
            self._run("DISCARD ALL", (), _RESET)
        except (psycopg.Error, TooLate, OSError):
            return False
        return True

    def is_stale(self) -> bool:
        """Whether the server has something to say that nobody has asked for: its good-bye."""
        if self._raw.closed:
            return True
        poll = select.poll()
        poll.register(self._raw.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        # Not politely: a server that does not answer must not be waited for.
        self._raw.pgconn.finish()
