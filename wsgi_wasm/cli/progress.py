"""Says what is being done: on a terminal one line that is written over, elsewhere a line now and
then."""

from __future__ import annotations

import os
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
_BAR = 30  # columns, at most a third of the terminal's
_NARROW = 20  # columns of a terminal that does not say, or says less


class _Line:
    """The line of a terminal on standard error, while the block lasts. Elsewhere there is none."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()

    def write(self, text: str) -> None:
        """Write over what is there, without going on to a second line, which could not be written
        over."""
        sys.stderr.write(f"\r\x1b[K{text[: self.width - 1]}")
        sys.stderr.flush()

    def clear(self) -> None:
        if self.terminal:
            self.write("")

    @property
    def width(self) -> int:
        """Columns, which may change."""
        try:
            return max(os.get_terminal_size(sys.stderr.fileno()).columns, _NARROW)
        except (OSError, ValueError):
            return _NARROW

    def bar(self, count: int, total: int) -> str:
        """How much of the whole is done."""
        size = min(_BAR, self.width // 3)
        done = min(count * size // total, size) if total else 0
        return f"[{'#' * done}{'.' * (size - done)}]"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


class Progress:
    """Progress of one task, on standard error."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._line = _Line()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """The task; the terminal's line is gone afterwards."""
        with self._line:
            self.doing(self._what, 0)
            yield

    def doing(self, what: str, seconds: float) -> None:
        """Called about once a second with the seconds that have passed."""
        text = escaped(f"{what}: {seconds:.0f} s")
        if self._line.terminal:
            self._line.write(text)
        elif seconds and seconds % _EVERY == 0:
            say(text)


class Tasks(_Line):
    """Progress of many tasks, of which several are done at a time; all of it is written by one
    thread. `verb` is what is done with them."""

    def __init__(self, verb: str, count: int) -> None:
        super().__init__()
        self._verb, self._count, self._done = verb, count, 0
        self._running: dict[str, float] = {}  # since when, by the monotonic clock in seconds
        self.pause = _FRAME if self.terminal else 1.0
        """Seconds until the next call of `show`."""
        self._next = time.monotonic() + (0 if self.terminal else _EVERY)

    def begin(self, what: str) -> None:
        """One has begun."""
        self._running[what] = time.monotonic()

    def end(self, what: str) -> None:
        """It has ended."""
        self._done += 1
        self._running.pop(what, None)

    def show(self) -> None:
        """Say it, where it is time to."""
        now = time.monotonic()
        if now < self._next or not self._running:
            return
        self._next = now + (_FRAME if self.terminal else _EVERY)
        running = ", ".join(f"{what} {now - since:.0f} s" for what, since in self._running.items())
        text = escaped(f"{self._done}/{self._count} {self._verb} {running}")
        if self.terminal:
            self.write(f"{self.bar(self._done, self._count)} {text}")
        else:
            say(text)


class Counting(_Line):
    """Counts `what` on standard error, with a bar where it is known how many there are."""

    def __init__(self, what: str, total: int = 0) -> None:
        super().__init__()
        self._what, self._total = what, total
        self._next = time.monotonic() + (_FRAME if self.terminal else _EVERY)

    def at(self, count: int) -> None:
        """So many are done."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_FRAME if self.terminal else _EVERY)
        text = escaped(f"{self._what}: {self._figures(count)}")
        if self.terminal:
            self.write(text)
        else:
            say(text)

    def _figures(self, count: int) -> str:
        if not self._total:
            return f"{count:,}"
        bar = f"{self.bar(count, self._total)} " if self.terminal else ""
        return f"{bar}{count:,} of {self._total:,}"
