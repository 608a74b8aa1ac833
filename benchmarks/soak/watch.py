"""What a server's processes hold, once a second, from /proc."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.soak.clients import Tally
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


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` is in seconds since the watch began."""

    at: float
    processes: tuple[Process, ...]
    files: dict[str, int]
    totals: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0

    def sum(self, what: str, role: str = "") -> int:
        return sum(getattr(one, what) for one in self.processes if role in ("", one.role))

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

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self.samples.append(self.sample())
            self._ended.wait(max(0.1, self._every - (time.monotonic() - began)))
