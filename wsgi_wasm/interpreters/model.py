"""What an interpreter is to the rest of the package."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wsgi_wasm.cgi.environment import Environment

Waiting = Callable[[str, float], None]
"""Called about once a second with what is going on, and the seconds that it has taken."""


class Make(Protocol):
    """Makes an interpreter's module or component."""

    def __call__(self, work: Path, output: Path, waiting: Waiting) -> None:
        """Write `output`; `work` is this build's own directory. Raises BuildError, OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinInterpreter:
    """An interpreter that this package builds.

    `packages` are fetched for the build, by name and version as the client of their registry takes
    them. `sources` are what this package has for it: files, and directories of files. Both make the
    digest in the name of the file that is built, so that another version of this package looks for
    another file.
    """

    name: str
    packages: tuple[str, ...]
    sources: tuple[Path, ...]
    make: Make
    environment: Callable[[Environment, Path], Environment]
    """The environment of a script, from the one that it would have natively and the script's
    directory."""

    def path(self, cache: Path) -> Path:
        """Where it lies in a cache directory, whether it has been built or not."""
        return cache / f"{self.name}-{_digest(self.packages, self.sources)}.wasm"


@functools.cache
def _digest(packages: tuple[str, ...], sources: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(" ".join(packages).encode())
    for source in sources:
        found = source.rglob("*") if source.is_dir() else [source]
        for path in sorted(path for path in found if path.is_file() and path.suffix != ".pyc"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
