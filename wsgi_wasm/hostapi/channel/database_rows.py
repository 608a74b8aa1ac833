"""Parameters and rows of databases as the channel has them: docs/channel.md, "Databases"."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.limits import TooLarge
from wsgi_wasm.hostapi.mysql_wire import BYTES_AS_TEXT

MOST_BYTES = 16 << 20  # of the rows that wait for one guest
PIECE = 60_000  # bytes of rows in an answer

_NULL, _INTEGER, _REAL, _TEXT, _BYTES = range(5)
_STEP = 500  # rows between two looks at the clock


class AnswerColumn(NamedTuple):
    """A column's name, and the database's own name of its type, "" where it tells none."""

    name: str
    type: str = ""


class Rows:
    """Rows in the channel's form, which a guest fetches in pieces."""

    def __init__(self, rows: Iterable[Sequence[Any]], host: HostState, most: int) -> None:
        """Reads all of them. Raises TooLarge where they have more than `most` bytes, Stop, and what
        `rows` does."""
        self._data = bytearray()
        self._at = 0
        for number, row in enumerate(rows, 1):
            for value in row:
                self._data += _packed(value)
            if len(self._data) > most:
                raise TooLarge
            if number % _STEP == 0:
                host.look()

    def __len__(self) -> int:
        return len(self._data) - self._at

    def piece(self) -> bytes:
        """A byte that is 1 where more is left, and the next bytes."""
        begin, self._at = self._at, min(self._at + PIECE, len(self._data))
        found = bytes(self._data[begin : self._at])
        more = self._at < len(self._data)
        if not more:
            self._data, self._at = bytearray(), 0
        return bytes([more]) + found


def _packed(value: Any) -> bytes:
    match value:
        case None:
            return bytes([_NULL])
        case int() if -(1 << 63) <= value < 1 << 63:
            return struct.pack("<Bq", _INTEGER, value)
        case float():
            return struct.pack("<Bd", _REAL, value)
        case bytes() | bytearray() | memoryview():
            return struct.pack("<BI", _BYTES, len(value)) + value
        case _:
            data = str(value).encode("utf-8", BYTES_AS_TEXT)
            return struct.pack("<BI", _TEXT, len(data)) + data


def parameters(data: bytes) -> list[Any]:
    """What a guest passes: None, numbers, text (bytes that are no UTF-8 as `BYTES_AS_TEXT`), and
    bytes. Raises Declined."""
    found: list[Any] = []
    at = 0
    try:
        while at < len(data):
            kind, at = data[at], at + 1
            if kind == _NULL:
                found.append(None)
            elif kind in (_INTEGER, _REAL):
                found += struct.unpack_from("<q" if kind == _INTEGER else "<d", data, at)
                at += 8
            elif kind in (_TEXT, _BYTES):
                (size,) = struct.unpack_from("<I", data, at)
                piece, at = data[at + 4 : at + 4 + size], at + 4 + size
                if at > len(data):
                    raise Declined(Errno.INVAL)
                found.append(piece.decode("utf-8", BYTES_AS_TEXT) if kind == _TEXT else piece)
            else:
                raise Declined(Errno.INVAL)
    except struct.error:
        raise Declined(Errno.INVAL) from None
    return found
