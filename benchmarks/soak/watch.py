"""What a server's processes hold, once a second, from /proc."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.soak.clients import Tally
from benchmarks.soak.holdings import Holdings, holdings
from benchmarks.soak.site import SiteFolder
from servers import spawner
from servers.server import Server

HELD = ("memory", "descriptors", "threads", "mappings")
ROLES = ("leader", "workers", "spawner", "children", "helpers")


@dataclass(frozen=True, slots=True)
class Process:
    """`memory` is private to the process, in bytes; what it has mapped from files is shared by all."""

    pid: int
    role: str
    memory: int
    pss: int
    descriptors: int
    threads: int
    mappings: int
    holdings: Holdings | None = None
    """Only where a server is at rest."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` is in seconds since the watch began."""

    at: float
    processes: tuple[Process, ...]
    files: dict[str, int]
    totals: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0

    def sum(self, what: str, role: str = "", pids: Container[int] | None = None) -> int:
        """Of all processes, or those of a role, or these."""
        chosen = (one for one in self.processes if role in ("", one.role) and (pids is None or one.pid in pids))
        return sum(getattr(one, what) for one in chosen)

    def brief(self) -> dict[str, Any]:
        """For JSON: the sums."""
        return {
            "at": round(self.at, 1),
            **{what: self.sum(what) for what in (*HELD, "pss")},
            **{f"memory of {role}": self.sum("memory", role) for role in ROLES},
            **{f"files in {name}": count for name, count in self.files.items()},
            **self.totals,
            "in flight": self.in_flight,
        }

    def each(self) -> dict[str, Any]:
        """For JSON: the same with every process by itself."""
        return {**self.brief(), "processes": [asdict(one) for one in self.processes]}


def lasting(samples: Iterable[Sample]) -> frozenset[int]:
    """The processes that are in all of the samples."""
    return frozenset.intersection(*(frozenset(one.pid for one in sample.processes) for sample in samples))


def process(pid: int, role: str) -> Process | None:
    """None where it has ended."""
    try:
        memory = accounting.memory(pid)
        with open(f"/proc/{pid}/maps", "rb") as maps:
            mappings = sum(1 for _ in maps)
        return Process(
            pid,
            role,
            memory["anonymous"],
            memory["pss"],
            len(os.listdir(f"/proc/{pid}/fd")),
            len(os.listdir(f"/proc/{pid}/task")),
            mappings,
        )
    except (OSError, KeyError):
        return None


def processes(server: Server, cache: Path) -> Iterator[Process]:
    """All that belong to a server, its spawner and that one's children too. Compilers are among the last."""
    workers = set(server.pids())
    roles = {pid: "workers" if pid in workers else "helpers" for pid in server.everyone()}
    roles[server.process.pid] = "leader"
    roles |= {pid: "spawner" if first else "children" for pid, first in spawner.processes(cache).items()}
    for pid, role in roles.items():
        found = process(pid, role)
        if found is not None:
            yield found


class Watch:
    """Samples in a thread of its own."""

    def __init__(self, server: Server, folder: SiteFolder, tally: Tally, every: float = 1.0) -> None:
        self.samples: list[Sample] = []
        self._server, self._folder, self._tally, self._every = server, folder, tally, every
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def now(self) -> float:
        return time.monotonic() - self._started

    def sample(self) -> Sample:
        return Sample(
            self.now,
            tuple(processes(self._server, self._folder.cache)),
            self._folder.files(),
            self._tally.totals(),
            self._tally.in_flight,
        )

    def rest(self) -> Sample:
        """A sample that tells what each process holds, by kind. It takes the kernel longer than others."""
        sample = self.sample()
        return replace(sample, processes=tuple(self._with_holdings(one) for one in sample.processes))

    def _with_holdings(self, one: Process) -> Process:
        with contextlib.suppress(OSError):
            return replace(one, holdings=holdings(one.pid, self._folder.place))
        return one

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self.samples.append(self.sample())
            self._ended.wait(max(0.1, self._every - (time.monotonic() - began)))
