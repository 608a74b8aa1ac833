"""A comparison as JSON and as a page to show around. What a terminal shows is in `cli`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wsgi_wasm.migration.compare import ComparedRequest, Comparison
from wsgi_wasm.migration.differences import Difference
from wsgi_wasm.migration.figures import Figures, chart, figures, milliseconds, quantile
from wsgi_wasm.migration.html_page import cards, page, table, text

_MOST_PATHS = 200  # of a table


def verdict(outcome: ComparedRequest) -> str:
    """`allowed` or `differs`."""
    return "allowed" if outcome.allowed else "differs"


def summary(found: Comparison) -> str:
    """`34 requests: 31 the same, 2 with named differences, 1 that differs`."""
    parts = [f"{found.same} the same"]
    if found.allowed:
        names = ", ".join(f"{name}: {count}" for name, count in sorted(found.rules.items()))
        parts.append(f"{found.allowed} with named differences ({names})")
    parts.append(f"{found.differing} that differ" + ("s" if found.differing == 1 else ""))
    return f"{found.requests} request{'' if found.requests == 1 else 's'}: {', '.join(parts)}"


def as_json(found: Comparison, sites: tuple[str, str]) -> dict[str, Any]:
    """Everything that is known. The keys are documented in docs/migration.md."""
    return {
        "native": sites[0],
        "ours": sites[1],
        "requests": found.requests,
        "same": found.same,
        "allowed": found.allowed,
        "differing": found.differing,
        "rules": dict(sorted(found.rules.items())),
        "remarks": found.remarks,
        "figures": {
            side: {"median_ms": one.median, "p95_ms": one.p95, "cpu_ms": one.cpu}
            for side, one in zip(("native", "ours"), figures(found), strict=True)
        },
        "outcomes": [
            {
                "method": one.method,
                "target": one.target,
                "source": one.source,
                "verdict": verdict(one),
                "unstable": one.unstable,
                "differences": [_difference(difference) for difference in one.differences],
            }
            for one in found.outcomes
        ],
    }


def _difference(one: Difference) -> dict[str, Any]:
    found: dict[str, Any] = {"part": one.part, "native": one.native, "ours": one.ours, "rule": one.rule}
    if one.part == "body":
        found |= {"offset": one.offset, "rows": [row._asdict() for row in one.rows]}
    return found


def as_page(found: Comparison, sites: tuple[str, str], version: str) -> str:
    """A page that stands by itself."""
    native, ours = figures(found)
    return page(
        f"{found.differing} of {found.requests} requests differ",
        [
            "<h1>The same requests to two sites</h1>",
            f"<p>native <code>{text(sites[0])}</code>, ours <code>{text(sites[1])}</code>"
            f'<br><span class="soft">wsgi-wasm {text(version)}</span></p>',
            cards(
                [
                    ("soft", found.requests, "requests"),
                    ("good", found.same, "the same"),
                    ("warn", found.allowed, "with named differences"),
                    ("bad" if found.differing else "good", found.differing, "that differ"),
                ]
            ),
            *(f"<p>{text(remark)}</p>" for remark in found.remarks),
            *_rules(found),
            "<h2>Times</h2>",
            *_times(found, native, ours),
            "<h2>Differences</h2>",
            *(map(_outcome, found.outcomes) if found.outcomes else ["<p>There are none.</p>"]),
        ],
    )


def _rules(found: Comparison) -> Iterator[str]:
    if found.rules:
        yield "<h2>Named differences</h2>"
        yield table(("name", "requests"), ([text(name), str(count)] for name, count in sorted(found.rules.items())))


def _times(found: Comparison, native: Figures, ours: Figures) -> Iterator[str]:
    yield (
        '<p><svg width="14" height="14"><rect class="first" width="14" height="14" rx="3"/></svg> native: '
        f'{native.words}<br><svg width="14" height="14"><rect class="second" width="14" height="14" rx="3"/></svg> '
        f'ours: {ours.words}</p><p class="soft">Until the last byte of the answer, with the connection, which is a '
        "new one for each request.</p>"
    )
    yield chart(native, ours)
    rows = []
    for path, one in list(found.by_path.items())[:_MOST_PATHS]:
        cells = [milliseconds(1000 * quantile(side, share)) for side in (one.native, one.ours) for share in (0.5, 0.95)]
        rows.append([f"<code>{text(path)}</code>", *(f'<span class="num">{cell}</span>' for cell in cells)])
    heading = ("path", "native median", "native p95", "ours median", "ours p95")
    yield f"<details><summary>By path</summary>{table(heading, rows)}</details>"


def _outcome(one: ComparedRequest) -> str:
    kind = "warn" if one.allowed else "bad"
    parts = [
        f'<details{"" if one.allowed else " open"}><summary><span class="tag {kind}">{verdict(one)}</span> '
        f'<code>{text(one.method)} {text(one.target)}</code> <span class="soft">{text(one.source)}</span></summary>'
    ]
    if one.unstable:
        parts.append("<p>The native site does not give the same answer twice either.</p>")
    rows = (
        [text(d.part), text(d.native) or "&ndash;", text(d.ours) or "&ndash;", text(d.rule) or "&ndash;"]
        for d in one.differences
    )
    parts.append(table(("part", "native", "ours", "rule"), rows))
    parts += [_body(difference) for difference in one.differences if difference.part == "body"]
    return "".join([*parts, "</details>"])


def _body(difference: Difference) -> str:
    lines = []
    for row in difference.rows:
        if row.kind == "gap":
            lines.append('<tr><td class="num soft"></td><td colspan="2" class="soft">&hellip;</td></tr>')
            continue
        left = "gone" if row.kind in ("native", "differs") else ""
        right = "came" if row.kind in ("ours", "differs") else ""
        lines.append(
            f'<tr><td class="num soft">{row.number}</td><td class="{left}"><pre>{text(row.native)}</pre></td>'
            f'<td class="{right}"><pre>{text(row.ours)}</pre></td></tr>'
        )
    return (
        f'<p class="soft">The bodies differ from byte {difference.offset:,} on.</p><div class="scroll">'
        f'<table class="sides"><thead><tr><th></th><th>native</th><th>ours</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
