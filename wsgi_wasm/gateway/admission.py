"""How many requests of a route may run at once in this process, before any instance is asked for."""

from __future__ import annotations

from wsgi_wasm.engine.free_list import FreeList
from wsgi_wasm.errors import Unavailable


class Admission:
    """Places for `concurrency` runs."""

    def __init__(self, concurrency: int, queue_timeout: float) -> None:
        self._places = FreeList([None] * concurrency)
        self._concurrency = concurrency
        self._queue_timeout = queue_timeout

    def enter(self) -> None:
        """Take a place, after at most `queue_timeout` seconds. Raises Unavailable."""
        try:
            self._places.take(self._queue_timeout)
        except TimeoutError:
            raise Unavailable(
                f"{self._concurrency} requests run already (concurrency), and none ended in {self._queue_timeout:g} s"
            ) from None

    def leave(self) -> None:
        """Give it back."""
        self._places.give(None)
