"""Text files as people's editors write them."""

from __future__ import annotations

import codecs

# The first of these begins with the second's mark, so it is looked for first.
_OTHERS = (
    ("UTF-32", (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),
    ("UTF-16", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
)


def without_mark(data: bytes) -> bytes:
    """The file's content without the byte order mark that some editors put before UTF-8."""
    return data.removeprefix(codecs.BOM_UTF8)


def decoded(data: bytes) -> str:
    """The text of such a file. Raises UnicodeDecodeError."""
    return without_mark(data).decode("utf-8")


def encoding_hint(data: bytes) -> str:
    """What to do about text that is no UTF-8, empty where that cannot be told."""
    name = next((name for name, marks in _OTHERS if data.startswith(marks)), "")
    return f"; it is {name}: save it as UTF-8" if name else ""
