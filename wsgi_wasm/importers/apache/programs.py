"""What lies in a directory of CGI programs, so that a route can say which files are programs and
what runs them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.binary.reader import MAGIC
from wsgi_wasm.cgi.shebang import LONGEST_LINE, interpreter_name
from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.files.regular import opened
from wsgi_wasm.interpreters import NAMES

WASM, NATIVE = "wasm", ""
_MOST_FILES = 5000
_MOST_ENTRIES, _MOST_HTACCESS = 100_000, 500


class Found(NamedTuple):
    """A file that mod_cgi would run: its name below the directory, its suffix in lower case, and
    what runs it here: `WASM`, the name of one of the gateway's interpreters, or `NATIVE`."""

    name: str
    suffix: str
    runs: str


class ProgramFiles(NamedTuple):
    """The files with the execute bit, and the suffixes of all files."""

    files: tuple[Found, ...]
    suffixes: frozenset[str]

    def of(self, suffix: str) -> tuple[Found, ...]:
        """Those with this suffix."""
        return tuple(one for one in self.files if one.suffix == suffix)


def programs_below(directory: Path) -> ProgramFiles:
    """What is in a directory; of a large one, what is in a part of it."""
    files: list[Found] = []
    suffixes: set[str] = set()
    seen = 0
    for folder, below, names in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            seen += 1
            if name.startswith(".") or seen > _MOST_FILES:
                continue
            path = Path(folder) / name
            suffixes.add(path.suffix.lower())
            runs = _runs(path)
            if runs is not None:
                files.append(Found(path.relative_to(directory).as_posix(), path.suffix.lower(), runs))
        if seen > _MOST_FILES:
            break
    return ProgramFiles(tuple(files), frozenset(suffixes))


def htaccess_below(directory: Path, names: Iterable[str]) -> tuple[list[Path], bool]:
    """The files of these names in the directories below one, and whether all were looked at."""
    found: list[Path] = []
    seen = 0
    wanted = frozenset(names)
    for folder, below, files in os.walk(directory):
        below.sort()
        found += [Path(folder) / name for name in sorted(wanted.intersection(files)) if Path(folder) != directory]
        seen += 1 + len(files)
        if seen > _MOST_ENTRIES or len(found) > _MOST_HTACCESS:
            return found[:_MOST_HTACCESS], False
    return found, True


def _runs(path: Path) -> str | None:
    """What runs a file here; None where it has no execute bit, or cannot be read."""
    try:
        if not path.stat().st_mode & 0o111:
            return None
        with opened(path) as file:
            start = file.read(LONGEST_LINE + 3)
    except OSError:
        return None
    if start.startswith(MAGIC) or path.suffix in MODULE_SUFFIXES:
        return WASM
    name = interpreter_name(start)
    return name if name in NAMES else NATIVE


def names_of(files: Iterable[Found]) -> list[str]:
    """Their names, for messages."""
    return [one.name for one in files]
