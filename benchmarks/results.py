"""What a run has found: plain values that go to JSON and come back from it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.contenders import Cell

FORMAT = 1


@dataclass(slots=True)
class Round:
    """One stretch of load. `cpu` is by the run's method, `machine` by the time of the whole machine, both microseconds
    a request; `latency` is in milliseconds by percentile."""

    requests: int
    seconds: float
    cpu: float
    machine: float
    latency: dict[str, float]


@dataclass(slots=True)
class Row:
    """One program under one workload from so many clients. `method` is given where it is not the run's; `failure` says
    why there are no (more) rounds."""

    server: str
    program: str
    workload: str
    clients: int
    method: str = ""
    rounds: list[Round] = field(default_factory=list)
    failure: str = ""

    @classmethod
    def of(cls, cell: Cell) -> Row:
        """A row for a cell, without rounds yet."""
        return cls(cell.contender.server, cell.contender.program, cell.workload.name, cell.clients)

    @property
    def label(self) -> str:
        """As in `--list`."""
        return f"{self.server}: {self.program} / {self.workload} / {self.clients}"

    @property
    def least(self) -> float:
        """CPU microseconds a request in the best round: what the program needs when nothing disturbs it."""
        return min(each.cpu for each in self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(each.cpu for each in self.rounds)

    def latency(self, percentile: str) -> float:
        """Milliseconds, the median of the rounds."""
        return statistics.median(each.latency[percentile] for each in self.rounds)

    @property
    def rate(self) -> float:
        """Requests a second, the median of the rounds."""
        return statistics.median(each.requests / each.seconds for each in self.rounds)


@dataclass(slots=True)
class Figure:
    """What is not a load: a time, a size. `probe` names what measured it; `values` are all there are, in `unit`."""

    probe: str
    server: str
    subject: str
    name: str
    unit: str
    values: list[float]

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(slots=True)
class Results:
    started: str
    method: str
    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    took: float = 0.0
    complete: bool = False
    rows: list[Row] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def begun(cls, options: argparse.Namespace, rows: list[Row]) -> Results:
        """Results of a run that begins now, without figures."""
        return cls(
            started=time.strftime("%Y-%m-%d %H:%M %z"),
            method="",
            machine=machine.description(),
            versions={},
            settings={name: getattr(options, name) for name in ("rounds", "seconds", "workers", "quick", "only")},
            rows=rows,
        )

    def row(self, server: str, program: str, workload: str, clients: int) -> Row | None:
        """A row that has figures."""
        for row in self.rows:
            if (row.server, row.program, row.workload, row.clients) == (server, program, workload, clients):
                return row if row.rounds else None
        return None

    def baseline(self, row: Row, program: str) -> Row | None:
        """What `row` is compared with: another program on the same server, under the same load."""
        return self.row(row.server, program, row.workload, row.clients)

    def figure(self, probe: str, server: str, subject: str, name: str) -> Figure | None:
        for figure in self.figures:
            if (figure.probe, figure.server, figure.subject, figure.name) == (probe, server, subject, name):
                return figure
        return None

    def found(self, wanted: Callable[[Row], bool]) -> Iterator[Row]:
        """Rows with figures for which `wanted` holds."""
        return (row for row in self.rows if row.rounds and wanted(row))

    def failures(self) -> list[Row]:
        return [row for row in self.rows if row.failure]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1)
        path.write_text(text + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Raises ValueError for a file of another format."""
        data = json.loads(path.read_text("utf-8"))
        if data.pop("format", None) != FORMAT:
            raise ValueError(f"{path}: not results of this version")
        data["rows"] = [Row(**{**row, "rounds": [Round(**each) for each in row["rounds"]]}) for row in data["rows"]]
        data["figures"] = [Figure(**figure) for figure in data["figures"]]
        return cls(**data)
