"""Which guests are run without letting go of the interpreter's lock (the GIL): see native.c."""

from __future__ import annotations

from wsgi_wasm.engine.capi.native import Job

SHORT = 0.001  # seconds; a guest that took less keeps the lock the next time
# seconds of CPU time: three ticks, of which the first should have taken the lock away
PATIENCE = 0.03
MOST_MEMORY = 128 << 20  # bytes; one bulk operation over more takes longer than others should wait


class GilPolicy:
    """What is known of one guest: one that was short the last time keeps the lock, if it
    cannot wait (`may_wait`), has little memory (a limit in bytes), and has never kept the
    lock for long."""

    __slots__ = ("_may", "_short")

    def __init__(self, memory: int, may_wait: bool) -> None:
        self._may = memory <= MOST_MEMORY and not may_wait
        self._short = False

    def keeps(self) -> bool:
        """Whether the next run keeps the lock."""
        return self._short and self._may

    def ended(self, job: Job) -> None:
        """Learn from a run."""
        self._short = job.wall < SHORT
        if job.gil_seconds > PATIENCE:
            self._may = False
