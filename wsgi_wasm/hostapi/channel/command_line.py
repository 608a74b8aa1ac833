"""A shell's line taken apart without a shell (POSIX.1-2017, Shell Command Language, 2.2), and the
arguments that a command may be given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

MOST_ARGUMENTS = 1024
MOST_BYTES = 128 << 10  # of a line, or all arguments; Linux takes as much for one

_SHELLS_OWN = frozenset("|&;<>()$`*?[\n")
_AT_THE_START = frozenset("~#")  # of a word
_IN_DOUBLE_QUOTES = frozenset("$`")
_QUOTABLE = frozenset('$`"\\\n')  # what a backslash escapes within double quotes
_REDIRECTIONS = ("2>&1", "2>/dev/null", ">/dev/null", "1>/dev/null", "</dev/null")


class NeedsShell(ValueError):
    """The line has what only a shell could do, which the text names."""


class SplitLine(NamedTuple):
    """The words, and the redirections at the end of the line that need no shell."""

    words: tuple[str, ...]
    redirections: frozenset[str]


def split(line: str) -> SplitLine:
    """The words of a line with quotes and backslashes. Raises NeedsShell."""
    line, redirections = line.strip(" \t\n"), set()
    while True:
        found = next((one for one in _REDIRECTIONS if line.endswith((f" {one}", f"\t{one}"))), None)
        if found is None:
            break
        redirections.add(found)
        line = line.removesuffix(found).rstrip(" \t")
    words = tuple(_words(line))
    if len(words) > MOST_ARGUMENTS:
        raise NeedsShell("too many arguments")
    return SplitLine(words, frozenset(redirections))


def _words(line: str) -> list[str]:
    words: list[str] = []
    word: list[str] | None = None
    at = iter(line)
    for char in at:
        if char in " \t":
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        if word is None:
            word = []
            if char in _AT_THE_START:
                raise NeedsShell(f"{char!r}")
        if char == "'":
            word += _until_quote(at)
        elif char == '"':
            word += _double_quoted(at)
        elif char == "\\":
            word.append(_next(at))
        elif char in _SHELLS_OWN:
            raise NeedsShell(f"{char!r}")
        else:
            word.append(char)
    return words if word is None else [*words, "".join(word)]


def _next(at: Iterator[str]) -> str:
    char = next(at, "\n")
    if char == "\n":
        raise NeedsShell("a backslash at the end of a line")
    return char


def _until_quote(at: Iterator[str]) -> Iterator[str]:
    for char in at:
        if char == "'":
            return
        yield char
    raise NeedsShell("a quote without an end")


def _double_quoted(at: Iterator[str]) -> Iterator[str]:
    for char in at:
        if char == '"':
            return
        if char in _IN_DOUBLE_QUOTES:
            raise NeedsShell(f"{char!r}")
        if char == "\\":
            escaped = _next(at)
            yield escaped if escaped in _QUOTABLE else f"\\{escaped}"
        else:
            yield char
    raise NeedsShell("a quote without an end")


def may_have(patterns: Sequence[str], argument: str) -> bool:
    """Whether one of a command's patterns allows an argument. One that does not begin with a dash
    allows no option, as `*` is hardly meant to."""
    option = argument.startswith("-")
    return any(fnmatchcase(argument, one) for one in patterns if one.startswith("-") or not option)
