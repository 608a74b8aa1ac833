"""What of the documentation is written from the table.

These are the lists of docs/security.md, between their marks, and the whole of docs/faults.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from .rows import ROWS
from .statements import LISTS
from .table import Row, Statement

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = "faults.md"

INTRODUCTION = """\
# Faults and their tests

<!-- Written from tests/faults by `python -m tests.faults`. -->

What has been done to the gateway, and what must come of it. Tests do each row, under real servers and with real guests;
where a fault, or a part of it, is in no test, the reason is given. [Security](security.md) says what follows for your
site, with the ids of these rows."""

HEADINGS = {
    "G": "Guests",
    "C": "Clients",
    "H": "The host",
    "F": "Found by attacks",
}


def bullets(statements: Sequence[Statement]) -> str:
    """A list, each item with the ids of its rows."""
    items = (f"{one.text} ([{', '.join(one.ids)}]({PAGE}))" if one.ids else one.text for one in statements)
    return "\n".join(wrapped(item, "- ", "  ") for item in items)


def wrapped(text: str, first: str = "", others: str = "") -> str:
    """Lines of at most 120 characters, none of which breaks a word or a link."""
    return fill(
        text, 120, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def with_lists(text: str) -> str:
    """The page with its lists as they are now. Raises LookupError where a list has no place in it."""
    for name, statements in LISTS.items():
        begin, end = f"<!-- faults: {name} -->", "<!-- end of faults -->"
        before, found, rest = text.partition(f"{begin}\n")
        if not found or end not in rest:
            raise LookupError(f"no place for the list {name!r}")
        text = f"{before}{begin}\n{bullets(statements)}\n{end}{rest.partition(end)[2]}"
    return text


def table(rows: Sequence[Row]) -> str:
    """A table of rows."""
    lines = ["| id | fault | outcome | servers | tested by |", "|---|---|---|---|---|"]
    for row in rows:
        files = sorted({f"tests/{test.partition('::')[0]}" for test in row.tests})
        tested = ", ".join(f"`{file}`" for file in files)
        if row.reason:
            tested = f"{tested}; not tested: {row.reason}".removeprefix("; ")
        lines.append(f"| {row.id} | {row.fault} | {row.outcome} | {row.servers} | {tested} |")
    return "\n".join(lines)


def page(rows: Mapping[str, Row]) -> str:
    """The whole of docs/faults.md."""
    parts = [INTRODUCTION]
    for letter, heading in HEADINGS.items():
        parts.append(f"## {heading}")
        parts.append(table([row for row in rows.values() if row.id.startswith(letter)]))
    return "\n\n".join(parts) + "\n"


def documents() -> dict[Path, str]:
    """Each file that is written from the table, and what must be in it."""
    security = DOCS / "security.md"
    return {DOCS / PAGE: page(ROWS), security: with_lists(security.read_text("utf-8"))}
