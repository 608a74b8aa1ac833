"""Stops statements whose run must end.

SQLite calls back between some steps of its machine, but not in a step, and some statements have
thousands of steps in a row without one of these. So a thread looks at the clocks of those who wait
for a statement, and cuts it short from outside.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

from wsgi_wasm.engine.runtime import TICK
from wsgi_wasm.polling import PollingThread


class Watched(Protocol):
    def cut(self) -> None:
        """End the statement that runs, and let none succeed it. Called on another thread, while it
        runs."""


class Watch:
    """One for the process; its thread begins with the first statement."""

    def __init__(self) -> None:
        self._watched: dict[Watched, tuple[float, float, int]] = {}
        self._changing = threading.Lock()
        self._thread = PollingThread("wsgi_wasm-sqlite", TICK, self._watched, self._look)

    def begin(self, one: Watched, deadline: float, cpu_end: float) -> None:
        """This thread begins a statement, which must end at `deadline` (monotonic clock), or when
        the thread has used so much CPU time (`cpu_end`); seconds. Raises Unavailable where nobody
        could stop it, and then it must `end`, too."""
        self._watched[one] = deadline, cpu_end, time.pthread_getcpuclockid(threading.get_ident())
        if self._thread.asleep:
            self._thread.wake()

    def end(self, one: Watched) -> None:
        """The statement is over."""
        with self._changing:
            del self._watched[one]

    def _look(self) -> None:
        now = time.monotonic()
        for one, (deadline, cpu_end, clock) in list(self._watched.items()):
            with self._changing:
                # Once it is no longer there, its thread may be gone, and its connection closed.
                if one in self._watched and (now >= deadline or time.clock_gettime(clock) >= cpu_end):
                    one.cut()


_watch = Watch()


def watch() -> Watch:
    """This process's own."""
    return _watch


def _forget() -> None:
    global _watch
    _watch = Watch()


os.register_at_fork(after_in_child=_forget)
