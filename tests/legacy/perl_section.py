"""What docs/legacy.md says of Perl programs."""

from __future__ import annotations

from .rows import RESULTS, programs

BEGIN, END = "<!-- begin: Perl (python -m tests.legacy) -->", "<!-- end: Perl -->"


def section() -> str:
    """The table, and how many have which result."""
    rows = programs("perl")
    lines = ["| program | package | what it is | result | why |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (f"`{row.program}`", f"{row.package} {row.version}", row.about, RESULTS[row.result], row.reason)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    counts = "; ".join(f"{sum(row.result == result for row in rows)}: {RESULTS[result]}" for result in RESULTS)
    return "\n".join([BEGIN, "", f"{len(rows)} programs. {counts}.", "", *lines, "", END])
