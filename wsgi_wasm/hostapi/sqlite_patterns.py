"""`LIKE` and `GLOB` as SQLite has them, for texts that are too long for its own: it compares every
place of the text with all of the pattern, in one step that nothing can stop.

https://www.sqlite.org/lang_expr.html#like
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

# comparisons between two looks at the clock, some milliseconds
_BUDGET = 500_000

# What a pattern has between two of its stars: it matches texts of one length alone.
Segment: TypeAlias = tuple[re.Pattern[str], int]
Elements: TypeAlias = Iterator[str | None]  # as regular expressions; None is a star

_ANY, _NONE = r"[\s\S]", r"[^\s\S]"


def like(pattern: str, text: str, escape: str | None, look: Callable[[], None]) -> bool:
    """Whether the text is `LIKE` the pattern. `look` may raise."""
    return _matches(_like(_up_to_nul(pattern), escape), _up_to_nul(text), look)


def glob(pattern: str, text: str, look: Callable[[], None]) -> bool:
    """The same for `GLOB`."""
    return _matches(_glob(_up_to_nul(pattern)), _up_to_nul(text), look)


def _up_to_nul(text: str) -> str:
    return text.partition("\0")[0]


def _matches(segments: tuple[Segment, ...] | None, text: str, look: Callable[[], None]) -> bool:
    if segments is None or sum(length for _, length in segments) > len(text):
        return False
    (first, at), *others = segments
    if first.match(text) is None:
        return False
    if not others:
        return at == len(text)
    *middle, (last, length) = others
    end = len(text) - length
    if last.match(text, end) is None:
        return False
    for segment in middle:
        found = _find(segment, text, at, end, look)
        if found is None:
            return False
        at = found
    return True


def _find(segment: Segment, text: str, start: int, end: int, look: Callable[[], None]) -> int | None:
    """Where the first match between the two places ends."""
    expression, length = segment
    places = max(1, _BUDGET // max(1, length))
    while start + length <= end:
        found = expression.search(text, start, min(end, start + places + length - 1))
        if found is not None:
            return found.end()
        look()
        start += places
    return None


def _segments(elements: Elements, flags: int) -> tuple[Segment, ...]:
    parts: list[list[str]] = [[]]
    for element in elements:
        if element is None:
            parts.append([])
        else:
            parts[-1].append(element)
    first, *others = parts
    if not others:
        return ((re.compile("".join(first), flags), len(first)),)
    *middle, last = others
    kept = [first, *filter(None, middle), last]
    return tuple((re.compile("".join(part), flags), len(part)) for part in kept)


@lru_cache(64)
def _like(pattern: str, escape: str | None) -> tuple[Segment, ...] | None:
    if escape is not None and re.search(f"(?:[^{re.escape(escape)}]|^)(?:{re.escape(escape) * 2})*$", pattern) is None:
        return None  # nothing follows the last escape
    return _segments(_like_elements(pattern, escape), re.IGNORECASE | re.ASCII)


def _like_elements(pattern: str, escape: str | None) -> Elements:
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            yield re.escape(next(characters))
        elif character == "%":
            yield None
        else:
            yield _ANY if character == "_" else re.escape(character)


@lru_cache(64)
def _glob(pattern: str) -> tuple[Segment, ...] | None:
    try:
        return _segments(_glob_elements(pattern), 0)
    except ValueError:
        return None


def _glob_elements(pattern: str) -> Elements:
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            yield None
        elif character == "[":
            expression, at = _set(pattern, at)
            yield expression
        else:
            yield _ANY if character == "?" else re.escape(character)


def _set(pattern: str, at: int) -> tuple[str, int]:
    """A set of characters as a regular expression, and where it ends. Raises ValueError for one
    without an end."""
    inverted = pattern[at : at + 1] == "^"
    at += inverted
    ranges: list[tuple[str, str]] = []
    before = ""  # what a range may begin with
    if pattern[at : at + 1] == "]":
        ranges.append(("]", "]"))
        at += 1
    while pattern[at : at + 1] != "]":
        if at >= len(pattern):
            raise ValueError("a set without an end")
        character = pattern[at]
        if character == "-" and before and pattern[at + 1 : at + 2] not in ("]", ""):
            at += 1
            ranges.append((before, pattern[at]))
            before = ""
        else:
            ranges.append((character, character))
            before = character
        at += 1
    inside = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not inside:
        return _ANY if inverted else _NONE, at + 1
    return f"[{'^' * inverted}{inside}]", at + 1
