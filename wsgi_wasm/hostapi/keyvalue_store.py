"""What every kind of key-value store does, and which kind a store is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Protocol

from wsgi_wasm.config.granted import KeyValueStore
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.keyvalue_redis import RedisStore
from wsgi_wasm.hostapi.keyvalue_sqlite import SqliteStore


class Store(Protocol):
    """A connection to one store. Its methods raise one of `Error`, ValueError,
    OverflowError or TooLarge."""

    Error: tuple[type[Exception], ...]

    @property
    def usable(self) -> bool:
        """False once the connection must not be used any more."""
        ...

    def serve(self, host: HostState | None) -> None: ...
    def is_stale(self) -> bool: ...
    def close(self) -> None: ...
    def get(self, key: str) -> bytes | None: ...
    def set(self, key: str, value: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def exists(self, key: str) -> bool: ...
    def list_keys(self) -> Iterable[str]: ...
    def get_many(self, keys: Sequence[str]) -> Iterable[tuple[str, bytes | None]]: ...
    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """Everything, in SQLite as it is at one moment."""
        ...

    def change(self, pairs: Sequence[tuple[str, bytes]], gone: Sequence[str] = ()) -> None:
        """Take away the keys `gone`, then set `pairs`: all of it or, where it raises, nothing."""
        ...

    def increment(self, key: str, delta: int) -> int: ...
    def swap(self, key: str, is_still: Callable[[bytes | None], bool], new: bytes) -> bool:
        """Set the key to `new` if `is_still` is true of the value that it has; whether it was."""
        ...


class Seen:
    """A value that a guest has seen, for telling whether it is still there. Only its digest is
    kept: a guest can have hundreds of them, each of megabytes that would count for nobody."""

    __slots__ = ("_digest",)

    def __init__(self, value: bytes | None) -> None:
        self._digest = _digest(value)

    def is_still(self, value: bytes | None) -> bool:
        return _digest(value) == self._digest


def _digest(value: bytes | None) -> bytes | None:
    return None if value is None else sha256(value).digest()


def connect(store: KeyValueStore, host: HostState | None = None) -> Store:
    """A connection of the kind that the store needs; `host` is of the run that waits for it."""
    return SqliteStore(store, host) if store.redis is None else RedisStore(store)
