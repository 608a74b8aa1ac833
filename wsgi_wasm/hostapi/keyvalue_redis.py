"""Key-value stores in Redis or Valkey, for several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from wsgi_wasm.config.granted import KeyValueStore
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.resp import RespConnection, RespError, ServerError


class RedisStore:
    """One store, on one connection: the keys of a database that begin with the store's prefix."""

    Error: tuple[type[Exception], ...] = (RespError, ServerError)

    def __init__(self, store: KeyValueStore) -> None:
        assert store.redis is not None
        self._prefix = store.prefix.encode()
        self._server = RespConnection.from_url(urlsplit(store.redis))

    @property
    def usable(self) -> bool:
        return self._server.usable

    def serve(self, host: HostState | None) -> None:
        self._server.serve(host)

    def is_stale(self) -> bool:
        return self._server.is_stale()

    def close(self) -> None:
        self._server.close()

    def _call(self, *command: Any) -> Any:
        return self._server.call(*command)

    def _key(self, key: str) -> bytes:
        return self._prefix + key.encode()

    def get(self, key: str) -> bytes | None:
        value: bytes | None = self._call(b"GET", self._key(key))
        return value

    def set(self, key: str, value: bytes) -> None:
        self._call(b"SET", self._key(key), value)

    def delete(self, key: str) -> None:
        self._call(b"DEL", self._key(key))

    def exists(self, key: str) -> bool:
        return bool(self._call(b"EXISTS", self._key(key)))

    def list_keys(self) -> Iterable[str]:
        for page in self._pages():
            for name in page:
                yield self._text(name)

    def _text(self, name: bytes) -> str:
        return name[len(self._prefix) :].decode("utf-8", "replace")

    def _pages(self) -> Iterator[list[bytes]]:
        """The names of all keys, with the prefix; of what changes meanwhile there may be some,
        once at most."""
        pattern = b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\" else bytes([byte]) for byte in self._prefix)
        seen: set[bytes] = set()  # SCAN may name a key twice
        cursor = b"0"
        while True:
            cursor, found = self._call(b"SCAN", cursor, b"MATCH", pattern + b"*", b"COUNT", 1000)
            if new := [name for name in dict.fromkeys(found) if name not in seen]:
                seen.update(new)
                yield new
            if cursor == b"0":
                return

    def get_many(self, keys: Sequence[str]) -> Iterable[tuple[str, bytes | None]]:
        for key in keys:
            yield key, self.get(key)

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        for page in self._pages():
            for name, value in zip(page, self._call(b"MGET", *page), strict=True):
                if value is not None:
                    yield self._text(name), value

    def change(self, pairs: Sequence[tuple[str, bytes]], gone: Sequence[str] = ()) -> None:
        commands: list[list[Any]] = []
        if gone:
            commands.append([b"DEL", *map(self._key, gone)])
        if pairs:
            commands.append([b"MSET", *(part for key, value in pairs for part in (self._key(key), value))])
        if len(commands) == 1:
            self._call(*commands[0])
        elif commands:
            self._transaction(commands)

    def increment(self, key: str, delta: int) -> int:
        """Raises ValueError where the value is not a number, or the sum none of 64 bits."""
        try:
            return int(self._call(b"INCRBY", self._key(key), delta))
        except ServerError as error:
            raise ValueError(str(error)) from None

    def swap(self, key: str, is_still: Callable[[bytes | None], bool], new: bytes) -> bool:
        name = self._key(key)
        try:
            self._call(b"WATCH", name)
            if not is_still(self.get(key)):
                self._call(b"UNWATCH")
                return False
        except BaseException:
            self._server.usable = False  # it may still be watching
            raise
        return self._transaction([[b"SET", name, new]])

    def _transaction(self, commands: Iterable[Sequence[Any]]) -> bool:
        """All commands or none; False where something that is watched has changed.
        Raises RespError, ServerError."""
        try:
            self._call(b"MULTI")
            for command in commands:
                self._call(*command)
            done: list[Any] | None = self._call(b"EXEC")
        except BaseException:
            self._server.usable = False  # it may be in the middle of it
            raise
        for answer in done or ():
            if isinstance(answer, ServerError):
                raise answer
        return done is not None
