"""Text for people: sizes, durations, tables, and colours where a terminal shows them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from wsgi_wasm.messages import escaped, printable, reason

_COLOUR = re.compile("(\x1b\\[(?:[012]|3[123])m)")
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class Style:
    """Colours for one stream; none where it is no terminal, or where NO_COLOR asks for none."""

    def __init__(self, stream: TextIO) -> None:
        self.colours = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, colour: str, text: str) -> str:
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colours else text


def duration_text(seconds: float) -> str:
    """Seconds in the words of the configuration file."""
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"


def plural(count: int, noun: str) -> str:
    """`1 route`, `3 routes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def wrapped(label: str, words: Sequence[str], width: int = 110) -> list[str]:
    """`label` and then the words with commas, broken into lines that begin under the first word."""
    lines, line = [], label
    for position, word in enumerate(words):
        piece = word if position == len(words) - 1 else f"{word},"
        if len(line) + 1 + len(piece) > width and line.strip():
            lines.append(line)
            line = " " * len(label)
        line += f" {piece}"
    return [*lines, line]


def shown(path: Path) -> str:
    """A path as a person would write it here: relative where it lies below
    the working directory."""
    return escaped(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def tell(*lines: str) -> None:
    """A result, on standard output. Raises OutputRefused, BrokenPipeError."""
    with writing():
        _print(lines, sys.stdout)


def say(*lines: str) -> None:
    """Something for the person who waits: standard output belongs to results."""
    _print(lines, sys.stderr)


class OutputRefused(Exception):
    """Standard output takes nothing, as on a full disk: the system's words."""


@contextmanager
def writing() -> Iterator[None]:
    """What is done here writes to standard output. Raises OutputRefused where that fails,
    BrokenPipeError where its reader has left."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputRefused(reason(error)) from None


def _print(lines: Sequence[str], stream: TextIO) -> None:
    """Each on one line, whatever is in it: of what a terminal obeys its colours alone are left,
    and those where `Style` uses them."""
    coloured = Style(stream).colours
    for line in lines:
        pieces = _COLOUR.split(line) if coloured else [line]
        pieces[::2] = [printable(piece, tabs=True) for piece in pieces[::2]]
        print("".join(pieces), file=stream)
    stream.flush()
