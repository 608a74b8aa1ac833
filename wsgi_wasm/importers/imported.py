"""What every importer is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from wsgi_wasm.importers.report import ImportReport


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says besides the file: names that are defined, with their values."""

    defined: Mapping[str, str | None] = field(default_factory=dict)


NO_OPTIONS = Options()


class Imported(NamedTuple):
    """The YAML, and what became of each line of the source."""

    text: str
    report: ImportReport
