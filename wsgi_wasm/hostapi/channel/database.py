"""Databases for programs: those that `sqlite`, `postgres` and `mysql` of the route grant, with the
limits and the pools that components have."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wsgi_wasm.config.granted import Database, Grants
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi import mysql, postgres
from wsgi_wasm.hostapi.channel.database_kinds import (
    Connected,
    DatabaseFailed,
    MysqlServer,
    PostgresServer,
    SqliteFile,
    StatementAnswer,
)
from wsgi_wasm.hostapi.channel.database_rows import MOST_BYTES, Rows, parameters
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.service import Service, Words, number
from wsgi_wasm.hostapi.leases import CannotConnect, LeasingServers
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, MAX_HANDLES
from wsgi_wasm.hostapi.mysql_wire import BYTES_AS_TEXT
from wsgi_wasm.hostapi.refused import say_not_granted

_DONE, _FAILED = number(0), number(1)


class GrantedDatabases(NamedTuple):
    """What a route grants."""

    files: Mapping[str, Database]
    postgres: LeasingServers
    mysql: LeasingServers


class _PreparedText:
    def __init__(self, connection: int, text: str) -> None:
        self.connection = connection
        self.text = text
        self.rows: Rows | None = None


class Databases:
    """The service in one run."""

    def __init__(self, host: HostState, granted: GrantedDatabases) -> None:
        self._host_state = host
        self._granted = granted
        self._connections: dict[int, Connected] = {}
        self._statements: dict[int, _PreparedText] = {}
        self._last = 0

    def open(self, request: bytes) -> bytes:
        """Kind and address, for a handle."""
        fields = Words(request)
        kind, address = (fields.text().decode("utf-8", "replace") for _ in range(2))
        if kind not in _KINDS:
            raise Declined(Errno.INVAL)
        if len(self._connections) >= MAX_CONNECTIONS:
            return _failure(
                DatabaseFailed(f"a guest can have at most {MAX_CONNECTIONS} open connections", state="08004")
            )
        try:
            return _DONE + number(self._new(self._connections, _KINDS[kind](self, address)))
        except CannotConnect as error:
            return _failure(DatabaseFailed(str(error), state="08001"))
        except DatabaseFailed as error:
            return _failure(error)

    def _open_file(self, label: str) -> Connected:
        if label not in self._granted.files:
            say_not_granted("database", label, "`sqlite` of the route")
            raise DatabaseFailed("unable to open database file", 14)
        return SqliteFile(self._granted.files[label], self._host_state)

    def _open_postgres(self, address: str) -> Connected:
        return PostgresServer(self._granted.postgres.open(address, self._host_state))

    def _open_mysql(self, address: str) -> Connected:
        # As Perl's driver has it: a row counts that an UPDATE finds, also if it changes nothing.
        return MysqlServer(self._granted.mysql.open(address, self._host_state, found_rows=True))

    def _new(self, those: dict[int, Any], one: Any) -> int:
        self._last += 1
        those[self._last] = one
        return self._last

    def prepare(self, request: bytes) -> bytes:
        """A connection, and the statement, for a handle."""
        fields = Words(request)
        connection = fields.number()
        if connection not in self._connections:
            raise Declined(Errno.BADF)
        if len(self._statements) >= MAX_HANDLES:
            return _failure(DatabaseFailed(f"a guest can have at most {MAX_HANDLES} statements"))
        text = fields.rest().decode("utf-8", BYTES_AS_TEXT)
        return _DONE + number(self._new(self._statements, _PreparedText(connection, text)))

    def execute(self, request: bytes) -> bytes:
        """A statement, and its parameters, for what it changed, columns and the first rows."""
        fields = Words(request)
        statement = self._statement(fields)
        connection = self._connections.get(statement.connection)
        if connection is None:
            raise Declined(Errno.BADF)
        values = parameters(fields.rest())
        statement.rows = None
        try:
            answer = connection.run(statement.text, values, self._gather)
        except DatabaseFailed as error:
            return _failure(error)
        statement.rows = answer.rows
        return _described(answer) + answer.rows.piece()

    def _gather(self, rows: Iterable[Sequence[Any]]) -> Rows:
        waiting = sum(len(one.rows) for one in self._statements.values() if one.rows is not None)
        return Rows(rows, self._host_state, MOST_BYTES - waiting)

    def fetch(self, request: bytes) -> bytes:
        """A statement, for the next rows."""
        rows = self._statement(Words(request)).rows
        return b"\0" if rows is None else rows.piece()

    def _statement(self, fields: Words) -> _PreparedText:
        statement = self._statements.get(fields.number())
        if statement is None:
            raise Declined(Errno.BADF)
        return statement

    def close_one(self, request: bytes) -> bytes:
        """A connection or a statement, which is not used any more."""
        handle = Words(request).number()
        if self._statements.pop(handle, None) is not None:
            return b""
        connection = self._connections.pop(handle, None)
        if connection is None:
            raise Declined(Errno.BADF)
        connection.close()
        return b""

    def close(self) -> None:
        """The guest has ended."""
        connections, self._connections = self._connections, {}
        self._statements.clear()
        for connection in connections.values():
            connection.close()


_KINDS: dict[str, Callable[[Databases, str], Connected]] = {
    "sqlite": Databases._open_file,
    "postgres": Databases._open_postgres,
    "mysql": Databases._open_mysql,
}


def _failure(error: DatabaseFailed) -> bytes:
    text = str(error).replace("\0", " ").encode("utf-8", BYTES_AS_TEXT)
    return _FAILED + struct.pack("<i", error.number) + error.state.encode("ascii", "replace") + b"\0" + text + b"\0"


def _described(answer: StatementAnswer) -> bytes:
    head = _DONE + struct.pack("<qqI", answer.changed, _signed(answer.inserted), len(answer.columns))
    names = (text.replace("\0", " ").encode("utf-8", BYTES_AS_TEXT) + b"\0" for one in answer.columns for text in one)
    return head + b"".join(names)


def _signed(value: int) -> int:
    return value if value < 1 << 63 else value - (1 << 64)


def _bind(grants: Grants) -> GrantedDatabases:
    return GrantedDatabases(grants.sqlite, postgres.Servers(grants.postgres), mysql.MysqlServers(grants.mysql))


SERVICE = Service(
    name="database",
    number=8,
    operations={
        0: Databases.open,
        1: Databases.prepare,
        2: Databases.execute,
        3: Databases.fetch,
        4: Databases.close_one,
    },
    bind=_bind,
    begin=Databases,
    offers=lambda grants: ["database"] if grants.sqlite or grants.postgres or grants.mysql else [],
)
