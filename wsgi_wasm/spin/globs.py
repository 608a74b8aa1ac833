"""Glob patterns as Spin reads them: `*` and `?` within one name, `[abc]`, `[!abc]`, and `**` for
any number of directories."""

from __future__ import annotations

import re
from functools import lru_cache

_SPECIAL = re.compile(r"[*?\[]")


def is_glob(pattern: str) -> bool:
    """Whether the pattern is more than a plain path."""
    return _SPECIAL.search(pattern) is not None


@lru_cache(maxsize=256)
def compiled(pattern: str, *, across: bool = False) -> re.Pattern[str]:
    """An expression for whole relative paths. With `across`, `*` and `?` match slashes too,
    as in `exclude_files`."""
    # Of `**` in a row one says it all, and each more would multiply the time that a match takes.
    segments = pattern.split("/")
    segments = [one for one, before in zip(segments, ["", *segments], strict=False) if not one == before == "**"]
    parts: list[str] = []
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment == "**":
            parts.append(".*" if last else "(?:[^/]+/)*")
        else:
            parts.append(_segment(segment, "." if across else "[^/]") + ("" if last else "/"))
    return re.compile("".join(parts), re.DOTALL)


def _segment(text: str, any_character: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        first = position + (2 if text.startswith("[!", position) else 1)  # `]` may be a member
        end = text.find("]", first + 1) if char == "[" else -1
        if char == "*":
            parts.append(any_character + "*")
        elif char == "?":
            parts.append(any_character)
        elif end > 0:
            parts.append(f"(?!/)[{'^' if first > position + 1 else ''}{_members(text[first:end])}]")
            position = end
        else:
            parts.append(re.escape(char))
        position += 1
    return "".join(parts)


def _members(text: str) -> str:
    """Characters and ranges of a class, where nothing else means anything."""
    found = re.findall(r"(.)-(.)|(.)", text, re.DOTALL)
    return "".join(f"{re.escape(low)}-{re.escape(high)}" if low else re.escape(one) for low, high, one in found)
