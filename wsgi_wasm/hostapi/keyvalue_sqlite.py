"""Key-value stores in a SQLite file, in the table that Spin keeps them in, so that its files
can be taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from wsgi_wasm.config.granted import KeyValueStore
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.limits import MAX_KEY, MAX_RESULT, looking
from wsgi_wasm.hostapi.sqlite_file import SqliteConnection

_TABLE = """CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))"""
_GET = "SELECT value FROM spin_key_value WHERE store = ? AND key = ?"
_SET = (
    "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (store, key) DO UPDATE SET value = ?3"
)
_DELETE = "DELETE FROM spin_key_value WHERE store = ? AND key = ?"
_KEYS = "SELECT key FROM spin_key_value WHERE store = ? ORDER BY key"
_PAIRS = "SELECT key, value FROM spin_key_value WHERE store = ?"


class SqliteStore:
    """One store, on one connection. Numbers are kept as Spin keeps them: eight bytes,
    the lowest first."""

    Error: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, store: KeyValueStore, host: HostState | None) -> None:
        assert store.path is not None
        self._name = store.name
        self._file = SqliteConnection(store.path, store.max_size, host)
        self._file.patiently(lambda: self._file.raw.execute(_TABLE))
        # Whatever has been put there by other hands comes out as bytes, and none of it
        # without limit.
        self._file.raw.text_factory = bytes
        self._file.raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_RESULT + MAX_KEY)
        self.usable = True

    def serve(self, host: HostState | None) -> None:
        self._file.serve(host)

    def is_stale(self) -> bool:
        return self._file.is_stale()

    def close(self) -> None:
        self._file.close()

    def _run(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._file.patiently(lambda: self._file.raw.execute(statement, (self._name, *values)))

    def get(self, key: str) -> bytes | None:
        row = self._run(_GET, key).fetchone()
        return None if row is None else _bytes(row[0])

    def set(self, key: str, value: bytes) -> None:
        self._run(_SET, key, value)

    def delete(self, key: str) -> None:
        self._run(_DELETE, key)

    def exists(self, key: str) -> bool:
        return bool(self._run(f"SELECT EXISTS ({_GET})", key).fetchone()[0])

    def list_keys(self) -> Iterable[str]:
        for (key,) in self._run(_KEYS):
            yield _bytes(key).decode("utf-8", "replace")

    def get_many(self, keys: Sequence[str]) -> Iterable[tuple[str, bytes | None]]:
        for key in keys:
            yield key, self.get(key)

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        for key, value in self._run(_PAIRS):
            yield _bytes(key).decode("utf-8", "replace"), _bytes(value)

    def change(self, pairs: Sequence[tuple[str, bytes]], gone: Sequence[str] = ()) -> None:
        def write() -> None:
            for key in looking(gone, self._file.host_state):
                self.delete(key)
            for key, value in looking(pairs, self._file.host_state):
                self.set(key, value)

        self._atomically(write)

    def increment(self, key: str, delta: int) -> int:
        """Raises ValueError where the value is not a number, OverflowError where the sum is
        none of 64 bits."""

        def add() -> int:
            value = self.get(key) or bytes(8)
            if len(value) != 8:
                raise ValueError("the value is not a number")
            total = int.from_bytes(value, "little", signed=True) + delta
            self.set(key, total.to_bytes(8, "little", signed=True))
            return total

        return int(self._atomically(add))

    def swap(self, key: str, is_still: Callable[[bytes | None], bool], new: bytes) -> bool:
        def exchange() -> bool:
            if not is_still(self.get(key)):
                return False
            self.set(key, new)
            return True

        return bool(self._atomically(exchange))

    def _atomically(self, work: Callable[[], Any]) -> Any:
        with self._file.transaction():
            return work()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
