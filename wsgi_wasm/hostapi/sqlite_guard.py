"""What a guest's SQL must not do: reach other files, change how the file is shared, or keep a
thread for good.

SQLite looks at the clock between some steps of its machine; `sqlite_watch` stops it from outside.
Neither helps within a step, and one call of a function can take minutes: so values are bounded, and
the functions that compare every place of one argument with all of another are replaced.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.limits import MAX_RESULT
from wsgi_wasm.hostapi.sqlite_file import SqliteConnection
from wsgi_wasm.hostapi.sqlite_functions import Value, always, for_long_texts
from wsgi_wasm.hostapi.sqlite_watch import watch

T = TypeVar("T")

# bytes, of all SQLite in the process: temporary tables and what is sorted are kept in memory
_HEAP = 128 << 20

_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 200,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

# LIKE and GLOB compare every place of a text with all of a pattern.
_SMALL = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1 << 16,  # of a value
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
}
_LARGE = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_RESULT,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    # Not all of them look at the clock, and each may take as long as a value is.
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
}

# What the functions of one statement may weigh together, as they may follow one another without a
# look at the clock: with the largest values, some 100 milliseconds.
MAX_WEIGHT = 1000
# Those whose work does not grow with their arguments.
_LIGHT = (
    "abs", "avg", "changes", "coalesce", "count", "date", "datetime", "ifnull", "iif", "julianday", "last_insert_rowid",
    "likelihood", "likely", "max", "min", "nullif", "random", "round", "sign", "sum", "time", "total", "total_changes",
    "typeof", "unixepoch", "unlikely",
)  # fmt: skip
# Those that give NULL, and no error, for what is too large.
_SILENT = frozenset({"format", "printf"})
# Those that look at the clock, for large values, by themselves.
_OURS = ("glob", "instr", "like", "ltrim", "replace", "rtrim", "trim")


class _Weights:
    def __init__(self, known: Mapping[str, int], json: int, other: int) -> None:
        self._known = {**dict.fromkeys(_LIGHT, 0), **known}
        self._json = json
        self._other = other

    def of(self, function: str) -> int:
        return self._known.get(function, self._json if function.startswith("json") else self._other)


_SMALL_WEIGHTS = _Weights({"like": 20, "glob": 20}, json=5, other=1)
_LARGE_WEIGHTS = _Weights(dict.fromkeys(_OURS, 0), json=200, other=20)

# Pragmas that only tell something, and those that do so of a table or index. `database_list` would
# tell paths of the host, and a check of the whole file does not look at the clock.
_TELLING = frozenset(
    {"collation_list", "compile_options", "data_version", "encoding", "freelist_count", "function_list", "page_count"}
    | {"page_size", "table_list"}
)
_TELLING_OF = frozenset(
    {"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list"}
    | {"table_xinfo"}
)
# Those that hold for the guest's own connection, or are data of its own.
_SETTING = frozenset({"application_id", "defer_foreign_keys", "foreign_keys", "recursive_triggers", "user_version"})

_DENIED = frozenset(
    {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_VTABLE}
)
_TRANSACTIONS = frozenset({sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT})
_HIDDEN_TABLES = frozenset({"sqlite_dbpage", "dbstat"})
_HIDDEN_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})


def _allow(action: int, first: str | None, second: str | None) -> int:
    """The authorizer: sqlite3_set_authorizer says what the arguments are for each action."""
    if action in _DENIED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA:
        name = (first or "").lower()
        fine = name in _SETTING or name in _TELLING_OF or (name in _TELLING and second is None)
        return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in _HIDDEN_FUNCTIONS else sqlite3.SQLITE_OK
    if (first or "").lower() in _HIDDEN_TABLES:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


class TooMany(Exception):
    """A statement calls more functions than may run without a look at the clock."""

    def __init__(self) -> None:
        super().__init__("the statement calls too many functions")


class GuardedConnection(SqliteConnection):
    """A connection for a guest's SQL, in one run.

    It begins with a small limit for values, below which SQLite's own functions are quick. The first
    statement that needs more begins anew with a large one, and from there on functions that would
    be slow are ours.
    """

    def __init__(self, path: Path, max_size: int, host: HostState) -> None:
        """Raises sqlite3.Error, OSError, Stop."""
        # No compiled statements are kept: one that the host has used would pass the authorizer.
        super().__init__(path, max_size, host, cached_statements=0)
        self._host = host
        self._weights = _SMALL_WEIGHTS
        # of the statement that is compiled
        self._weight, self._asks_for_more, self._ends_transactions = 0, False, False
        self._in_attempt = False
        connection = self.raw
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        # The limit holds for the process, and a pragma can only lower it.
        connection.execute(f"PRAGMA hard_heap_limit = {_HEAP}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cell_size_check = ON")
        self._limit(_LIMITS)
        self._limit(_SMALL)
        self._define(always(host.look))
        connection.set_authorizer(self._authorize)

    def _limit(self, limits: Mapping[int, int]) -> None:
        for name, limit in limits.items():
            self.raw.setlimit(name, limit)

    def _define(self, functions: Mapping[tuple[str, int], Callable[..., Value]]) -> None:
        for (name, count), function in functions.items():
            self.raw.create_function(name, count, function, deterministic=True)

    def query(self, statement: str, parameters: Sequence[Any], read: Callable[[sqlite3.Cursor], T]) -> T:
        """What `read` makes of a statement's cursor; it is called again where the statement begins
        anew. Raises sqlite3.Error, TooMany, Stop."""
        if self._weights is _LARGE_WEIGHTS:
            return self._query(statement, parameters, read)
        try:
            if self.raw.in_transaction:
                return self._in_savepoint(statement, parameters, read)
            return self._query(statement, parameters, read)
        except sqlite3.Error as error:
            if not self._needs_more(error):
                raise
        self._weights = _LARGE_WEIGHTS
        self._limit(_LARGE)
        self._define(for_long_texts(self._host.look))
        return self._query(statement, parameters, read)

    def _in_savepoint(self, statement: str, parameters: Sequence[Any], read: Callable[[sqlite3.Cursor], T]) -> T:
        """The same, and all of it undone where the statement must begin anew: within a transaction
        one that fails half-way may leave something."""
        self.raw.execute("SAVEPOINT attempt")
        self._in_attempt = True
        try:
            return self._query(statement, parameters, read)
        except sqlite3.Error as error:
            self._in_attempt = False
            if self._needs_more(error):
                self.raw.execute("ROLLBACK TO attempt")
            if not self._ends_transactions:
                raise
        finally:
            self._in_attempt = False
            with suppress(sqlite3.OperationalError):  # some errors end the whole transaction
                self.raw.execute("RELEASE attempt")
        return self._query(statement, parameters, read)

    def _needs_more(self, error: sqlite3.Error) -> bool:
        return (
            self._asks_for_more
            or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_TOOBIG
            or "pattern too complex" in str(error)
        )

    def _query(self, statement: str, parameters: Sequence[Any], read: Callable[[sqlite3.Cursor], T]) -> T:
        def once() -> T:
            self._weight, self._asks_for_more, self._ends_transactions = 0, False, False
            try:
                watch().begin(self, *self._host.ends)
                cursor = self.raw.execute(statement, parameters)
                try:
                    return read(cursor)
                finally:
                    cursor.close()
            finally:
                watch().end(self)

        try:
            return self.patiently(once)
        except sqlite3.Error:
            if self._host.is_over():
                raise sqlite3.OperationalError("interrupted") from None
            if self._weight > MAX_WEIGHT:
                raise TooMany from None
            raise

    def cut(self) -> None:
        """As `Watched.cut`."""
        self.raw.interrupt()
        # It is looked at in loops alone; this, by each step that makes a value.
        self.raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1)

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            name = (second or "").lower()
            self._weight += self._weights.of(name)
            if self._weight > MAX_WEIGHT:
                return sqlite3.SQLITE_DENY
            if name in _SILENT and self._weights is _SMALL_WEIGHTS:
                self._asks_for_more = True
                return sqlite3.SQLITE_DENY
        elif action in _TRANSACTIONS and self._in_attempt:
            # It would take our own savepoint along.
            self._ends_transactions = True
            return sqlite3.SQLITE_DENY
        return _allow(action, first, second)
