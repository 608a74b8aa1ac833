"""How many requests of a route may run at once in this process, before any instance
is asked for."""

from __future__ import annotations

import threading
import time

from wsgi_wasm.engine.free_list import FreeList
from wsgi_wasm.errors import Unavailable


class Admission:
    """Counts the runs of one route, of which `concurrency` are allowed at a time."""

    def __init__(self, concurrency: int) -> None:
        self._permits = FreeList([True] * concurrency)
        self._concurrency = concurrency
        self._withdrawn = 0  # permits that were given out and do not come back
        self._changing = threading.Lock()

    def enter(self, queue_timeout: float) -> float:
        """Be counted, after at most `queue_timeout` seconds; how many it
        took. Raises Unavailable."""
        if self._permits.take_free():
            return 0.0
        started = time.monotonic()
        try:
            self._permits.take(queue_timeout)
        except TimeoutError:
            raise Unavailable(
                f"{self._concurrency} requests are already running (concurrency), and none of them "
                f"ended within {queue_timeout:g} s",
                waited=queue_timeout,
            ) from None
        return time.monotonic() - started

    def leave(self) -> None:
        """Be counted no more."""
        if self._withdrawn:
            with self._changing:
                if self._withdrawn:
                    self._withdrawn -= 1
                    return
        self._permits.give(True)

    def allow(self, concurrency: int) -> None:
        """From now on so many. Runs that were admitted before still count."""
        with self._changing:
            change = concurrency - self._concurrency
            self._concurrency = concurrency
            while change > 0 and self._withdrawn:
                self._withdrawn -= 1
                change -= 1
            for _ in range(change):
                self._permits.give(True)
            for _ in range(-change):
                if not self._permits.take_free():
                    self._withdrawn += 1


class Admissions:
    """One admission for each route that has a `concurrency`. They outlive a reload of the
    configuration, so that a request before it and one after it count together."""

    def __init__(self) -> None:
        self._known: dict[str, Admission] = {}

    def of(self, route: str, concurrency: int | None) -> Admission | None:
        """The admission of the route of this name; None where anything may run."""
        if concurrency is None:
            self._known.pop(route, None)
            return None
        admission = self._known.get(route)
        if admission is None:
            admission = self._known[route] = Admission(concurrency)
        else:
            admission.allow(concurrency)
        return admission
