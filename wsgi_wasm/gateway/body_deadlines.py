"""Bounds the time that a client may take to send something, where its server shows its socket.

A socket's own timeout begins anew with each byte, and gunicorn's reader asks until it has all that
it wants. So a client that sends a byte now and then would hold a thread for as long as it likes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from wsgi_wasm.polling import PollingThread

STEP = 0.25  # seconds between two looks at the clock


class Stoppable(Protocol):
    """A connection that can be made to bring nothing more."""

    def stop_reading(self) -> None:
        """A read that waits finds the end at once."""


class Deadlines:
    """Reads that wait for clients, and a thread that ends those whose time is over. It begins with
    the first one."""

    def __init__(self) -> None:
        self._waiting: dict[object, tuple[float, Stoppable]] = {}
        self._thread = PollingThread("wsgi_wasm-body-deadlines", STEP, self._waiting, self._look)

    @contextmanager
    def bounding(self, connection: Stoppable, deadline: float) -> Iterator[None]:
        """Within the block, reads from `connection` find the end once `deadline` (monotonic clock,
        seconds) has passed. Raises Unavailable where nobody could end them."""
        key = object()
        self._waiting[key] = deadline, connection
        try:
            if self._thread.asleep:
                self._thread.wake()
            yield
        finally:
            del self._waiting[key]

    def _look(self) -> None:
        now = time.monotonic()
        for deadline, connection in list(self._waiting.values()):
            if now > deadline:
                connection.stop_reading()


deadlines = Deadlines()
"""Of this process."""


def _forget() -> None:
    """After a fork: the thread is the parent's."""
    global deadlines
    deadlines = Deadlines()


os.register_at_fork(after_in_child=_forget)
