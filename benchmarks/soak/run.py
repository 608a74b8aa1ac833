"""One run: a server of each kind after the other, each with a storm, a rest, steady work and a rest."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.progress import Progress
from benchmarks.soak import grown, verdict
from benchmarks.soak.acts import Target
from benchmarks.soak.clients import Clients
from benchmarks.soak.grown import Grown
from benchmarks.soak.mix import burst, mix
from benchmarks.soak.site import SiteFolder, names, scratch, under_apache
from benchmarks.soak.storm import Every, Storm
from benchmarks.soak.watch import Sample, Watch, lasting
from servers import spawner
from servers.fixtures import serve
from servers.process import ServerError, wait_for
from servers.server import Server

WARM = 0.25  # of the steady work, which is not judged
SHORTEST = 60.0  # seconds of steady work from which growth is judged; before, caches and pools still fill
REST = 12.0  # seconds of a rest: Wasmtime's threads for guests' files end after 10 without work
AT_ONCE = 64  # clients of a burst: more than any of the servers has threads
SHORT_REST = 3.0  # where growth is not judged
APACHE = """
Timeout 10
RequestReadTimeout header=5-10,MinRate=500 body=10,MinRate=500
MaxKeepAliveRequests 0
"""


@dataclass(slots=True)
class Part:
    """What one combination has shown."""

    name: str
    seconds: float
    faults: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    outcomes: list[tuple[str, str, str, int]] = field(default_factory=list)
    storm: dict[str, int] = field(default_factory=dict)
    slopes: dict[str, Any] = field(default_factory=dict)
    rests: list[dict[str, Any]] = field(default_factory=list)
    grown: list[Grown] = field(default_factory=list)
    latency: dict[str, float] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """`load` is that of the machine before it began."""

    started: str
    machine: dict[str, Any]
    versions: dict[str, str]
    parts: list[Part] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [f"{part.name}: {fault}" for part in self.parts for fault in part.faults]

    @classmethod
    def load(cls, path: Path) -> Run:
        """What `to_json` gave, from a file."""
        data = json.loads(path.read_text("utf-8"))
        del data["verdict"]
        parts = [Part(**part) for part in data.pop("parts")]
        return cls(**data, parts=parts)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.faults or "no fault"}


def run(combinations: Sequence[str], seconds: float, log: Path) -> Run:
    """`seconds` are for all combinations together, without starting and resting. Logs are kept in the folder `log`."""
    found = Run(time.strftime("%Y-%m-%d %H:%M %z"), machine.description(), machine.versions())
    progress = Progress(seconds)
    for name in combinations:
        found.parts.append(Soak(name, seconds / len(combinations), progress, log).run())
    return found


def started(name: str, folder: SiteFolder) -> AbstractContextManager[Server]:
    """A server of this name for a site that is laid out for it, as large as in production."""
    apache = under_apache(name)
    return serve(
        name,
        folder.site,
        folder.place,
        cache=folder.cache,
        workers=2 if apache else 4,
        threads=15 if apache else 8,
        env={"TMPDIR": str(folder.temporary)},
        ready="/good/program?id=1&lines=1",
        modules=("reqtimeout",) if apache else (),
        apache_text=APACHE,
        apache_threads=32,
    )


class Soak:
    """One combination."""

    def __init__(self, name: str, seconds: float, progress: Progress, log: Path) -> None:
        self._server_name, _, isolated = name.partition(" ")
        self._isolated = bool(isolated)
        self._seconds, self._progress, self._log = seconds, progress, log
        self._steady = seconds / 2 * (1 - WARM)
        self._part = Part(name, seconds)

    def run(self) -> Part:
        with scratch() as place:
            folder = SiteFolder(place, self._isolated)
            folder.lay_out(self._server_name)
            with ExitStack() as stack:
                server = stack.enter_context(started(self._server_name, folder))
                stack.callback(self._keep, server)
                self._soak(server, folder)
            try:
                wait_for("all processes to end", lambda: not spawner.processes(folder.cache))
            except ServerError:
                self._part.faults.append("processes outlived the server")
        return self._part

    def _keep(self, server: Server) -> None:
        """The log, before the folder goes."""
        self._log.mkdir(parents=True, exist_ok=True)
        text = server.log()
        (self._log / f"{self._part.name.replace(' ', '-')}.log").write_text(text, "utf-8")
        self._part.faults += verdict.traces(text)

    def _soak(self, server: Server, folder: SiteFolder) -> None:
        storm = Storm(server, folder, Every.within(self._seconds / 2))
        target = Target(server.address, server.name, folder.dropped)
        clients = Clients(target, mix(target.apache), storm, itertools.count(1))
        watch = Watch(server, folder, clients.tally)
        try:
            storm.start()
            first = self._rest(clients, watch)
            cached = names(folder.cache)
            storm.raging = True
            self._work(clients, "storm", self._seconds / 2)
            storm.raging = False
            self._work(clients, "warm-up", self._seconds / 2 * WARM)
            clients.burst(burst(), AT_ONCE)
            rests = [first, self._rest(clients, watch)]
            periods = []
            for half in ("first", "second"):
                began = watch.now
                self._work(clients, f"steady, {half} half", self._steady / 2)
                periods.append((began, watch.now))
                rests.append(self._rest(clients, watch))
            left = names(folder.temporary), names(folder.cache) - cached
        finally:
            clients.end()
            storm.end()
            watch.end()
        self._report(clients, storm, watch)
        bombs = sum(count for name, _, _, count in self._part.outcomes if name == "compile bomb")
        self._part.faults += verdict.left_behind(*left, bombs)
        self._judge(rests, [s for s in watch.samples if any(since + 2 < s.at < until for since, until in periods)])

    def _work(self, clients: Clients, what: str, seconds: float) -> None:
        self._progress.step(f"{self._part.name}: {what}", seconds)
        clients.work()
        time.sleep(seconds)

    def _rest(self, clients: Clients, watch: Watch) -> Sample:
        """What is held when nothing runs."""
        try:
            clients.rest()
        except TimeoutError as error:
            self._part.faults.append(str(error))
        time.sleep(REST if self._steady >= SHORTEST else SHORT_REST)  # for what ends behind answers
        return watch.rest()

    def _report(self, clients: Clients, storm: Storm, watch: Watch) -> None:
        part, tally = self._part, clients.tally
        part.examples = tally.examples
        part.outcomes = sorted((*key, count) for key, count in tally.outcomes.items())
        part.storm = dict(storm.done)
        times = sorted(tally.times)
        part.latency = {f"p{n}": times[len(times) * n // 100] for n in (50, 90, 99)} if times else {}
        part.samples = [one.brief() for one in watch.samples]
        part.faults += verdict.answers(tally)

    def _judge(self, rests: Sequence[Sample], steady: Sequence[Sample]) -> None:
        part = self._part
        part.rests = [one.each() for one in rests]
        if len(steady) < 3:
            return
        pids = lasting(rests[1:])
        found = verdict.slopes(steady, pids)
        part.slopes = {what: {**asdict(line), "total": line.total} for what, line in found.items()}
        _, before, middle, after = rests
        part.grown = grown.by_kind(before, middle, after)
        if self._steady >= SHORTEST:
            part.faults += verdict.more_at_rest((before, middle), after)
            part.faults += verdict.growing(found, steady, pids)
