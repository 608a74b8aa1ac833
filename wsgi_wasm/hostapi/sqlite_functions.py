"""SQLite's own functions once more, where one call of theirs can take from seconds to hours: the
same results (https://www.sqlite.org/lang_corefunc.html), with a look at the clock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from wsgi_wasm.hostapi.limits import MAX_RESULT
from wsgi_wasm.hostapi.sqlite_patterns import glob, like

Value: TypeAlias = str | bytes | int | float | None
Look: TypeAlias = Callable[[], None]

_PIECE = 1 << 15  # characters between two looks at the clock
_FEW = 16  # characters to be trimmed that are looked for one by one
# the lengths of two documents multiplied: SQLite looks each name of one up among all of the other
_MAX_PATCH = 1 << 28


def always(look: Look) -> dict[tuple[str, int], Callable[..., Value]]:
    """By name and number of arguments, those that take too long even for short texts."""
    return {
        ("instr", 2): _instr,
        ("replace", 3): _replace,
        ("trim", 2): lambda value, chars: _trimmed(value, chars, True, True, look),
        ("ltrim", 2): lambda value, chars: _trimmed(value, chars, True, False, look),
        ("rtrim", 2): lambda value, chars: _trimmed(value, chars, False, True, look),
        ("json_patch", 2): _json_patch,
    }


def for_long_texts(look: Look) -> dict[tuple[str, int], Callable[..., Value]]:
    """Those that take too long for long texts alone. SQLite uses no index for them where they are
    not its own."""

    def is_like(pattern: Value, text: Value, escape: Value = "") -> int | None:
        if pattern is None or text is None or escape is None:
            return None
        character = _text(escape)
        if len(character) > 1:
            raise ValueError("ESCAPE expression must be a single character")
        if _is_blob(pattern, text):
            return 0
        return int(like(_text(pattern), _text(text), character or None, look))

    def is_glob(pattern: Value, text: Value) -> int | None:
        if pattern is None or text is None:
            return None
        if _is_blob(pattern, text):
            return 0
        return int(glob(_text(pattern), _text(text), look))

    return {("like", 2): is_like, ("like", 3): is_like, ("glob", 2): is_glob}


def _is_blob(pattern: Value, text: Value) -> bool:
    """Whether one is a blob, and those match nothing."""
    return (isinstance(pattern, bytes) or isinstance(text, bytes)) and _blobs_match_nothing()


@cache
def _blobs_match_nothing() -> bool:
    """As the library was built (LIKE_DOESNT_MATCH_BLOBS)."""
    connection = sqlite3.connect(":memory:")
    try:
        return not connection.execute("SELECT x'61' LIKE 'a'").fetchone()[0]
    finally:
        connection.close()


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        written = f"{value:.15g}"
        return written if any(mark in written for mark in ".en") else written + ".0"
    return str(value)


def _instr(whole: Value, part: Value) -> int | None:
    if whole is None or part is None:
        return None
    if isinstance(whole, bytes) and isinstance(part, bytes):
        return whole.find(part) + 1
    return _text(whole).find(_text(part)) + 1


def _replace(whole: Value, part: Value, other: Value) -> str | None:
    if whole is None or part is None or other is None:
        return None
    text, sought, instead = _text(whole), _text(part), _text(other)
    if not sought:
        return text
    if len(text) + text.count(sought) * (len(instead) - len(sought)) > MAX_RESULT:
        raise ValueError("too large")
    return text.replace(sought, instead)


def _trimmed(value: Value, chars: Value, left: bool, right: bool, look: Look) -> str | None:
    if value is None or chars is None:
        return None
    text, every = _text(value), set(_text(chars))
    few = "".join(every) if len(every) <= _FEW else None
    start, end = 0, len(text)
    while left and start < end:
        piece = text[start : min(end, start + _PIECE)]
        cut = len(piece) - len(piece.lstrip(few)) if few is not None else _leading(piece, every)
        start += cut
        if cut < len(piece):
            break
        look()
    while right and start < end:
        piece = text[max(start, end - _PIECE) : end]
        cut = len(piece) - len(piece.rstrip(few)) if few is not None else _leading(piece[::-1], every)
        end -= cut
        if cut < len(piece):
            break
        look()
    return text[start:end]


def _leading(text: str, every: set[str]) -> int:
    """How many of the first characters are among these."""
    return next((i for i, character in enumerate(text) if character not in every), len(text))


def _json_patch(target: Value, patch: Value) -> Any:
    if isinstance(target, str) and isinstance(patch, str) and len(target) * len(patch) > _MAX_PATCH:
        raise ValueError("too large")
    # SQLite's own, of a connection of its own.
    connection = sqlite3.connect(":memory:")
    try:
        return connection.execute("SELECT json_patch(?, ?)", (target, patch)).fetchone()[0]
    finally:
        connection.close()
