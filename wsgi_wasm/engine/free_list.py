"""Things of which there is a fixed number, taken and given back by threads. A leaf: imports nothing
of the package."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class FreeList(Generic[T]):
    """The free ones, the last given back first: what it refers to is most likely still in
    the processor's caches.

    Taking and giving back is one step under the interpreter's lock; only who has to wait takes a
    lock of its own.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._free = list(items)
        self._waiting = 0
        self._changed = threading.Condition()

    def take_free(self) -> T | None:
        """One of them, None where none is free."""
        try:
            return self._free.pop()
        except IndexError:
            return None

    def take(self, timeout: float) -> T:
        """One of them, after at most `timeout` seconds. Raises TimeoutError."""
        try:
            return self._free.pop()
        except IndexError:
            return self._wait(time.monotonic() + timeout)

    def give(self, item: T) -> None:
        """Give it back."""
        self._free.append(item)
        # Who waits has said so before it looked for the last time, so one of the two sees
        # the other.
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def _wait(self, until: float) -> T:
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    try:
                        return self._free.pop()
                    except IndexError:
                        pass
                    left = until - time.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    self._changed.wait(left)
            finally:
                self._waiting -= 1
