"""The picture: CPU time of the smallest request, on every server, as one mark for each number of clients."""

from __future__ import annotations

import math
from html import escape

from benchmarks.results import Results, Row

WIDTH, LEFT, RIGHT, LINE, TOP = 960, 360, 40, 22, 64
MARKS = {1: 3.5, 8: 5.0, 64: 6.5}  # radius by clients
COLOURS = {"bare": "#8a8a8a", "guest": "#5b5bd6", "rival": "#c2571a"}

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #222 }
.small { font-size: 11px; fill: #666 }
.grid { stroke: #ddd }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .small { fill: #999 } .grid { stroke: #444 }
}
"""


def picture(results: Results) -> str:
    """SVG, readable on light and dark ground. Without figures of `hello` it says so."""
    rows = [row for row in results.rows if row.workload == "hello" and row.rounds]
    names = list(dict.fromkeys((row.server, row.program) for row in rows))
    height = TOP + LINE * max(len(names), 1) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="CPU microseconds a request">',
        f"<style>{STYLE}</style>",
        '<text x="12" y="22">CPU microseconds a request of one line of text, less is better (logarithmic)</text>',
        '<text class="small" x="12" y="42">grey: bare WSGI application; blue: a guest in a fresh sandbox; orange: '
        "others. Small to large marks: 1, 8, 64 clients.</text>",
    ]
    if not rows:
        return (
            "\n".join([*parts, f'<text x="12" y="{TOP + 20}">no figures of hello in this run</text>', "</svg>"]) + "\n"
        )
    low, high = (bound(row.least for row in rows) for bound in (min, max))
    scale = _Scale(low / 1.3, high * 1.3)
    parts += scale.grid(height)
    for number, name in enumerate(names):
        parts += _line(
            scale, TOP + LINE * number + 16, name, [row for row in rows if (row.server, row.program) == name]
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """A logarithmic axis."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.log(low), math.log(high)

    def x(self, value: float) -> float:
        """Where a value lies."""
        return LEFT + (math.log(value) - self._low) / (self._high - self._low) * (WIDTH - LEFT - RIGHT)

    def grid(self, height: int) -> list[str]:
        """Lines at 1, 2 and 5 of each decade."""
        values = [step * 10**power for power in range(-1, 6) for step in (1, 2, 5)]
        lines = []
        for value in values:
            if self._low <= math.log(value) <= self._high:
                x = self.x(value)
                lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - 30}"/>')
                lines.append(f'<text class="small" text-anchor="middle" x="{x:.1f}" y="{height - 14}">{value:g}</text>')
        return lines


def _line(scale: _Scale, y: int, name: tuple[str, str], rows: list[Row]) -> list[str]:
    server, program = name
    kind = (
        "bare" if program.startswith("bare") else "guest" if "guest" in program and "plain" not in program else "rival"
    )
    label = program if program.startswith(server) else f"{server}: {program}"
    parts = [f'<text text-anchor="end" x="{LEFT - 12}" y="{y + 4}">{escape(label)}</text>']
    xs = [scale.x(row.least) for row in rows]
    parts.append(f'<line x1="{min(xs):.1f}" x2="{max(xs):.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[kind]}"/>')
    for row, x in zip(rows, xs, strict=True):
        radius = MARKS.get(row.clients, 5.0)
        title = f"<title>{escape(label)}, {row.clients} clients: {row.least:.0f} us</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="{radius}" fill="{COLOURS[kind]}">{title}</circle>')
    return parts
