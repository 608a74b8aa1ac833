"""Connections of one process that outlive a request: taken for one, given back after it, never
carried over a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar


class PooledConnection(Protocol):
    def close(self) -> None: ...

    def is_stale(self) -> bool:
        """Whether an idle connection no longer leads where a new one would."""
        ...


C = TypeVar("C", bound=PooledConnection)

_KEPT = 8  # idle connections of one pool


class ConnectionPool(Generic[C]):
    """Connections to one server; at most a few stay open while none is in use.

    How many are in use at a time is bounded by the guests that run: each takes one of each
    pool at most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[C] = []
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
            return self._idle.pop() if self._idle else None

    def give_back(self, connection: C, usable: bool = True) -> None:
        """Keep the connection for the next request, or close it where enough are kept or it is
        no longer usable."""
        with self._lock:
            if connection not in self._open:
                return
            if usable and len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
            self._open.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._open.difference_update(idle)
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        # A configuration that is no longer served; in a child of its process there is nothing left
        # to close.
        self.close()

    def _forget(self) -> None:
        _inherited.extend(self._open)
        self._lock = threading.Lock()
        self._idle, self._open = [], set()


_pools: weakref.WeakSet[ConnectionPool[Any]] = weakref.WeakSet()

# Connections of the parent process, which a child must neither use nor close: closing one of SQLite
# could take away the parent's write-ahead log, and closing one of a server would say good-bye in
# the parent's name.
_inherited: list[PooledConnection] = []


def _forget() -> None:
    for pool in list(_pools):
        pool._forget()


os.register_at_fork(after_in_child=_forget)
