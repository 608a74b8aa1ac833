"""Figures of a comparison, and a chart of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wsgi_wasm.migration.compare import Comparison
from wsgi_wasm.migration.html_page import text

_WIDTH, _LEFT, _ROW, _RIGHT = 760, 130, 26, 90  # of a chart, in pixels


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the others does not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one site, in milliseconds; `cpu` for each request, where it could be told."""

    median: float
    p95: float
    cpu: float | None

    @property
    def words(self) -> str:
        """`median 3.1 ms, p95 5.2 ms, CPU 1.2 ms`."""
        cpu = "" if self.cpu is None else f", CPU {milliseconds(self.cpu)} each"
        return f"median {milliseconds(self.median)}, p95 {milliseconds(self.p95)}{cpu}"


def milliseconds(value: float) -> str:
    """With as many digits as mean something."""
    return f"{value:,.2f} ms" if value < 10 else f"{value:,.0f} ms"


def figures(found: Comparison) -> tuple[Figures, Figures]:
    """Native and ours."""
    both = []
    for seconds, cpu in zip((found.timings.native, found.timings.ours), found.cpu, strict=True):
        each = None if cpu is None else 1000 * cpu / max(1, len(seconds))
        both.append(Figures(1000 * quantile(seconds, 0.5), 1000 * quantile(seconds, 0.95), each))
    return both[0], both[1]


def chart(native: Figures, ours: Figures) -> str:
    """Bars for both sites: median and p95 of the time for an answer, and CPU time if there is
    any."""
    rows = [("median", native.median, ours.median), ("p95", native.p95, ours.p95)]
    if native.cpu is not None or ours.cpu is not None:
        rows.append(("CPU each", native.cpu or 0.0, ours.cpu or 0.0))
    most = max(max(row[1:]) for row in rows) or 1.0
    height = len(rows) * (2 * _ROW + 16) + 8
    parts = []
    for number, (label, *values) in enumerate(rows):
        top = 8 + number * (2 * _ROW + 16)
        parts.append(f'<text x="0" y="{top + _ROW + 4}">{text(label)}</text>')
        for side, (kind, value) in enumerate(zip(("first", "second"), values, strict=True)):
            width = max(1.0, value / most * (_WIDTH - _LEFT - _RIGHT))
            y = top + side * _ROW
            parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_ROW - 6}" rx="3"/>')
            parts.append(f'<text x="{_LEFT + width + 8:.1f}" y="{y + 15}">{milliseconds(value)}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" '
        f'aria-label="times of the native site and of ours">{"".join(parts)}</svg>'
    )
