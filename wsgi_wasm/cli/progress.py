"""Says what is being done: on a terminal one line that is written over, elsewhere a line now and
then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from wsgi_wasm.cli.terminal import say
from wsgi_wasm.messages import escaped

_EVERY = 10  # seconds between two lines where there is no terminal
_FRAME = 0.1  # the same on one
_BAR = 30  # columns


class Progress:
    """Progress through `count` modules, on standard error."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._position = 0
        self._what = ""
        self._terminal = sys.stderr.isatty()

    @contextmanager
    def compiling(self, what: str) -> Iterator[None]:
        """One module; the terminal's line is gone afterwards."""
        self._position += 1
        self._what = what
        if self._terminal:
            self.waiting(0)
        try:
            yield
        finally:
            if self._terminal:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()

    def waiting(self, seconds: float) -> None:
        """Called about once a second with the seconds that have passed."""
        self.doing(f"compiling {self._what}", seconds)

    def doing(self, what: str, seconds: float) -> None:
        """The same for what comes before a compilation."""
        line = escaped(f"[{self._position}/{self._count}] {what}: {seconds:.0f} s")
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif seconds and seconds % _EVERY == 0:
            say(line)


class Counting:
    """Counts `what` on standard error, with a bar where it is known how many there are."""

    def __init__(self, what: str, total: int = 0) -> None:
        self._what, self._total = what, total
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (_FRAME if self._terminal else _EVERY)

    def at(self, count: int) -> None:
        """So many are done."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_FRAME if self._terminal else _EVERY)
        line = escaped(f"{self._what}: {self._figures(count)}")
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        else:
            say(line)

    def _figures(self, count: int) -> str:
        if not self._total:
            return f"{count:,}"
        done = min(count * _BAR // self._total, _BAR) if self._terminal else 0
        bar = f"[{'#' * done}{'.' * (_BAR - done)}] " if self._terminal else ""
        return f"{bar}{count:,} of {self._total:,}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
