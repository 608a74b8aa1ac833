"""Says what is being compiled: on a terminal one line that counts the seconds, elsewhere a line
now and then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from wsgi_wasm.cli.terminal import say
from wsgi_wasm.messages import escaped

_EVERY = 10  # seconds between two lines where there is no terminal


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
