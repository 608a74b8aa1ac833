"""How many requests of a route may run at once in this process, before any instance is asked for."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from wsgi_wasm.errors import Unavailable


class Admission:
    """Tokens for `concurrency` runs. A queue of tokens: taking and giving back needs no lock of ours."""

    def __init__(self, concurrency: int, queue_timeout: float) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._concurrency = concurrency
        self._queue_timeout = queue_timeout
        for _ in range(concurrency):
            self._tokens.put(None)

    def enter(self) -> None:
        """Take a token, after at most `queue_timeout` seconds. Raises Unavailable."""
        try:
            self._tokens.get(timeout=self._queue_timeout)
        except Empty:
            raise Unavailable(
                f"{self._concurrency} requests run already (concurrency), and none ended in {self._queue_timeout:g} s"
            ) from None

    def leave(self) -> None:
        """Give it back."""
        self._tokens.put(None)
