"""Threads that play the clients, and the count of what came of every request."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks.soak.acts import CUT, RESET, SHORT, WRONG, Target, performed
from benchmarks.soak.mix import GOOD, Actor
from benchmarks.soak.storm import Storm

EXAMPLES = 50  # faults that are kept with their time
LOSSES = frozenset({CUT, SHORT, RESET, "500", "502", "503", "504"})
"""What a request may end with when its process is killed; nothing else is laid to a kill."""

EXPECTED, LOST, FAULT = "as expected", "lost with a process that was killed", "fault"


@dataclass(slots=True)
class Tally:
    """Everything that was asked, by actor, outcome and what is thought of it. Times of good requests in seconds."""

    started: float = field(default_factory=time.monotonic)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    wrong: int = 0
    in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, actor: Actor, outcome: str, verdict: str, began: float) -> None:
        now = time.monotonic()
        with self.lock:
            self.outcomes[actor.name, outcome, verdict] += 1
            self.wrong += outcome == WRONG
            if actor.group == GOOD:
                self.times.append(now - began)
            if verdict == FAULT and len(self.examples) < EXAMPLES:
                at = f"{began - self.started:.1f} s to {now - self.started:.1f} s"
                self.examples.append(f"{at}: {actor.name}: {outcome}")

    def totals(self) -> dict[str, int]:
        """By what is thought of them."""
        with self.lock:
            found = {EXPECTED: 0, LOST: 0, FAULT: 0}
            for (_, _, verdict), count in self.outcomes.items():
                found[verdict] += count
            return found


class Clients:
    """All actors at work on one server. They can be let rest, which waits until nothing is in flight."""

    def __init__(self, target: Target, actors: Sequence[Actor], storm: Storm, nonces: itertools.count[int]) -> None:
        self.tally = Tally()
        self._target, self._storm, self._nonces = target, storm, nonces
        self._ended, self._working = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(actor,), daemon=True)
            for actor in actors
            for _ in range(actor.clients)
        ]
        for thread in self._threads:
            thread.start()

    def work(self) -> None:
        self._working.set()

    def rest(self, at_most: float = 120.0) -> None:
        """Raises TimeoutError where a request does not end."""
        self._working.clear()
        deadline = time.monotonic() + at_most
        while self.tally.in_flight:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.tally.in_flight} requests have not ended after {at_most:g} s")
            time.sleep(0.05)

    def burst(self, actors: Sequence[Actor], at_once: int, each: int = 3) -> None:
        """One actor after the other, by `at_once` clients, `each` times for a client. Returns when all have ended."""
        with ThreadPoolExecutor(at_once) as pool:
            for actor in actors:
                list(pool.map(self._one, [actor] * at_once * each))

    def end(self) -> None:
        self._ended.set()
        self._working.set()
        for thread in self._threads:
            thread.join(120)

    def _work(self, actor: Actor) -> None:
        while True:
            self._working.wait()
            if self._ended.is_set():
                return
            with self.tally.lock:
                if not self._working.is_set():
                    continue
                self.tally.in_flight += 1
            try:
                self._one(actor)
            finally:
                with self.tally.lock:
                    self.tally.in_flight -= 1
            self._ended.wait(actor.pause)

    def _one(self, actor: Actor) -> None:
        began = time.monotonic()
        try:
            outcome = performed(actor.act, self._target, next(self._nonces))
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"[:100]
        if outcome in actor.expected:
            verdict = EXPECTED
        elif outcome in LOSSES and self._storm.struck(began, time.monotonic()):
            verdict = LOST
        else:
            verdict = FAULT
        self.tally.add(actor, outcome, verdict, began)
