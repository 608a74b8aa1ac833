"""What a guest's SQL must not do: reach other files, change how the file is shared, or keep a
thread for good.

SQLite looks at the clock between the steps of its machine. A step that is one call of a function
can take minutes all the same, for some of its own functions compare every place of one argument
with all of another: those are replaced.
"""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

from wsgi_wasm.hostapi.limits import MAX_RESULT
from wsgi_wasm.hostapi.sqlite_file import SqliteConnection

Value: TypeAlias = str | bytes | int | float | None

# bytes, of all SQLite in the process: temporary tables and what is sorted are kept in memory
_HEAP = 256 << 20

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_RESULT,  # of a value
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 200,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

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
_HIDDEN_TABLES = frozenset({"sqlite_dbpage", "dbstat"})
_HIDDEN_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})


def _allow(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
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


def guard(file: SqliteConnection) -> None:
    """Before the first statement of a guest. The connection must not keep compiled statements, as
    one that the host has used would pass the authorizer."""
    connection = file.raw
    # The limit holds for the process, and a pragma can only lower it.
    connection.execute(f"PRAGMA hard_heap_limit = {_HEAP}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cell_size_check = ON")
    for name, limit in _LIMITS.items():
        connection.setlimit(name, limit)
    connection.create_function("instr", 2, _instr, deterministic=True)
    connection.create_function("replace", 3, _replace, deterministic=True)
    for trim in ("trim", "ltrim", "rtrim"):
        connection.create_function(trim, 2, _TRIMS[trim], deterministic=True)
    connection.set_authorizer(lambda *action: sqlite3.SQLITE_OK if file.by_host else _allow(*action))


# --- functions with a bound, as https://www.sqlite.org/lang_corefunc.html has them ----------------


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        written = f"{value:.15g}"
        return written if any(mark in written for mark in ".en") else written + ".0"
    return str(value)


def _instr(whole: Value, part: Value) -> int | None:
    if whole is None or part is None:
        return None
    if isinstance(whole, bytes) and isinstance(part, bytes):
        return whole.find(part) + 1
    return _text(whole).find(_text(part)) + 1


def _replace(whole: Value, part: Value, other: Value) -> str | None:
    if whole is None or part is None or other is None:
        return None
    text, sought, instead = _text(whole), _text(part), _text(other)
    if not sought:
        return text
    if len(text) + text.count(sought) * len(instead) > MAX_RESULT:
        raise ValueError("too large")
    return text.replace(sought, instead)


def _trimmed(value: Value, chars: Value, left: bool, right: bool) -> str | None:
    if value is None or chars is None:
        return None
    text, every = _text(value), set(_text(chars))
    start, end = 0, len(text)
    while left and start < end and text[start] in every:
        start += 1
    while right and end > start and text[end - 1] in every:
        end -= 1
    return text[start:end]


_TRIMS = {
    "trim": lambda value, chars: _trimmed(value, chars, True, True),
    "ltrim": lambda value, chars: _trimmed(value, chars, True, False),
    "rtrim": lambda value, chars: _trimmed(value, chars, False, True),
}
