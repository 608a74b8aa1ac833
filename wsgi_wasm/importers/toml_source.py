"""A TOML file with its lines, so that a report can say what became of each key.

Values are tomllib's. It keeps no places, so the lines are found here: where a statement begins and
ends, and the path of its key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.report import ImportReport, SourceLine
from wsgi_wasm.importers.text_files import read_text
from wsgi_wasm.messages import escaped, reason

TomlPath = tuple[str | int, ...]
"""Keys from the top of the file; numbers count the tables of an array."""


class _Statement(NamedTuple):
    """A header (`[x]`, `[[x]]`) or a key with its value: its first line, and its text."""

    line: int
    text: str


class TomlSource:
    """The data of a file, and its lines in a report. `shown` are keys whose values are no secret.
    Raises ConfigError."""

    def __init__(self, file: Path, shown: Collection[str]) -> None:
        self.file = file
        self.report = ImportReport()
        text = read_text(file)
        try:
            self.data: dict[str, Any] = tomllib.loads(text.replace("\r\n", "\n"))
        except (tomllib.TOMLDecodeError, UnicodeError) as error:
            at = re.search(r"at line (\d+), column (\d+)", str(error))
            place = (int(at[1]), int(at[2])) if at else (0, 0)
            words = re.sub(r" \(at .*\)$", "", reason(error))
            raise ConfigError([Problem(str(file), *place, f"not TOML: {words}")]) from None
        except RecursionError:
            raise ConfigError([Problem(str(file), 0, 0, "not TOML: nested too deep")]) from None
        self._lines: dict[TomlPath, SourceLine] = {}
        for path, line, words in _keys(text, shown):
            place_of = SourceLine(file, line)
            self._lines.setdefault(path, place_of)
            self.report.line(place_of, words)

    def line(self, *path: str | int) -> SourceLine:
        """The line of a key; of one within another one's value, the line of that."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return SourceLine(self.file, 1)

    def sweep(self, why: str) -> None:
        """Say it of each line of which nothing was said."""
        for place in self.report.open():
            self.report.dropped(place, why)


def _keys(text: str, shown: Collection[str]) -> Iterator[tuple[TomlPath, int, str]]:
    """Path, line and text for a report of every statement."""
    table: TomlPath = ()
    counts: dict[TomlPath, int] = {}
    for line, statement in _statements(text):
        if statement.startswith("["):
            is_array = statement.startswith("[[")
            names = _names(statement.strip("[] \t"))
            table = _numbered(names, counts, is_array)
            yield table, line, statement
        else:
            at = _unquoted(statement, "=")
            name, value = statement[:at], statement[at + 1 :]
            keys = _names(name)
            whole = " ".join(value.split())
            words = f"{name.strip()} = {whole}" if keys and keys[-1] in shown else f"{name.strip()} = ..."
            yield (*table, *keys), line, words


def _numbered(names: list[str], counts: dict[TomlPath, int], is_array: bool) -> TomlPath:
    """The path of a header: below an array, the last table of it is meant."""
    path: TomlPath = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if is_array and position == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _names(key: str) -> list[str]:
    """`a."b.c"` as its parts."""
    found: list[str] = []
    try:
        inner: Any = tomllib.loads(f"{key.strip()} = 0")
    except tomllib.TOMLDecodeError:
        return [escaped(key)]
    while isinstance(inner, dict):
        name, inner = next(iter(inner.items()))
        found.append(name)
    return found


def _unquoted(statement: str, mark: str) -> int:
    """Where the first `mark` is that is in no quotes; the length where there is none."""
    quotes = ""
    for position, one in enumerate(statement):
        if quotes:
            quotes = "" if one == quotes else quotes
        elif one in "\"'":
            quotes = one
        elif one == mark:
            return position
    return len(statement)


# What changes how the next characters are read: quotes, brackets, comments, escapes.
_TOKEN = re.compile(r'"""|\'\'\'|\\.|["\'\[\]{}#\n]', re.DOTALL)


def _statements(text: str) -> Iterator[_Statement]:
    """The statements of a file that is TOML."""
    start, depth, quotes = 0, 0, ""
    position, line = 0, 1
    while True:
        match = _TOKEN.search(text, position)
        if match is None:
            break
        token, position = match[0], match.end()
        if quotes:
            if token == quotes:
                quotes = ""
            elif len(token) == 2 and quotes in ("'", "'''"):
                position = match.start() + 1  # no escapes in literals
            elif len(token) == 3 and quotes == token[0]:
                quotes, position = "", match.start() + 1
        elif token in ('"""', "'''", '"', "'"):
            quotes = token
        elif token in ("[", "{", "]", "}"):
            depth += 1 if token in "[{" else -1
        elif token == "#":
            position = len(text) if (end := text.find("\n", position)) < 0 else end
        elif token == "\n" and depth <= 0:
            lines = text[start : match.end()].split("\n")
            count = len(lines) - 1
            yield from _one(lines, line)
            line += count
            start, depth = match.end(), 0
    yield from _one(text[start:].split("\n"), line)


def _one(lines: list[str], line: int) -> Iterator[_Statement]:
    skipped = 0
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("#")):
        lines.pop(0)
        skipped += 1
    if lines:
        statement = "\n".join(lines)
        # A header or a one-line value without what follows it.
        yield _Statement(line + skipped, statement[: _unquoted(statement, "#")].strip())
