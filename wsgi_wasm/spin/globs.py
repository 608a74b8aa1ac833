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
    segments = pattern.split("/")
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
        end = text.find("]", position + 2) if char == "[" else -1
        if char == "*":
            parts.append(any_character + "*")
        elif char == "?":
            parts.append(any_character)
        elif end > 0:
            inside = text[position + 1 : end]
            negated = inside.startswith("!")
            characters = re.sub(r"([\\\]^])", r"\\\1", inside[1:] if negated else inside)
            parts.append(f"[{'^/' if negated else ''}{characters}]")
            position = end
        else:
            parts.append(re.escape(char))
        position += 1
    return "".join(parts)
