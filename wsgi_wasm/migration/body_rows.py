"""Two bodies side by side, as far as a person wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import IO, NamedTuple

from wsgi_wasm.messages import printable, shorten

MOST_ROWS = 60
_MOST_LINES = 400  # that are compared; the time grows with their square
_MOST_COLUMNS = 300
_BEFORE = 60  # of them before the difference in a line
_MOST_HIDDEN = 4096  # characters of a value that is hidden
_CONTEXT = 2  # rows around a difference
_PIECE = 64 << 10


class BodyRow(NamedTuple):
    """Lines that belong together. `kind` is `same`, `differs`, `native` (only there), `ours` or
    `gap`, where rows are left out; `number` is the line of the native body, from 1."""

    kind: str
    number: int
    native: str
    ours: str


def first_difference(native: IO[bytes], ours: IO[bytes]) -> int:
    """The offset of the first byte that differs, or where the shorter one ends; -1 where there is
    none."""
    native.seek(0)
    ours.seek(0)
    offset = 0
    while True:
        left, right = native.read(_PIECE), ours.read(_PIECE)
        if left != right:
            return offset + _common(left, right)
        if not left:
            return -1
        offset += len(left)


def _common(left: Sequence[object], right: Sequence[object]) -> int:
    """How much is the same at the beginning."""
    pairs = zip(left, right, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))


def rows_of(native: str, ours: str, hide: Callable[[str], str]) -> tuple[BodyRow, ...]:
    """The rows around the differences of two texts; `hide` takes out of a line what nobody may
    see."""
    left, right = native.split("\n"), ours.split("\n")
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    start = max(0, same - _CONTEXT)
    pieces = (side[start : start + _MOST_LINES] for side in (left, right))
    rows: list[BodyRow] = []
    for row in _matched(start, *pieces):
        if len(rows) == MOST_ROWS:
            rows.append(BodyRow("gap", 0, "", ""))
            break
        rows.append(_shown(row, hide))
    return tuple(rows)


def _matched(start: int, left: Sequence[str], right: Sequence[str]) -> Iterator[BodyRow]:
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            for position, line in enumerate(left[a:b]):
                if _CONTEXT <= position < (b - a if b == len(left) else b - a - _CONTEXT):
                    if position == _CONTEXT:
                        yield BodyRow("gap", 0, "", "")
                    continue
                yield BodyRow("same", start + a + position + 1, line, line)
            continue
        for position in range(max(b - a, d - c)):
            has_left, has_right = position < b - a, position < d - c
            kind = "differs" if has_left and has_right else "native" if has_left else "ours"
            yield BodyRow(
                kind,
                start + min(a + position, len(left)) + 1,
                left[a + position] if has_left else "",
                right[c + position] if has_right else "",
            )


def _shown(row: BodyRow, hide: Callable[[str], str]) -> BodyRow:
    """As a report may have it. Long lines begin a little before they differ."""
    begin = 0
    if row.kind == "differs" and max(len(row.native), len(row.ours)) > _MOST_COLUMNS:
        begin = max(0, _common(row.native, row.ours) - _BEFORE)
    # Hidden before it is cut, or a part of what is hidden could be left at an end.
    window = slice(max(0, begin - _MOST_HIDDEN), begin + _MOST_COLUMNS + _MOST_HIDDEN)
    native, ours = (hide(side[window])[begin - window.start :] for side in (row.native, row.ours))
    texts = (printable(shorten(side, _MOST_COLUMNS), tabs=True) for side in (native, ours))
    return BodyRow(row.kind, row.number, *texts)
