"""Says where the run is and how long it will still take."""

from __future__ import annotations

import sys
import time


class Progress:
    """On a terminal one line that changes; elsewhere a line now and then."""

    EVERY = 15.0  # seconds between lines where there is no terminal

    def __init__(self, expected: float) -> None:
        """`expected` is the sum of the seconds that the steps will say."""
        self._expected = expected
        self._done = 0.0
        self._step = 0.0
        self._started = time.monotonic()
        self._last = 0.0
        self._terminal = sys.stderr.isatty()

    def step(self, text: str, seconds: float) -> None:
        """What begins now, and how long that should take."""
        self._done += self._step
        self._step = seconds
        now = time.monotonic()
        line = f"[{min(self._done / self._expected, 1):4.0%}] {text}  {self._left(now)}"
        if self._terminal:
            print(f"\r\x1b[K{line[:110]}", end="", file=sys.stderr, flush=True)
        elif now - self._last > self.EVERY or not self._last:
            self._last = now
            print(line, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        print(f"\r\x1b[K{text}" if self._terminal else text, file=sys.stderr, flush=True)

    def _left(self, now: float) -> str:
        """Time as planned at first, and as things went once there is experience."""
        pace = (now - self._started) / self._done if self._done > 10 else 1.1
        left = (self._expected - self._done) * pace
        return f"{left / 60:.0f} min left" if left > 90 else f"{max(left, 0):.0f} s left"
