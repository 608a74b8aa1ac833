"""SQL databases in SQLite files: `fermyon:spin/sqlite` and `spin:sqlite`.

Interfaces: spinframework/spin, wit/deps/spin@2.0.0/sqlite.wit and
wit/deps/spin-sqlite@3.0.0/sqlite.wit. A label that the route does not grant is `access-denied`,
whether such a database exists or not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wsgi_wasm.config.granted import Database
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.hostapi.description import warn_of_files
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.limits import MAX_HANDLES, ResultSize, TooLarge
from wsgi_wasm.hostapi.log import log
from wsgi_wasm.hostapi.refused import say_not_granted
from wsgi_wasm.hostapi.sqlite_guard import GuardedConnection, TooMany


class Sqlite:
    """The API in one run: at most one connection to each database, however many handles
    the guest has.

    A connection ends with its run, and with it what belongs to it alone: an open transaction,
    temporary tables, pragmas. Otherwise the next request would find them.
    """

    def __init__(self, host: HostState, databases: Mapping[str, Database]) -> None:
        """`databases` are by label."""
        self._host_state = host
        self._databases = databases
        self._connections: dict[str, GuardedConnection] = {}

    def close(self) -> None:
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            connection.serve(None)
            with suppress(sqlite3.Error):
                connection.undo()
            connection.close()

    def open(self, label: str) -> Handle:
        if label not in self._databases:
            say_not_granted("database", label, "`sqlite` of the route, `sqlite_databases` of a component")
            raise HostError("access-denied")
        if self._host_state.count(CONNECTION) + self._host_state.count(SPIN_3_CONNECTION) >= MAX_HANDLES:
            raise HostError("io", f"a guest can have at most {MAX_HANDLES} open connections")
        return Handle(label)

    @property
    def host_state(self) -> HostState:
        return self._host_state

    def connection(self, label: str) -> GuardedConnection:
        """The connection to a granted database, made at the first call."""
        connection = self._connections.get(label)
        if connection is None:
            database = self._databases[label]
            connection = GuardedConnection(database.path, database.max_size, self._host_state)
            self._connections[label] = connection
        return connection


@dataclass(frozen=True, slots=True)
class Handle:
    label: str


_CASES: dict[type, str] = {int: "integer", float: "real", str: "text", bytes: "blob", type(None): "null"}


def _execute(api: Sqlite, handle: Handle, statement: str, parameters: list[tuple[str, Any]]) -> Any:
    def read(cursor: sqlite3.Cursor) -> tuple[list[str], list[Any]]:
        answer, rows = ResultSize(api.host_state), []
        columns = [column[0] for column in cursor.description or ()]
        for column in columns:
            answer.add(column)
        for row in cursor:
            for value in row:
                answer.add(value)
            rows.append(([(_CASES[type(value)], value) for value in row],))
        return columns, rows

    values = [one for _, one in parameters]
    return _with_errors(api, handle, lambda connection: connection.query(statement, values, read))


def _number(sql: str) -> Callable[[Sqlite, Handle], int]:
    def number(api: Sqlite, handle: Handle) -> int:
        return int(_with_errors(api, handle, lambda connection: connection.raw.execute(sql).fetchone()[0]))

    return number


def _with_errors(api: Sqlite, handle: Handle, work: Callable[[GuardedConnection], Any]) -> Any:
    """What SQLite raises, as the interface's own error."""
    try:
        return work(api.connection(handle.label))
    except (TooLarge, TooMany, OverflowError, UnicodeError) as error:
        raise HostError("io", str(error)) from None
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL:
            raise HostError("database-full") from None
        if code == sqlite3.SQLITE_AUTH or str(error).startswith("not authorized"):
            raise HostError("access-denied") from None
        if code is not None and code & 0xFF in _OURS:
            log.warning("database %r: %s", handle.label, error)
        raise HostError("io", str(error)) from None
    except OSError as error:
        log.warning("database %r: %s", handle.label, error)
        raise HostError("io", "the database cannot be opened") from None
    except MemoryError:  # the limit that `guard` sets
        raise HostError("io", "out of memory") from None
    except sqlite3.Warning as error:  # several statements in one text
        raise HostError("io", str(error)) from None


# Errors that an operator should know of.
_OURS = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
    }
)

# --- the interfaces -------------------------------------------------------------------------------

CONNECTION, SPIN_3_CONNECTION = wit.Resource("connection"), wit.Resource("connection")

_VALUE = wit.variant({"integer": wit.S64, "real": wit.F64, "text": wit.STRING, "blob": wit.BYTES, "null": None})
_RESULT = wit.record(
    {"columns": wit.ListType(wit.STRING), "rows": wit.ListType(wit.record({"values": wit.ListType(_VALUE)}))}
)
_ERROR = wit.variant(
    {
        "no-such-database": None,
        "access-denied": None,
        "invalid-connection": None,
        "database-full": None,
        "io": wit.STRING,
    }
)


def _functions(resource: wit.Resource) -> dict[str, Function[Sqlite]]:
    return {
        "[static]connection.open": Function((wit.STRING,), wit.ResultOf(wit.Own(resource), _ERROR), Sqlite.open),
        "[method]connection.execute": Function(
            (wit.Borrow(resource), wit.STRING, wit.ListType(_VALUE)), wit.ResultOf(_RESULT, _ERROR), _execute
        ),
    }


SPIN = Interface("fermyon:spin/sqlite@2.0.0", _functions(CONNECTION), (CONNECTION,))

SPIN_3 = Interface[Sqlite](
    "spin:sqlite/sqlite@3.0.0",
    {
        **_functions(SPIN_3_CONNECTION),
        "[method]connection.last-insert-rowid": Function(
            (wit.Borrow(SPIN_3_CONNECTION),), wit.S64, _number("SELECT last_insert_rowid()")
        ),
        "[method]connection.changes": Function((wit.Borrow(SPIN_3_CONNECTION),), wit.U64, _number("SELECT changes()")),
    },
    (SPIN_3_CONNECTION,),
)

API = GrantedApi(
    name="sqlite",
    interfaces=(SPIN, SPIN_3),
    begin=Sqlite,
    bind=lambda grants: grants.sqlite,
    describe=lambda grants: {label: str(database.path) for label, database in grants.sqlite.items()},
    warn=lambda grants: warn_of_files(database.path for database in grants.sqlite.values()),
)
