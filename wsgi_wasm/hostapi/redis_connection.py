"""One connection to a Redis server, in which no call waits longer than the run that makes it. Needs `redis`."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote

import redis

from wsgi_wasm.engine.hostcalls import Held

RedisError = redis.RedisError
ServerError = redis.ResponseError  # the server's own answer; the connection is as it was

_CONNECT = 5.0  # seconds at most
_WAIT = 30.0  # seconds at most that a call waits for each piece of an answer


class RedisConnection:
    """Connects at the first call."""

    def __init__(
        self, host: str, port: int, *, tls: bool, database: int, username: str | None, password: str | None
    ) -> None:
        kind = redis.SSLConnection if tls else redis.Connection
        self._held: Held | None = None
        self._raw = kind(
            host=host, port=port, db=database, username=username, password=password, protocol=2,
            socket_connect_timeout=_CONNECT, socket_timeout=_CONNECT,
        )  # fmt: skip
        self.usable = True

    @classmethod
    def from_url(cls, url: SplitResult) -> RedisConnection:
        """For `redis://user:password@host:port/database`; `rediss` is TLS. Raises ValueError."""
        if url.scheme not in ("redis", "rediss") or not url.hostname:
            raise ValueError("is no address of Redis")
        path = url.path.strip("/")
        return cls(
            url.hostname,
            url.port or 6379,
            tls=url.scheme == "rediss",
            database=int(path) if path else 0,
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
        )

    def serve(self, held: Held | None) -> None:
        """From now on calls end when this run must end; None between runs."""
        self._held = held
        if held is not None and self._raw.is_connected and self._raw.can_read(0):
            # Nothing was asked, so that this is the server's good-bye.
            self._raw.disconnect()  # type: ignore[no-untyped-call]

    def call(self, *command: Any) -> Any:
        """The server's answer, with its errors raised as ServerError and the connection's as RedisError."""
        remaining = _WAIT if self._held is None else self._held.remaining()
        if remaining <= 0:
            raise redis.TimeoutError("the time is up")
        raw = self._raw
        try:
            # Both are read when the connection is made, and by what sends.
            raw.socket_connect_timeout = raw.socket_timeout = min(_CONNECT, remaining)
            raw.send_command(*command)  # type: ignore[no-untyped-call]
            return raw.read_response(disable_decoding=True, timeout=min(_WAIT, remaining))
        except ServerError:
            raise
        except BaseException:
            # Half an answer may be left in it, which the next call would take for its own.
            self.usable = False
            raise

    def close(self) -> None:
        self._raw.disconnect()  # type: ignore[no-untyped-call]
