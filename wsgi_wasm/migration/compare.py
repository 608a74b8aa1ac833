"""The same requests to two sites, one after the other, and what came of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wsgi_wasm.migration.compare_rules import Rules
from wsgi_wasm.migration.cpu import CpuMeter
from wsgi_wasm.migration.differences import Comparing, Difference
from wsgi_wasm.migration.hidden import Hidden
from wsgi_wasm.migration.planned import PlannedRequest
from wsgi_wasm.migration.sending import Reply, Sender

MOST_SHOWN = 500  # requests whose differences are kept
MOST_PATHS = 1000  # paths whose times are kept apart
_MOST_FAILURES = 10  # in a row, of one site


@dataclass(frozen=True, slots=True)
class ComparedRequest:
    """One request whose answers differ. `target` has nothing hidden in it. `unstable` says that the
    native site gave two answers that differ in the same parts."""

    method: str
    target: str
    source: str
    differences: tuple[Difference, ...]
    unstable: bool = False

    @property
    def allowed(self) -> bool:
        """Whether a rule allows every difference."""
        return all(one.rule for one in self.differences)


@dataclass(slots=True)
class Timings:
    """Seconds that answers took, of both sites."""

    native: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """What came of all requests. `rules` counts the requests that each named rule was needed for.
    `cpu` is CPU time in seconds, native and ours, where it could be told."""

    requests: int = 0
    same: int = 0
    allowed: int = 0
    differing: int = 0
    outcomes: list[ComparedRequest] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)
    timings: Timings = field(default_factory=Timings)
    by_path: dict[str, Timings] = field(default_factory=dict)
    cpu: tuple[float | None, float | None] = (None, None)
    remarks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ComparingRun:
    """One run. `repeat` is how often each request without side effects is sent to each site."""

    native: Sender
    ours: Sender
    rules: Rules
    repeat: int = 1
    meters: tuple[CpuMeter | None, CpuMeter | None] = (None, None)
    found: Comparison = field(default_factory=Comparison)
    _failures: list[int] = field(default_factory=lambda: [0, 0])
    _key: bytes = field(default_factory=lambda: os.urandom(16))

    def compare(self, requests: Sequence[PlannedRequest], progress: Callable[[int], None]) -> Comparison:
        """Send them all. `progress` is called with the number of requests so far."""
        before = self._cpu()
        for number, planned in enumerate(requests):
            self._one(planned, number)
            progress(number + 1)
            if max(self._failures) >= _MOST_FAILURES:
                site = (self.native, self.ours)[self._failures.index(max(self._failures))].site.url
                self.found.remarks.append(
                    f"{site} gave no answer {_MOST_FAILURES} times in a row: the other "
                    f"{len(requests) - number - 1} requests were not sent"
                )
                break
        native, ours = (
            now - then if now is not None and then is not None else None
            for now, then in zip(self._cpu(), before, strict=True)
        )
        self.found.cpu = (native, ours)
        return self.found

    def _cpu(self) -> list[float | None]:
        return [None if meter is None else meter.seconds() for meter in self.meters]

    def _one(self, planned: PlannedRequest, number: int) -> None:
        native, ours = self._both(planned, number)
        try:
            outcome = self._compared(planned, native, ours)
        finally:
            native.close()
            ours.close()
        for more in range(1, self.repeat if planned.is_safe else 1):
            for reply in self._both(planned, number + more):
                reply.close()
        self.found.requests += 1
        if not outcome.differences:
            self.found.same += 1
            return
        self.found.rules.update({name for one in outcome.differences for name in one.rule.split("+") if name})
        self.found.allowed += outcome.allowed
        self.found.differing += not outcome.allowed
        if len(self.found.outcomes) < MOST_SHOWN:
            self.found.outcomes.append(outcome)

    def _both(self, planned: PlannedRequest, number: int) -> tuple[Reply, Reply]:
        """Each site is asked first half of the time."""
        if number % 2:
            ours = self.ours.send(planned)
            native = self.native.send(planned)
        else:
            native = self.native.send(planned)
            ours = self.ours.send(planned)
        group = self.found.by_path.get(planned.path)
        if group is None and len(self.found.by_path) < MOST_PATHS:
            group = self.found.by_path[planned.path] = Timings()
        for side, reply in enumerate((native, ours)):
            self._failures[side] = self._failures[side] + 1 if reply.failure else 0
            for timings in (self.found.timings, group):
                if timings is not None and not reply.failure:
                    (timings.ours if side else timings.native).append(reply.seconds)
        return native, ours

    def _compared(self, planned: PlannedRequest, native: Reply, ours: Reply) -> ComparedRequest:
        hidden = Hidden(self._key)
        for fields in (planned.fields, self.native.fields, self.ours.fields, native.fields, ours.fields):
            hidden.learn(fields)
        hidden.learn_changed(self.rules.masked)
        comparing = Comparing(self.native.site, self.ours.site, self.rules, hidden)
        differences = comparing.differences(planned.path, native, ours)
        unstable = False
        if planned.is_safe and not all(one.rule for one in differences):
            again = self.native.send(planned)
            hidden.learn(again.fields)
            native_alone = Comparing(self.native.site, self.native.site, self.rules, hidden)
            parts = {one.part for one in native_alone.differences(planned.path, native, again)}
            again.close()
            unstable = {one.part for one in differences if not one.rule} <= parts
        return ComparedRequest(planned.method, hidden.hide(planned.target), planned.source, differences, unstable)
