"""A run: everything is started, then measured in interleaved rounds, and ended whatever happens."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from benchmarks import machine
from benchmarks.accounting import machine_seconds, settle
from benchmarks.contenders import MANY_ROUTES, ONE_ROUTE, PYTHON_GUEST, Cell, Contender
from benchmarks.load import LoadError, check, drive
from benchmarks.probes import PROBES
from benchmarks.progress import Progress
from benchmarks.results import Results, Round, Row
from benchmarks.servers import starter
from benchmarks.testbed import Running, Testbed, prepared
from benchmarks.tools import Missing
from servers.process import ServerError

OVERHEAD = 0.3  # seconds that a figure takes in a round besides the load
STARTING = 2.0  # seconds that a server takes to come up
BUILDING = 10.0  # seconds for guests and modules that are there already
MACHINE = "machine"  # CPU time is that of the whole machine, see accounting.py
READY = 60.0  # seconds that the first right answer may take


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does, so that no server outlives it."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    old = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class Suite:
    """One run of the cells and probes that the command line asks for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._rounds: int = options.rounds
        self._seconds: int = options.seconds
        self._options = options
        self._table = [(cell, Row.of(cell)) for cell in options.cells]
        self._probes = [PROBES[name] for name in options.probes]
        self._progress = Progress(self._expected())

    def _expected(self) -> float:
        loads = sum(self._load_seconds(cell) + OVERHEAD for cell, _ in self._table) * self._rounds
        return BUILDING + loads + STARTING * len(self._processes()) + sum(probe.seconds for probe in self._probes)

    def _load_seconds(self, cell: Cell) -> int:
        return self._seconds * cell.workload.weight

    def _processes(self) -> list[Contender]:
        """One contender for each server that has to run."""
        return list({cell.contender.process: cell.contender for cell, _ in self._table}.values())

    def run(self) -> Results:
        """Measures everything. What has failed says so in its row. An interrupted run gives back what it has."""
        began = time.monotonic()
        results = Results.begun(self._options, [row for _, row in self._table])
        try:
            with ending_by_signal(), self._testbed() as testbed:
                results.versions = machine.versions()
                results.method = testbed.groups.kind or MACHINE
                self._measure(testbed)
                for probe in self._probes:
                    self._progress.step(probe.title, probe.seconds)
                    results.figures += probe.measure(testbed, self._options.servers, results.notes)
            results.complete = True
        except KeyboardInterrupt:
            self._progress.say("interrupted; this is what there is:")
        results.took = time.monotonic() - began
        return results

    @contextmanager
    def _testbed(self) -> Iterator[Testbed]:
        self._progress.step("building and compiling (some minutes at the first time)", BUILDING)
        programs = {cell.contender.program for cell, _ in self._table}
        sites = {site for probe in self._probes for site in probe.sites}
        sites |= {"one", "many"} if programs & {ONE_ROUTE, MANY_ROUTES} else set()
        python = PYTHON_GUEST in programs
        with prepared(self._options.workers, python=python, sites=sorted(sites), say=self._progress.say) as testbed:
            yield testbed

    def _measure(self, testbed: Testbed) -> None:
        with ExitStack() as stack:
            running = self._start(testbed, stack)
            bodies = self._bodies(testbed)
            for cell, row in self._table:
                if cell.contender.process in running:
                    self._attempt(row, partial(wait_ready, cell, running[cell.contender.process]))
            for turn in range(self._rounds):
                # There and back again, so that a slow drift of the machine meets everybody.
                for cell, row in self._table[:: -1 if turn % 2 else 1]:
                    if row.failure:
                        continue
                    seconds = self._load_seconds(cell)
                    self._progress.step(f"round {turn + 1} of {self._rounds}: {cell.label}", seconds + OVERHEAD)
                    body = bodies.get(cell.workload.name)
                    self._attempt(row, partial(one_round, cell, row, running[cell.contender.process], seconds, body))

    def _start(self, testbed: Testbed, stack: ExitStack) -> dict[str, Running]:
        """The servers, by the name of their process. One that does not start fails all rows that need it."""
        running: dict[str, Running] = {}
        for contender in self._processes():
            self._progress.step(f"starting {contender.process}", STARTING)
            try:
                if contender.address:
                    running[contender.process] = Running("http://{}:{}".format(*contender.address), contender.address)
                else:
                    running[contender.process] = stack.enter_context(
                        testbed.started(starter(testbed, contender.process))
                    )
            except (Missing, ServerError, OSError) as error:
                self._progress.say(f"{contender.process}: {error}")
                for cell, row in self._table:
                    if cell.contender.process == contender.process:
                        row.failure = f"not started: {str(error).splitlines()[0]}"
        return running

    def _bodies(self, testbed: Testbed) -> dict[str, Path]:
        """Request bodies as files, by workload, for wrk to read."""
        files = {}
        for workload in {cell.workload.name: cell.workload for cell, _ in self._table}.values():
            if workload.body is not None:
                files[workload.name] = testbed.folder / f"{workload.name}.body"
                files[workload.name].write_bytes(workload.body)
        return files

    def _attempt(self, row: Row, action: Callable[[], None]) -> None:
        """A failure ends the row, not the run, and is said at once."""
        try:
            action()
        except (LoadError, OSError) as error:
            row.failure = str(error)
            self._progress.say(f"FAILED {row.label}: {error}")


def wait_ready(cell: Cell, running: Running) -> None:
    """Return once the server gives the right answer; while a module is compiled it is 503. Raises LoadError."""
    # A rival runs already, and has nothing to compile.
    deadline = time.monotonic() + (2 if cell.contender.address else READY)
    while True:
        try:
            check(running.address, cell.path, cell.workload)
            return
        except LoadError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def one_round(cell: Cell, row: Row, running: Running, seconds: int, body: Path | None) -> None:
    """Drive the server, and note what that has cost it. Raises LoadError."""
    row.method = "" if running.group else MACHINE
    if running.group:
        settle(running.group)
    machine_before = machine_seconds()
    before = running.group.seconds() if running.group else machine_before
    load = drive(running.url + cell.path, cell.workload, cell.clients, seconds, body)
    if running.group:
        settle(running.group)
    machine_after = machine_seconds()
    after = running.group.seconds() if running.group else machine_after
    per_request = 1e6 / load.requests
    cpu, whole = (after - before) * per_request, (machine_after - machine_before) * per_request
    row.rounds.append(Round(load.requests, load.seconds, cpu, whole, load.latency))
