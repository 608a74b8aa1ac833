"""Words that messages share. Whatever comes from outside goes into a message through `quote` or
`escaped`. What is forgotten there is caught behind: by the texts of the package's errors
(`errors`), by its logs (`logs`) and by what commands print (`cli.terminal`).

Names of files and imports, data of requests and what guests print can hold line ends, which forge
lines of a log, and sequences that a terminal obeys. A leaf: imports nothing of the package, and has
no files and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST_QUOTED = 60  # characters
MOST_ESCAPED = 1000  # the same; names of files may be long, and the end is what tells them apart
_MOST_COMPARED = 200  # names that one could have meant
MOST_LISTED = 20  # items
MOST_LINES = 200

_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))

_REMEMBERED = 0x3000  # escapes of characters below this are kept; a stranger can send all others


class _Escapes(dict[int, str]):
    """For `str.translate`: what is not printable by `str.isprintable`, which leaves no controls,
    separators, surrogates, unassigned characters, or those that are not seen or change the order
    of text (UAX #9)."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isprintable():
            text = character
        elif code < 0x100:
            text = f"\\x{code:02x}"
        else:
            text = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        if code < _REMEMBERED:
            self[code] = text
        return text


_ESCAPES = _Escapes()
_ESCAPES_BUT_TABS = _Escapes({ord("\t"): "\t"})


def quote(text: str, most: int = MOST_QUOTED) -> str:
    """Foreign text in single quotes on one line, cut where it is longer than `most` characters."""
    text = shorten(text, most)
    return f"'{text}'" if text.isprintable() else repr(text)


def escaped(text: object, most: int = MOST_ESCAPED) -> str:
    """The same without quotes, for paths and for names in a list."""
    return printable(shorten(str(text), most))


def printable(text: str, *, tabs: bool = False) -> str:
    """Text of any length on one line, as of what guests print, where `tabs` may stay.

    Characters that nobody sees, or that a log or a terminal would obey, become `\\x1b` or
    `\\u202e`; lone surrogates, which stand for bytes of a file's name, become `\\udcff`. All others
    stay, and what was escaped stays as it is.
    """
    if text.isprintable():
        return text
    return text.translate(_ESCAPES_BUT_TABS if tabs else _ESCAPES)


def printable_lines(text: str) -> str:
    """Text of several lines, as compilers write it: at most `MOST_LINES`, each cut at
    `MOST_ESCAPED` characters."""
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"... and {len(lines) - MOST_LINES} more lines"]
    return "\n".join(printable(shorten(line, MOST_ESCAPED), tabs=True) for line in lines)


def shorten(text: str, most: int = MOST_QUOTED) -> str:
    """`text`, cut and with dots at its end where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def did_you_mean(text: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'module'?`, or nothing where no name is near."""
    # The comparison is quadratic in the length, and no key is long.
    near = get_close_matches(text, islice(allowed, _MOST_COMPARED), n=1) if len(text) <= 40 else []
    return f"; did you mean {quote(near[0])}?" if near else ""


def listed(items: Iterable[object], most: int = MOST_LISTED) -> str:
    """`a`, `a and b`, `a, b and c`; what is over `most` is counted: `a, b and 7 more`. Items are
    escaped."""
    names = [escaped(item) for item in items]
    if len(names) > most:
        names[most:] = [f"{len(names) - most} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def reason(error: Exception) -> str:
    """Why a file could not be used, in the system's words and without its name: `No such file or
    directory`."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return escaped(words)


def size_text(size: int) -> str:
    """Bytes in the words of the configuration file where they are whole (`128MiB`), else rounded
    (`34.6 KiB`)."""
    for unit, name in _SIZES:
        if size and size % unit == 0:
            return f"{size // unit}{name}"
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
