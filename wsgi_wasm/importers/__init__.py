"""Configuration of other systems, rewritten as a site's YAML: one module for each,
listed in `IMPORTERS`.

Contract of a module:

    ABOUT: str                                 one line: what FILE is
    convert(file: Path, base: Path) -> str     the YAML, for a file in the directory `base`

What an importer cannot carry over it says in a comment, beside what it stands for. It raises
ConfigError for a file with mistakes, and never guesses: the result loads, and does not grant more
than the original did without a comment that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from wsgi_wasm.importers import spin, wws


class Importer(Protocol):
    """What each module offers."""

    ABOUT: str

    def convert(self, file: Path, base: Path) -> str: ...


IMPORTERS: Mapping[str, Importer] = {"spin": spin, "wws": wws}
