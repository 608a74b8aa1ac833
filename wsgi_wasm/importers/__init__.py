"""Configuration of other systems, rewritten as a site's YAML: one module for each,
listed in `FORMATS`.

Contract of a module:

    convert(file: Path, base: Path, options: Options) -> Imported

the YAML, for a file in the directory `base`, and what became of each line of the source. What an
importer cannot carry over it says in a comment, beside what it stands for. It raises ConfigError
for a file with mistakes, and never guesses: the result loads, and does not grant more than the
original did without a comment that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from wsgi_wasm.importers.imported import NO_OPTIONS, Imported, Options


class Importer(Protocol):
    """What each module offers."""

    def convert(self, file: Path, base: Path, options: Options = NO_OPTIONS) -> Imported: ...


FORMATS: Mapping[str, str] = {
    "apache": "an httpd.conf or a .htaccess",
    "spin": "a spin.toml",
    "wws": "a folder",
    "wagi": "a modules.toml",
    "wasmer": "a wasmer.toml",
}
"""Every system by name, with what its FILE is."""

REPORTED = frozenset({"apache", "wagi", "wasmer"})
"""Those whose report has every line. The others say all that they have to say in comments."""


def importer(name: str) -> Importer:
    """The importer of this name, which is one of `FORMATS`."""
    return cast("Importer", import_module(f"{__name__}.{name}"))
