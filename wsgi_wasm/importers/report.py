"""What became of each line of a configuration that was imported.

Values never stand in a report: a line is shown with the words that its importer says are no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.messages import escaped, printable

KEPT, DROPPED, MEANINGLESS, DECIDE = VERDICTS = ("kept", "dropped", "no meaning here", "needs your decision")
"""What can become of a line."""

# Of several, what is higher counts: what one program keeps another may drop.
_RANK = {KEPT: 2, DROPPED: 1, MEANINGLESS: 0, DECIDE: 3}


class SourceLine(NamedTuple):
    """A line of a file, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{escaped(self.file)}:{self.line}"


@dataclass(slots=True)
class Fate:
    """A line and what became of it. `notes` say as which key, or why not."""

    text: str
    verdict: str = ""
    notes: list[str] = field(default_factory=list)


class ImportReport:
    """The lines of all files that an importer has read, in the order in which it read them."""

    def __init__(self) -> None:
        self._fates: dict[SourceLine, Fate] = {}

    def line(self, place: SourceLine, text: str) -> None:
        """A line that says something, as it may be shown."""
        self._fates.setdefault(place, Fate(text))

    def kept(self, place: SourceLine, key: str) -> None:
        """It lives on as this key of the site."""
        self._say(place, KEPT, key)

    def dropped(self, place: SourceLine, why: str) -> None:
        """The site is without it."""
        self._say(place, DROPPED, why)

    def meaningless(self, place: SourceLine, why: str) -> None:
        """It means nothing to a guest or to the gateway."""
        self._say(place, MEANINGLESS, why)

    def decide(self, place: SourceLine, question: str) -> None:
        """A person must look."""
        self._say(place, DECIDE, question)

    def _say(self, place: SourceLine, verdict: str, note: str) -> None:
        fate = self._fates.setdefault(place, Fate(""))
        if not fate.verdict or _RANK[verdict] > _RANK[fate.verdict]:
            fate.verdict = verdict
            fate.notes.clear()
        elif _RANK[verdict] < _RANK[fate.verdict]:
            return
        if note not in fate.notes:
            fate.notes.append(note)

    def open(self) -> list[SourceLine]:
        """Lines of which nothing was said yet."""
        return [place for place, fate in self._fates.items() if not fate.verdict]

    def __iter__(self) -> Iterator[tuple[SourceLine, Fate]]:
        return iter(self._fates.items())

    @property
    def decisions(self) -> int:
        """How many lines need a person."""
        return sum(fate.verdict == DECIDE for fate in self._fates.values())

    def text(self) -> str:
        """For people: a line for each line, and its notes below."""
        lines = []
        for place, fate in self:
            lines.append(f"{place}: {printable(fate.text)}".rstrip())
            lines.append(f"    {fate.verdict}: {printable('; '.join(fate.notes))}")
        counts = [(sum(fate.verdict == verdict for _, fate in self), verdict) for verdict in VERDICTS]
        lines.append(", ".join(f"{count} {verdict}" for count, verdict in counts))
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """For programs: an array of objects with `file`, `line`, `text`, `verdict` and `notes`."""
        found = [
            {"file": escaped(place.file), "line": place.line, "text": printable(fate.text), "verdict": fate.verdict,
             "notes": [printable(note) for note in fate.notes]}
            for place, fate in self
        ]  # fmt: skip
        return json.dumps(found, indent=2) + "\n"
