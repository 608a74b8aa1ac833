"""What a run has shown: answers, leaks, what is left behind."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from benchmarks.soak.clients import FAULT, Tally
from benchmarks.soak.watch import HELD, Process, Sample

TOLERATED = {"memory": 4 << 20, "descriptors": 2, "threads": 1, "mappings": 20}
"""By how much a process may hold more at the end, when nothing runs, than it did at rest before. Memory in bytes: an
allocator's arenas and the interpreter's own caches fill for longer than a soak lasts. Mappings are 1 % of a
worker's."""

SHARE = 0.05  # of a process's memory, where that is more
TRACE = re.compile(r"^Traceback \(most recent call last\):\n(?:\s.*\n|\n)*(.*)$", re.MULTILINE)
PANIC = re.compile(r"^.*(?:panicked at|Segmentation fault|core dumped).*$", re.MULTILINE)
BROKEN_OFF = "wsgi_wasm.errors.Cut"
"""What is raised to have the server close the connection in the middle of an answer; gunicorn prints it."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A straight line by least squares: growth a second, with its standard error."""

    growth: float
    error: float
    seconds: float

    @property
    def total(self) -> float:
        """Over all of the time."""
        return self.growth * self.seconds

    @property
    def certain(self) -> bool:
        """Whether there is growth at all: three standard errors from none."""
        return self.growth > 3 * self.error


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """Raises ValueError for fewer than three points."""
    if len(points) < 3:
        raise ValueError("too few points for a line")
    xs, ys = zip(*points, strict=True)
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    growth = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = sum((y - mean_y - growth * (x - mean_x)) ** 2 for x, y in points)
    return Slope(growth, math.sqrt(left / (len(points) - 2) / spread), max(xs) - min(xs))


def more_at_rest(before: Sequence[Sample], after: Sample) -> list[str]:
    """What processes hold more after work than at any rest before it, beyond what is tolerated. A pool that fills to
    its bound has done so by one of the rests before; a leak goes on."""
    found = []
    for one in after.processes:
        earlier = [old for sample in before for old in sample.processes if old.pid == one.pid]
        if len(earlier) == len(before):
            role = one.role[:-1] if one.role.endswith("s") else one.role
            found += [f"{role} {one.pid}: {text}" for text in _more(earlier, one)]
    return found


def _more(before: Sequence[Process], after: Process) -> list[str]:
    texts = []
    for what in HELD:
        old, new = [getattr(one, what) for one in before], getattr(after, what)
        allowed = max(TOLERATED[what], SHARE * max(old)) if what == "memory" else TOLERATED[what]
        if new - max(old) > allowed:
            texts.append(f"{what} {' and '.join(map(str, old))} at rest before, {new} after")
    return texts


def slopes(samples: Sequence[Sample], pids: Container[int]) -> dict[str, Slope]:
    """Of everything that these processes hold, over samples of steady work. What comes and goes meanwhile, such as
    compilers of bombs, would hide a leak, or look like one."""
    return {what: slope([(one.at, float(one.sum(what, pids=pids))) for one in samples]) for what in HELD}


def growing(found: dict[str, Slope], samples: Sequence[Sample], pids: Collection[int]) -> list[str]:
    """Lines that rise with certainty, by more than is tolerated for these processes together, of which they are."""
    texts = []
    for what, line in found.items():
        mean = sum(one.sum(what, pids=pids) for one in samples) / len(samples)
        allowed = max(TOLERATED[what] * len(pids), SHARE * mean)
        if line.certain and line.total > allowed:
            texts.append(f"{what} grew by {line.total:.0f} in {line.seconds:.0f} s of steady work")
    return texts


def left_behind(temporary: set[str], cached: set[str], failures: int) -> list[str]:
    """Files that nobody needs: any in TMPDIR, and those that were added to the cache, where each of the `failures`
    modules that were dropped in leaves three, and locks of owners stay."""
    texts = []
    if temporary:
        texts.append(f"left in TMPDIR: {', '.join(sorted(temporary)[:5])}")
    cached = {name for name in cached if not name.startswith(("owner-", "run/"))}
    if len(cached) > 3 * failures:
        texts.append(f"{len(cached)} more files in the cache for {failures} modules: {', '.join(sorted(cached)[:9])}")
    return texts


def answers(tally: Tally) -> list[str]:
    """Wrong answers and faults."""
    faults = {
        f"{name}: {outcome}, {count} times"
        for (name, outcome, verdict), count in tally.outcomes.items()
        if verdict == FAULT
    }
    return sorted(faults)


def traces(log: str) -> list[str]:
    """Tracebacks and panics in a log, by their last line."""
    found = Counter(last[:200] for last in TRACE.findall(log) if not last.startswith(BROKEN_OFF))
    found.update(line[:200] for line in PANIC.findall(log))
    return [f"in the log, {count} times: {last}" for last, count in found.items()]
