"""Threads that look at something again and again, while there is something to look at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sized

from wsgi_wasm.errors import Unavailable

_REST = 1.0  # seconds without work, after which a thread sleeps


class PollingThread:
    """Calls `look` every `step` seconds while `work` has something in it, and sleeps a second after
    the last. One for a process, which makes another after a fork.

    Whoever adds work calls `wake` afterwards if he finds the thread `asleep`. Where adding is one
    step under the interpreter's lock, that takes no lock of its own.
    """

    purpose = "a clock of limits"
    """For messages."""

    def __init__(self, name: str, step: float, work: Sized, look: Callable[[], None]) -> None:
        self.asleep = True
        self._name, self._step = name, step
        self._work, self._look = work, look
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def wake(self) -> None:
        """Begin to look. Raises Unavailable where the system has no thread to give; the next caller
        tries again."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = self._started()
        self._wake.set()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise Unavailable(f"no thread can be started for {self.purpose}: {error}") from None
        return thread

    def _run(self) -> None:
        idle = 0
        while True:
            if idle > _REST / self._step:
                self.asleep = True
                # Work that came before this line is seen here; what comes after it sees `asleep`.
                if not self._work:
                    self._wake.wait()
                idle = 0
            self._wake.clear()
            self.asleep = False
            time.sleep(self._step)
            idle = 0 if self._work else idle + 1
            self._look()
