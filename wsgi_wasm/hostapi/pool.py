"""Connections of one process that outlive a request: taken for one, given back after it, never
carried over a fork."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from wsgi_wasm.errors import Unavailable
from wsgi_wasm.polling import PollingThread


class PooledConnection(Protocol):
    def close(self) -> None: ...

    def is_stale(self) -> bool:
        """Whether an idle connection no longer leads where a new one would."""
        ...


C = TypeVar("C", bound=PooledConnection)

_KEPT = 8  # idle connections of one pool
IDLE = 60.0  # seconds after which one is closed
_LOOK_EVERY = 5.0  # seconds


class ConnectionPool(Generic[C]):
    """Connections to one server; at most a few stay open while none is in use, and for a minute.

    How many are in use at a time is bounded by the guests that run: each takes one of each
    pool at most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # With when it was given back; the first is the one that nobody has wanted for the longest.
        self._idle: list[tuple[float, C]] = []
        self._open: set[C] = set()
        _pools.add(self)

    def take(self, connect: Callable[[], C]) -> C:
        """A connection for one thread alone: an idle one, or what `connect` makes. Raises
        what `connect` raises."""
        while (idle := self._pop()) is not None:
            if not idle.is_stale():
                return idle
            self.give_back(idle, usable=False)
        connection = connect()
        with self._lock:
            self._open.add(connection)
        return connection

    def _pop(self) -> C | None:
        with self._lock:
            return self._idle.pop()[1] if self._idle else None

    def give_back(self, connection: C, usable: bool = True) -> None:
        """Keep the connection for the next request, or close it where enough are kept or it is
        no longer usable."""
        with self._lock:
            if connection not in self._open:
                return
            kept = usable and len(self._idle) < _KEPT
            if kept:
                self._idle.append((time.monotonic(), connection))
            else:
                self._open.discard(connection)
        if kept:
            _closer.watch(self)
        else:
            connection.close()

    def close_idle(self, since: float) -> bool:
        """Close those that nobody has wanted `since` (monotonic clock, seconds); whether others are
        left."""
        with self._lock:
            count = sum(moment <= since for moment, _ in self._idle)
            old, self._idle = self._idle[:count], self._idle[count:]
            self._open.difference_update(connection for _, connection in old)
            left = bool(self._idle)
        for _, connection in old:
            connection.close()
        return left

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._open.difference_update(connection for _, connection in idle)
        for _, connection in idle:
            connection.close()

    def __del__(self) -> None:
        # A configuration that is no longer served; in a child of its process there is nothing left
        # to close.
        self.close()

    def _forget(self) -> None:
        _inherited.extend(self._open)
        self._lock = threading.Lock()
        self._idle, self._open = [], set()


class IdleCloser:
    """Closes what has been idle for too long, in all pools of a process. Its thread begins with the
    first connection that is kept, and sleeps while none is."""

    def __init__(self) -> None:
        self._watched: weakref.WeakSet[ConnectionPool[Any]] = weakref.WeakSet()
        self._changing = threading.Lock()
        self._thread = PollingThread("wsgi_wasm-idle", _LOOK_EVERY, self._watched, self._look)

    def watch(self, pool: ConnectionPool[Any]) -> None:
        """It has idle connections. Where no thread can be started, they stay until it is used."""
        if pool in self._watched:
            return
        with self._changing:
            self._watched.add(pool)
        if self._thread.asleep:
            with suppress(Unavailable):
                self._thread.wake()

    def _look(self) -> None:
        with self._changing:
            pools = list(self._watched)
            self._watched.clear()
        for pool in pools:
            if pool.close_idle(time.monotonic() - IDLE):
                with self._changing:
                    self._watched.add(pool)


_closer = IdleCloser()
_pools: weakref.WeakSet[ConnectionPool[Any]] = weakref.WeakSet()

# Connections of the parent process, which a child must neither use nor close: closing one of SQLite
# could take away the parent's write-ahead log, and closing one of a server would say good-bye in
# the parent's name.
_inherited: list[PooledConnection] = []


def _forget() -> None:
    global _closer
    _closer = IdleCloser()
    for pool in list(_pools):
        pool._forget()


os.register_at_fork(after_in_child=_forget)
