"""Tables that fit a terminal: long cells go on in the lines below, within their own column."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

from wsgi_wasm.messages import escaped

_GAP = 2
_LEAST = 4  # columns that a cell keeps


def columns_of(text: str) -> int:
    """How wide a terminal shows a text: characters of East Asia take two columns, marks none."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


Paint = Callable[[int, int, str], str]
"""Colours a piece of a cell, given the numbers of its row and column."""


def fitted(rows: Sequence[Sequence[str]], width: int, paint: Paint) -> Iterator[str]:
    """Lines of at most `width` columns. Cells are foreign text; the widest columns are made
    narrower first."""
    cells = [[escaped(cell) for cell in row] for row in rows]
    widths = _widths([max(map(columns_of, column)) for column in zip(*cells, strict=True)], width)
    for number, row in enumerate(cells):
        columns = [broken(cell, limit) for cell, limit in zip(row, widths, strict=True)]
        for line in range(max(map(len, columns))):
            parts = [column[line] if line < len(column) else "" for column in columns]
            padded = (
                paint(number, column, part) + " " * (widths[column] - columns_of(part))
                for column, part in enumerate(parts)
            )
            yield (" " * _GAP).join(padded).rstrip()


def _widths(wanted: Sequence[int], width: int) -> list[int]:
    room = max(width - _GAP * (len(wanted) - 1), _LEAST * len(wanted))
    most = max(wanted, default=_LEAST)
    low, high = _LEAST, max(most, _LEAST)
    while low < high:  # the largest bound with which all fit
        middle = (low + high + 1) // 2
        if sum(min(one, middle) for one in wanted) <= room:
            low = middle
        else:
            high = middle - 1
    widths = [min(one, low) for one in wanted]
    left = room - sum(widths)
    for column, one in enumerate(wanted):
        more = min(left, one - widths[column])
        widths[column] += more
        left -= more
    return widths


def broken(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, at spaces where there are any."""
    lines, line = [], ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if columns_of(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = word
        while columns_of(line) > width:
            cut = _fitting(line, width)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line]


def _fitting(text: str, width: int) -> int:
    used = 0
    for position, character in enumerate(text):
        used += _width(character)
        if used > width:
            return max(position, 1)
    return len(text)
