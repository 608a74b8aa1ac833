"""The databases that guests reach by the channel: connections of each kind, with one interface."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple, Protocol

from wsgi_wasm.config.granted import Database
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi import mysql, postgres
from wsgi_wasm.hostapi.channel.database_rows import AnswerColumn, Rows
from wsgi_wasm.hostapi.leases import Lease, TooLate, said
from wsgi_wasm.hostapi.limits import TooLarge
from wsgi_wasm.hostapi.mysql_wire import BYTES_AS_TEXT
from wsgi_wasm.hostapi.sqlite_guard import GuardedConnection, TooMany

Gather = Callable[[Iterable[Sequence[Any]]], Rows]


class StatementAnswer(NamedTuple):
    """What a statement gave: columns and rows, how many rows it changed (-1: unknown), and the
    number that it gave to a new one."""

    columns: list[AnswerColumn]
    rows: Rows
    changed: int = -1
    inserted: int = 0


class DatabaseFailed(Exception):
    """The database's own words, with its number of the error and the SQLSTATE, if it has them."""

    def __init__(self, message: str, number: int = 1, state: str = "") -> None:
        super().__init__(message)
        self.number = number
        self.state = state


class Connected(Protocol):
    """A connection of a guest."""

    def run(self, statement: str, values: list[Any], gather: Gather) -> StatementAnswer:
        """One statement. Raises DatabaseFailed, Stop."""

    def close(self) -> None: ...


class SqliteFile:
    """A granted SQLite file."""

    def __init__(self, database: Database, host: HostState) -> None:
        """Raises DatabaseFailed, Stop."""
        try:
            self._connection = GuardedConnection(database.path, database.max_size, host)
        except (sqlite3.Error, OSError) as error:
            raise DatabaseFailed("unable to open database file", sqlite3.SQLITE_CANTOPEN) from error
        # Old scripts may have stored text in other encodings.
        self._connection.raw.text_factory = lambda data: data.decode("utf-8", BYTES_AS_TEXT)

    def run(self, statement: str, values: list[Any], gather: Gather) -> StatementAnswer:
        """As `Connected.run`."""

        def read(cursor: sqlite3.Cursor) -> StatementAnswer:
            columns = [AnswerColumn(column[0]) for column in cursor.description or ()]
            rows = gather(cursor)
            return StatementAnswer(columns, rows, cursor.rowcount, cursor.lastrowid or 0)

        try:
            return self._connection.query(statement, [_text_of_sqlite(value) for value in values], read)
        except (TooLarge, TooMany, OverflowError, UnicodeError, sqlite3.Warning) as error:
            raise DatabaseFailed(str(error)) from None
        except sqlite3.Error as error:
            raise DatabaseFailed(str(error), (getattr(error, "sqlite_errorcode", None) or 1) & 0xFF) from None
        except (OSError, MemoryError):
            raise DatabaseFailed("disk I/O error", sqlite3.SQLITE_IOERR) from None

    def close(self) -> None:
        self._connection.serve(None)
        with suppress(sqlite3.Error):
            self._connection.undo()
        self._connection.close()


def _text_of_sqlite(value: Any) -> Any:
    """Text that is no UTF-8 goes as bytes, as Python's module takes no other text."""
    if isinstance(value, str) and not value.isascii():
        data = value.encode("utf-8", BYTES_AS_TEXT)
        with suppress(UnicodeDecodeError):
            return data.decode()
        return data
    return value


class PostgresServer:
    """A connection to a PostgreSQL server. Values are the server's text, as Perl's driver has them,
    but for `bytea`."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def run(self, statement: str, values: list[Any], gather: Gather) -> StatementAnswer:
        """As `Connected.run`."""
        try:
            with_text = [_strict(value) for value in values]
            cursor = self._lease.connection.run(_strict(statement), with_text)
            description = cursor.description or ()
            types = [column.type_display for column in description]
            result = cursor.pgresult
            converts = [_POSTGRES.get(kind, _decoded) for kind in types]
            rows = gather(
                [
                    None if (raw := result.get_value(row, column)) is None else convert(raw)
                    for column, convert in enumerate(converts)
                ]
                for row in range(result.ntuples if description else 0)
            )
            columns = [AnswerColumn(column.name, kind) for column, kind in zip(description, types, strict=True)]
            return StatementAnswer(columns, rows, cursor.rowcount)
        except postgres.client().Error as error:
            raise DatabaseFailed(str(error), 7, getattr(error, "sqlstate", None) or "") from None
        except UnicodeError:
            raise DatabaseFailed("invalid byte sequence for encoding UTF8", 7, "22021") from None
        except (TooLate, TooLarge, OSError, ValueError) as error:
            raise DatabaseFailed(str(error), 7) from None

    def close(self) -> None:
        self._lease.close()


def _strict(value: Any) -> Any:
    return value.encode().decode() if isinstance(value, str) else value


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", BYTES_AS_TEXT)


def _bytea(raw: bytes) -> bytes:
    return bytes.fromhex(raw[2:].decode("ascii")) if raw.startswith(b"\\x") else raw


_POSTGRES: dict[str, Callable[[bytes], Any]] = {
    "bool": lambda raw: int(raw == b"t"), "int2": int, "int4": int, "int8": int, "bytea": _bytea,
}  # fmt: skip


class MysqlServer:
    """A connection to a MySQL server."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def run(self, statement: str, values: list[Any], gather: Gather) -> StatementAnswer:
        """As `Connected.run`."""
        try:
            result = self._lease.connection.run(statement, [(_CASES[type(value)], value) for value in values])
            singles = [number for number, column in enumerate(result.columns) if column.type == _FLOAT]
            with closing(result.rows):
                rows = gather(_short(row, singles) if singles else row for row in result.rows)
            columns = [AnswerColumn(column.name, str(column.type)) for column in result.columns]
            return StatementAnswer(columns, rows, -1 if columns else result.changed, result.inserted)
        except mysql.client().Error as error:
            number = error.args[0] if error.args and isinstance(error.args[0], int) else 2000
            text = said(error).removeprefix(f"{number}: ")
            raise DatabaseFailed(text, number, getattr(error, "sqlstate", None) or "") from None
        except (TooLate, TooLarge, OSError, ValueError, LookupError) as error:
            raise DatabaseFailed(str(error), 2000) from None

    def close(self) -> None:
        self._lease.close()


_CASES: dict[type, str] = {type(None): "db-null", int: "int64", float: "floating64", str: "str", bytes: "binary"}
_FLOAT = 4  # MySQL's number of the type, which has six digits as text


def _short(row: list[Any], singles: list[int]) -> list[Any]:
    for number in singles:
        if row[number] is not None:
            row[number] = f"{row[number]:.6g}"
    return row
