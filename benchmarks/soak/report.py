"""What a run has shown, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from benchmarks.soak.clients import EXPECTED, FAULT, LOST
from benchmarks.soak.run import Part, Run


def text(found: Run) -> str:
    lines = [f"{found.started}, {found.machine['cores']} cores, load before {found.machine['load before']}"]
    for part in found.parts:
        lines += ["", *_part(part)]
    lines += ["", "Verdict: " + ("no fault" if not found.faults else f"{len(found.faults)} faults")]
    return "\n".join([*lines, *(f"  {fault}" for fault in found.faults)])


def _part(part: Part) -> Iterator[str]:
    verdicts: Counter[str] = Counter()
    by_name: dict[str, list[str]] = {}
    for name, outcome, verdict, count in part.outcomes:
        verdicts[verdict] += count
        note = {EXPECTED: "", LOST: " (killed)", FAULT: " (FAULT)"}[verdict]
        by_name.setdefault(name, []).append(f"{outcome}{note} {count}")
    yield f"{part.name}, {part.seconds:.0f} s: {sum(verdicts.values())} requests, " + ", ".join(
        f"{verdicts[verdict]} {verdict}" for verdict in (EXPECTED, LOST, FAULT)
    )
    yield "  " + ", ".join(f"{count} {what}" for what, count in part.storm.items())
    yield "  good requests: " + ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in part.latency.items())
    for name, outcomes in by_name.items():
        yield f"  {name:<24}{', '.join(outcomes)}"
    for what, line in part.slopes.items():
        error = line["error"] * line["seconds"]
        yield f"  {what:<24}{line['total']:+.0f} in {line['seconds']:.0f} s of steady work, +- {error:.0f}"
    for rest in part.rests:
        yield "  at rest: " + ", ".join(
            f"{rest[name]} {name}" for name in ("memory", "descriptors", "threads", "mappings")
        )
    for one in part.grown:
        unit, scale = (" MiB", 1 << 20) if one["what"] == "memory" else ("", 1)
        held = ", ".join(f"{value / scale:.0f}" for value in one["held"])
        yield f"  grown in {one['processes']} {one['role']}: {one['what']}: {one['kind']}: {held}{unit}"
    yield from (f"  {example}" for example in part.examples[:10])
