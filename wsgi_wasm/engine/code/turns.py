"""The threads of a process that wait for compilers, and whose turn it is."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from wsgi_wasm.logs import package_log

log = package_log("engine")

COMPILERS = 2  # at a time in a process; each uses all cores by itself

Job = Callable[[], None]


class Turns:
    """Runs jobs on a few threads of its own: owners take turns, and one alone never has
    all threads."""

    def __init__(self, threads: int = COMPILERS) -> None:
        self._threads = threads
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()  # the next owner comes first
        self._running: Counter[str] = Counter()
        self._started = 0
        self._idle = 0
        self._changed = threading.Condition()

    def add(self, owner: str, job: Job) -> None:
        """Have a job done when it is its owner's turn. Raises RuntimeError where there is no thread
        to do it."""
        with self._changed:
            if not self._idle and self._started < self._threads:
                self._start()
            self._waiting.setdefault(owner, deque()).append(job)
            self._changed.notify()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="wsgi_wasm-compile", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._started:
                raise
        else:
            self._started += 1

    def _run(self) -> None:
        while True:
            # Nothing ends this thread: what goes wrong is the job's to keep and to say.
            with contextlib.suppress(BaseException):
                owner, job = self._next()
                try:
                    job()
                except BaseException:
                    log.exception("a compiler's thread goes on after an error")
                finally:
                    self._ended(owner)
                    del job  # with its module, which nothing else may use any more

    def _next(self) -> tuple[str, Job]:
        with self._changed:
            self._idle += 1
            try:
                while (owner := self._turn()) is None:
                    self._changed.wait()
            finally:
                self._idle -= 1
            jobs = self._waiting[owner]
            job = jobs.popleft()
            if jobs:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            self._running[owner] += 1
            return owner, job

    def _turn(self) -> str | None:
        most = max(1, self._threads - 1)
        return next((owner for owner in self._waiting if self._running[owner] < most), None)

    def _ended(self, owner: str) -> None:
        with self._changed:
            self._running[owner] -= 1
            if not self._running[owner]:
                del self._running[owner]
            self._changed.notify_all()
