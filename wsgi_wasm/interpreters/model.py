"""What an interpreter is to the rest of the package."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.interpreters import NOTHING, Additions, ScriptPlace

Waiting = Callable[[str, float], None]
"""Called about once a second with what is going on, and the seconds that it has taken."""

_DIGEST = "[0-9a-f]{16}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotParts:
    """What goes into a snapshot besides the interpreter: the directories of installed packages and
    of the site's own modules, and the modules to import."""

    packages: Path | None = None
    library: Path | None = None
    preload: tuple[str, ...] = ()


class Make(Protocol):
    """Makes an interpreter's module or component."""

    def __call__(self, work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
        """Write `output`; `work` is this build's own directory. Raises BuildError, OSError."""


class Install(Protocol):
    """Installs packages for an interpreter."""

    def __call__(self, packages: Path, work: Path, target: Path, waiting: Waiting) -> None:
        """Make the directory `target` of what `packages` (see `Additions`) is or names. `work` is
        this build's own directory. Raises BuildError, OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinInterpreter:
    """An interpreter that this package builds.

    `packages` are fetched for the build, by name and version as the client of their registry takes
    them. `sources` are what this package has for it: files, and directories of files. Both make the
    digest in the name of the file that is built, so that another version of this package looks for
    another file. What a site adds makes a second one.
    """

    name: str
    packages: tuple[str, ...]
    sources: tuple[Path, ...]
    make: Make
    environment: Callable[[Environment, ScriptPlace], Environment]
    """The environment of a script, from the one that it would have natively."""
    install: Install | None = None
    """None where it takes no packages of a site."""

    def path(self, cache: Path, additions: Additions = NOTHING) -> Path:
        """Where it lies in a cache directory, whether it has been built or not."""
        own = f"-{_digest_of(additions)}" if additions.has_snapshot else ""
        return cache / f"{self._stem}{own}.wasm"

    def packages_path(self, cache: Path, packages: Path) -> Path:
        """Where installed packages lie in a cache directory: a link to a directory, which is
        replaced when they are installed again."""
        return cache / f"{self._stem}-{_digest_of(Additions(packages=packages))}.packages"

    def is_own(self, path: Path) -> bool:
        """Whether a path is what this version of the package makes, built or not."""
        return bool(re.fullmatch(rf"{re.escape(self._stem)}(-{_DIGEST})?\.(wasm|packages)", path.name))

    @property
    def _stem(self) -> str:
        return f"{self.name}-{_digest(self.packages, self.sources)}"


@functools.cache
def _digest(packages: tuple[str, ...], sources: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(" ".join(packages).encode())
    for source in sources:
        found = source.rglob("*") if source.is_dir() else [source]
        for path in sorted(path for path in found if path.is_file() and path.suffix != ".pyc"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _digest_of(additions: Additions) -> str:
    """Of the settings and not of the files, which change while a server goes on with what was
    built."""
    return hashlib.sha256(repr((additions.packages, additions.library, additions.preload)).encode()).hexdigest()[:16]
