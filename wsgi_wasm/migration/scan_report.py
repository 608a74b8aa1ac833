"""A scan as JSON and as a page to show around. The terminal's table is in `cli`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from wsgi_wasm.messages import size_text
from wsgi_wasm.migration.html_page import cards, page, table, text
from wsgi_wasm.migration.scan import Candidate, PlaceScan
from wsgi_wasm.migration.ways import AS_IS, CHANGE, NATIVE, RECOMPILE, UNKNOWN, WAYS

COLOURS = {AS_IS: "good", RECOMPILE: "good", CHANGE: "warn", NATIVE: "bad", UNKNOWN: "soft"}


def needs_text(program: Candidate) -> list[str]:
    """What a program needs, a phrase for each kind: `writes files: /var/log/x (line 3)`. Remarks
    come last."""
    by_about: dict[str, list[str]] = {}
    for need in program.needs:
        by_about.setdefault(need.about, []).append(f"{need.what} ({need.where})" if need.where else need.what)
    phrases = [f"{about}: {', '.join(what)}" for about, what in by_about.items()]
    return [*phrases, *program.remarks]


def summary(scans: Sequence[PlaceScan]) -> dict[str, int]:
    """How many programs go which way; every way is there."""
    counted = Counter(program.way.name for scan in scans for program in scan.programs)
    return {way: counted[way] for way in WAYS}


def as_json(scans: Sequence[PlaceScan], remarks: Sequence[str]) -> dict[str, Any]:
    """Everything that is known. The keys are documented in docs/migration.md."""
    return {
        "summary": summary(scans),
        "remarks": list(remarks),
        "places": [
            {
                "directory": str(scan.place.directory),
                "url": scan.place.url,
                "files": scan.files,
                "others": dict(sorted(scan.others.items())),
                "remarks": scan.remarks,
                "programs": [_program(program) for program in scan.programs],
            }
            for scan in scans
        ],
    }


def _program(program: Candidate) -> dict[str, Any]:
    return {
        "path": program.path,
        "form": program.kind.form.value,
        "language": program.kind.language,
        "interpreter": program.kind.interpreter,
        "size": program.size,
        "mode": f"{program.mode:04o}",
        "way": program.way.name,
        "how": program.way.how,
        "needs": [
            {"kind": need.kind, "what": need.what, "where": need.where, "blocks": need.blocks} for need in program.needs
        ],
        "remarks": list(program.remarks),
    }


def as_page(scans: Sequence[PlaceScan], remarks: Sequence[str], version: str) -> str:
    """A page that stands by itself."""
    counts = summary(scans)
    total = sum(counts.values())
    return page(
        f"{_counted(total, 'program', 'programs')}: what can move",
        [
            "<h1>What can move into a sandbox</h1>",
            f'<p class="soft">{_counted(total, "program", "programs")} in '
            f"{_counted(len(scans), 'directory', 'directories')}, told by their files alone: nothing was run. What a "
            f"program needs is told from the names in it, so look at the places that are named. "
            f"wsgi-wasm {text(version)}.</p>",
            cards((COLOURS[way], count, WAYS[way]) for way, count in counts.items()),
            _bar(counts, total),
            *(f"<p>{text(remark)}</p>" for remark in remarks),
            *(part for scan in scans for part in _place(scan)),
        ],
    )


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _bar(counts: dict[str, int], total: int) -> str:
    parts = "".join(
        f'<i class="{COLOURS[way]}" style="width:{100 * count / total:.2f}%"></i>'
        for way, count in counts.items()
        if count
    )
    return f'<div class="bar" role="img" aria-label="shares of the ways">{parts}</div>'


def _place(scan: PlaceScan) -> Iterator[str]:
    url = f" at {scan.place.url}" if scan.place.url else ""
    yield f"<h2><code>{text(scan.place.directory)}</code>{text(url)}</h2>"
    others = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in scan.others.most_common(12))
    if others:
        yield f'<p class="soft">{sum(scan.others.values())} files are no programs: {text(others)}</p>'
    if scan.programs:
        yield table(("program", "language", "size", "how", "needs"), map(_row, scan.programs))
    else:
        yield "<p>There is no program here.</p>"
    if scan.remarks:
        lines = "".join(f"<li>{text(remark)}</li>" for remark in scan.remarks)
        yield f"<details><summary>{len(scan.remarks)} remarks</summary><ul>{lines}</ul></details>"


def _row(program: Candidate) -> list[str]:
    way = program.way
    return [
        f"<code>{text(program.path)}</code>",
        text(program.kind.language or program.kind.interpreter),
        f'<span class="num">{size_text(program.size)}</span>',
        f'<div class="how"><span class="tag {COLOURS[way.name]}">{text(way.name)}</span><br>{text(way.how)}</div>',
        f'<div class="how">{"<br>".join(text(phrase) for phrase in needs_text(program))}</div>',
    ]
