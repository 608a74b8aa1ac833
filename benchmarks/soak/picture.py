"""A run as a picture: one strip for each quantity, time from left to right, one combination after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from benchmarks.chart import STYLE
from benchmarks.soak.clients import EXPECTED, FAULT, LOST
from benchmarks.soak.run import Run
from benchmarks.soak.watch import ROLES

WIDTH, LEFT, RIGHT, TOP, STRIP, GAP = 960, 80, 150, 48, 90, 34
COLOURS = ("#5b5bd6", "#c2571a", "#2e8b57", "#b0307a", "#8a8a8a")
MIB = 1 << 20
MOST = 400  # samples that are drawn

Value = Callable[[dict[str, Any]], float]


def _of(name: str, scale: float = 1.0) -> Value:
    return lambda sample: sample[name] / scale


STRIPS: Sequence[tuple[str, dict[str, Value]]] = (
    ("answers a second", {EXPECTED: _of(EXPECTED)}),
    ("requests that were lost or failed, so far", {"lost, killed": _of(LOST), "faults": _of(FAULT)}),
    ("requests in flight", {"in flight": _of("in flight")}),
    ("private memory, MiB", {role: _of(f"memory of {role}", MIB) for role in ROLES}),
    ("descriptors", {"all processes": _of("descriptors")}),
    ("threads", {"all processes": _of("threads")}),
    ("mappings", {"all processes": _of("mappings")}),
    ("files", {"cache": _of("files in cache"), "TMPDIR": _of("files in TMPDIR")}),
)


def picture(found: Run) -> str:
    """SVG."""
    height = TOP + (STRIP + GAP) * len(STRIPS) + 20
    samples, starts = joined(found)
    end = max([at for at, _ in samples], default=1.0) or 1.0

    def x(at: float) -> float:
        return LEFT + at / end * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="A soak">',
        f"<style>{STYLE}</style>",
    ]
    for name, at in starts:
        parts.append(f'<line class="grid" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="24" y2="{height - 20}"/>')
        parts.append(f'<text class="small" x="{x(at) + 4:.1f}" y="20">{escape(name)}</text>')
    parts.append(f'<text class="small" text-anchor="end" x="{x(end):.1f}" y="{height - 4}">{end:.0f} s</text>')
    for number, (title, lines) in enumerate(STRIPS):
        top = TOP + (STRIP + GAP) * number
        parts += strip(title, {name: _line(value, samples, title) for name, value in lines.items()}, top, x)
    return "\n".join([*parts, "</svg>"]) + "\n"


def joined(found: Run) -> tuple[list[tuple[float, dict[str, Any]]], list[tuple[str, float]]]:
    """All samples by time since the first began, and when each part begins."""
    samples, starts, offset = [], [], 0.0
    for part in found.parts:
        starts.append((part.name, offset))
        samples += [(offset + one["at"], one) for one in part.samples]
        offset = max([at for at, _ in samples], default=offset)
    return samples[:: 1 + len(samples) // MOST], starts


def _line(value: Value, samples: Sequence[tuple[float, dict[str, Any]]], title: str) -> list[tuple[float, float]]:
    if not title.endswith("a second"):
        return [(at, value(one)) for at, one in samples]
    points = []
    for (since, old), (until, new) in zip(samples, samples[5:], strict=False):  # over some samples, which is smoother
        if value(new) >= value(old):  # a new combination counts from 0
            points.append((until, (value(new) - value(old)) / max(until - since, 0.1)))
    return points


def strip(title: str, lines: dict[str, list[tuple[float, float]]], top: int, x: Callable[[float], float]) -> list[str]:
    """One quantity, with the scale at the left and names at the right."""
    most = max((y for line in lines.values() for _, y in line), default=0.0) or 1.0
    bottom = top + STRIP
    parts = [f'<text class="small" x="{LEFT}" y="{top - 4}">{escape(title)}</text>']
    for value, y in ((most, top), (0, bottom)):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="small" text-anchor="end" x="{LEFT - 6}" y="{y + 4}">{value:,.0f}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(at):.1f},{bottom - y / most * STRIP:.1f}" for at, y in line)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="{points}"/>')
        parts.append(
            f'<text class="small" style="fill:{colour}" x="{WIDTH - RIGHT + 8}" y="{top + 12 + 15 * number}">'
            f"{escape(name)}</text>"
        )
    return parts
