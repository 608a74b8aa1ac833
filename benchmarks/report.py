"""Results as text, as Markdown, as JSON and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.chart import picture
from benchmarks.contenders import BARE
from benchmarks.results import Figure, Results, Row
from benchmarks.targets import Verdict, verdicts
from benchmarks.workloads import WORKLOADS

Table = list[Sequence[str]]

HEAD = ("server", "program", "clients", "CPU us", "median", "/ bare", "requests/s", "p50 ms", "p90 ms", "p99 ms")


def write(results: Results, folder: Path, *, save: bool = True) -> list[Path]:
    """The files of a run; `save` leaves out the JSON where it is what they were made of."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {folder / "results.md": markdown(results), folder / "results.svg": picture(results)}
    for path, content in made.items():
        path.write_text(content, "utf-8")
    if save:
        results.save(folder / "results.json")
    return [*made, *([folder / "results.json"] if save else [])]


def text(results: Results) -> str:
    """For a terminal."""
    parts = [_about(results)]
    for title, table in _tables(results):
        parts.append(f"{title}\n{_aligned(table)}")
    return "\n\n".join(parts) + "\n"


def markdown(results: Results) -> str:
    """The same as a page."""
    parts = ["# Results", _about(results)]
    for title, table in _tables(results):
        head, *rows = table
        lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
        parts.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _about(results: Results) -> str:
    about = [
        f"{results.started}, {results.took / 60:.0f} min{'' if results.complete else ', not complete'}",
        ", ".join(f"{name} {value}" for name, value in results.machine.items()),
        ", ".join(f"{name} {value}" for name, value in results.versions.items()),
        "{rounds} rounds of {seconds} s, {workers} workers".format(**results.settings)
        + f"; CPU time by {results.method}",
    ]
    return "\n".join([*about, *(f"note: {note}" for note in results.notes)])


def _tables(results: Results) -> list[tuple[str, Table]]:
    tables = []
    for workload in WORKLOADS:
        rows = [row for row in results.rows if row.workload == workload.name]
        if rows:
            tables.append((f"{workload.name}: {workload.title}", [HEAD, *(_line(results, row) for row in rows)]))
    if results.figures:
        tables.append(("besides the load", [("what", "server", "program", "least", "median", "unit")]))
        tables[-1][1].extend(map(_figure, results.figures))
    judged = [_verdict(verdict) for verdict in verdicts(results) if verdict.value is not None]
    if judged:
        tables.append(("targets", [("what", "bound", "measured", ""), *judged]))
    return tables


def _line(results: Results, row: Row) -> Sequence[str]:
    name = [row.server, row.program, str(row.clients)]
    if row.failure or not row.rounds:
        return [*name, f"FAILED: {row.failure}" if row.failure else "-", *[""] * (len(HEAD) - len(name) - 1)]
    base = results.baseline(row, BARE)
    ratio = f"{row.least / base.least:.2f}" if base is not None and base is not row else ""
    remark = f" ({row.method})" if row.method else ""
    figures = [f"{row.least:.0f}{remark}", f"{row.median:.0f}", ratio, f"{row.rate:.0f}"]
    return [*name, *figures, *(f"{row.latency(percentile):.2f}" for percentile in ("p50", "p90", "p99"))]


def _figure(figure: Figure) -> Sequence[str]:
    name = f"{figure.probe}: {figure.name}"
    return [name, figure.server, figure.subject, f"{figure.least:.2f}", f"{figure.median:.2f}", figure.unit]


def _verdict(verdict: Verdict) -> Sequence[str]:
    sign = "at least" if verdict.least else "at most"
    assert verdict.value is not None
    off = verdict.value / verdict.bound - 1
    said = "met" if verdict.met else f"missed by {abs(off):.0%}"
    return [verdict.what, f"{sign} {verdict.bound:g} {verdict.unit}", f"{verdict.value:.2f} {verdict.unit}", said]


def _aligned(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )
