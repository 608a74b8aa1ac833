"""The syntax of httpd's configuration files, as its own reader (server/config.c and server/util.c)
has it: lines that go on after a backslash, quotes, sections, and `${NAME}`.

Own code, because nothing that is kept up reads it: apacheconfig, the one package on PyPI that does,
had its last release in 2020, follows every `Include` wherever it leads, and knows no lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.messages import escaped, quote

MOST_NESTED = 50  # sections in sections

_BLANK = " \t\n\v\f\r"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:-]*")
_VARIABLE = re.compile(r"\$\{([^${}]{1,200})\}")


@dataclass(slots=True)
class Directive:
    """A directive or a section. `name` is in lower case, `rest` what follows it as written;
    `children` is None where it is no section."""

    name: str
    spelled: str
    rest: str
    place: SourceLine
    children: list[Directive] | None = None


def parse(text: str, file: Path) -> list[Directive]:
    """The directives of a file, sections as trees. Raises ConfigError."""
    top: list[Directive] = []
    within: list[Directive] = []
    for number, line in _lines(text):
        place = SourceLine(file, number)
        if line.startswith("</"):
            _close(within, line, place)
            continue
        found = _directive(line, place)
        (within[-1].children if within and within[-1].children is not None else top).append(found)
        if found.children is not None:
            within.append(found)
            if len(within) > MOST_NESTED:
                raise mistake(place, f"has more than {MOST_NESTED} sections in each other")
    if within:
        raise mistake(within[-1].place, f"<{within[-1].spelled}> is never closed")
    return top


def mistake(place: SourceLine, message: str) -> ConfigError:
    """A mistake at a line."""
    return ConfigError([Problem(str(place.file), place.line, 1, message)])


def _lines(text: str) -> list[tuple[int, str]]:
    """Lines that say something, with the number of their first."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    begin = 1
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        whole = "".join((*parts, line)).strip(_BLANK)
        if whole and not whole.startswith("#"):
            found.append((begin, whole))
        parts, begin = [], number + 1
    whole = "".join(parts).strip(_BLANK)
    return [*found, (begin, whole)] if whole and not whole.startswith("#") else found


def _directive(line: str, place: SourceLine) -> Directive:
    is_section = line.startswith("<")
    body = line[1:] if is_section else line
    match = _NAME.match(body)
    if match is None or (len(body) > match.end() and body[match.end()] not in _BLANK + (">" if is_section else "")):
        raise mistake(place, "does not begin with the name of a directive")
    spelled, rest = match[0], body[match.end() :].strip(_BLANK)
    if is_section:
        if not rest.endswith(">"):
            raise mistake(place, f"<{spelled} has no '>' at the end of its line")
        rest = rest[:-1].rstrip(_BLANK)
    return Directive(spelled.lower(), spelled, rest, place, [] if is_section else None)


def _close(within: list[Directive], line: str, place: SourceLine) -> None:
    name = line[2:].removesuffix(">").strip(_BLANK)
    if not line.endswith(">"):
        raise mistake(place, f"{quote(line)} has no '>' at its end")
    if not within:
        raise mistake(place, f"{quote(line)} closes nothing")
    if within[-1].name != name.lower():
        opened = within[-1]
        raise mistake(place, f"{quote(line)} does not close <{opened.spelled}> of line {opened.place.line}")
    within.pop()


def words(text: str, variable: Callable[[str], str | None]) -> list[str]:
    """The arguments of a directive, without quotes. `${NAME}` is replaced in each by itself; one
    that is not defined stays as it is."""
    found: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position] in _BLANK:
            position += 1
        if position == len(text):
            return found
        word, position = _word(text, position)
        found.append(expand(word, variable))


def _word(text: str, start: int) -> tuple[str, int]:
    """An argument, and where it ends. Within quotes, a backslash keeps the quote's own sign;
    everywhere it keeps a backslash."""
    mark = text[start] if text[start] in "\"'" else ""
    position = start + len(mark)
    taken: list[str] = []
    while position < len(text):
        one = text[position]
        if one == "\\" and text[position + 1 : position + 2] in ("\\", mark or "\\"):
            position += 1
            one = text[position]
        elif one == mark or (not mark and one in _BLANK):
            return "".join(taken), position + len(mark)
        taken.append(one)
        position += 1
    return "".join(taken), position


def expand(text: str, variable: Callable[[str], str | None]) -> str:
    """Text with the values of its `${NAME}`."""

    def value(match: re.Match[str]) -> str:
        known = variable(match[1])
        return match[0] if known is None else known

    return _VARIABLE.sub(value, text)


def undefined(text: str) -> str | None:
    """A `${NAME}` that is left in an expanded text."""
    match = _VARIABLE.search(text)
    return match[1] if match else None


def not_defined(name: str) -> str:
    """What to say of such a NAME."""
    return f"${{{escaped(name)}}} is not defined: give it with --define {escaped(name)}=VALUE"
