"""Statements with parameters, and rows, as MySQL's protocol has them in its binary form: what the
client library, which writes parameters into the text of a statement, does not have.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

BINARY_CHARACTERS = 63  # the character set of bytes that are no text
BYTES_AS_TEXT = "surrogateescape"
"""How bytes that are no UTF-8 stand in text: a guest may have chosen another character set."""
_UNSIGNED = 32  # a flag of columns

_YEAR, _DATE, _TIME, _NULL, _BIT, _GEOMETRY = 13, 10, 11, 6, 16, 255
_DATETIMES = frozenset({7, 12})
_ASCII = frozenset({0, 246})  # decimal numbers, which have the character set of bytes
_BINARY = frozenset({_BIT, _GEOMETRY})
_NUMBERS: dict[int, tuple[str, str]] = {
    1: ("b", "B"), 2: ("h", "H"), _YEAR: ("h", "H"), 3: ("i", "I"), 9: ("i", "I"), 8: ("q", "Q"), 4: ("f", "f"),
    5: ("d", "d"),
}  # fmt: skip

# What a parameter is sent as: the number of its type, and how it is packed.
_PARAMETERS: dict[str, tuple[int, str]] = {
    "boolean": (1, "<b"), "int8": (1, "<b"), "int16": (2, "<h"), "int32": (3, "<i"), "int64": (8, "<q"),
    "uint8": (0x8001, "<B"), "uint16": (0x8002, "<H"), "uint32": (0x8003, "<I"), "uint64": (0x8008, "<Q"),
    "floating32": (4, "<f"), "floating64": (5, "<d"),
}  # fmt: skip
_TEXT, _BYTES = 253, 252


class Column(NamedTuple):
    """A column of an answer: the number of its type, its flags, its character set, and the digits
    of a second's fraction."""

    name: str
    type: int
    flags: int
    characters: int
    digits: int

    @property
    def unsigned(self) -> bool:
        """Whether its numbers have no sign."""
        return bool(self.flags & _UNSIGNED)

    @property
    def binary(self) -> bool:
        """Whether its values are bytes and no text."""
        return self.type in _BINARY or (self.characters == BINARY_CHARACTERS and self.type not in _ASCII)


def packed(statement: int, parameters: Sequence[tuple[str, Any]]) -> bytes:
    """What executes a prepared statement. Parameters are cases of the interface with their values.
    Raises struct.error."""
    head = struct.pack("<IBI", statement, 0, 1)
    if not parameters:
        return head
    nulls = bytearray((len(parameters) + 7) // 8)
    types, values = bytearray(), bytearray()
    for number, (case, value) in enumerate(parameters):
        if value is None:
            nulls[number // 8] |= 1 << number % 8
            types += struct.pack("<H", _NULL)
        elif case in _PARAMETERS:
            kind, form = _PARAMETERS[case]
            types += struct.pack("<H", kind)
            values += struct.pack(form, value)
        else:
            data = value.encode("utf-8", BYTES_AS_TEXT) if isinstance(value, str) else bytes(value)
            types += struct.pack("<H", _TEXT if isinstance(value, str) else _BYTES)
            values += length_coded(len(data)) + data
    return b"".join((head, nulls, b"\1", types, values))


def length_coded(number: int) -> bytes:
    """A number as it stands before data of that length."""
    if number < 251:
        return bytes([number])
    if number < 1 << 16:
        return b"\xfc" + struct.pack("<H", number)
    return b"\xfd" + struct.pack("<I", number)[:3] if number < 1 << 24 else b"\xfe" + struct.pack("<Q", number)


class _RowReader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def counted(self) -> bytes | None:
        """Data with its length before it; None for what the text form has for NULL."""
        (size,) = self.take("<B")
        if size == 251:
            return None
        if size > 251:
            size = int.from_bytes(self._cut({252: 2, 253: 3, 254: 8}[size]), "little")
        return self._cut(size)

    def _cut(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise ValueError("a value that ends too early")
        self._at += size
        return self._data[self._at - size : self._at]


def binary_row(data: bytes, columns: Sequence[Column]) -> list[Any]:
    """The values of a row in the binary form: numbers, text, bytes and None; dates and times are
    text. Raises ValueError, LookupError, struct.error."""
    offset = 1 + (len(columns) + 9) // 8
    nulls = data[1:offset]
    reader = _RowReader(data, offset)
    return [
        None if nulls[(number + 2) // 8] >> (number + 2) % 8 & 1 else _value(reader, column)
        for number, column in enumerate(columns)
    ]


def text_row(data: bytes, columns: Sequence[Column]) -> list[Any]:
    """The same for the text form, in which statements are answered that cannot be prepared."""
    reader = _RowReader(data, 0)
    row: list[Any] = []
    for column in columns:
        value = reader.counted()
        convert: Callable[[bytes], Any] = bytes
        if column.type in _NUMBERS:
            convert = float if column.type in (4, 5) else int
        elif not column.binary or column.type in (_DATE, _TIME, *_DATETIMES):
            convert = _decoded
        row.append(None if value is None else convert(value))
    return row


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", BYTES_AS_TEXT)


def _value(reader: _RowReader, column: Column) -> Any:
    if column.type in _NUMBERS:
        return reader.take("<" + _NUMBERS[column.type][column.unsigned])[0]
    if column.type == _NULL:
        return None
    value = reader.counted()
    if value is None:
        raise ValueError("a value without a length")
    if column.type == _DATE or column.type in _DATETIMES:
        return _date(value, column)
    if column.type == _TIME:
        return _time(value, column.digits)
    return value if column.binary else _decoded(value)


def _date(value: bytes, column: Column) -> str:
    year, month, day, hour, minute, second, fraction = struct.unpack("<HBBBBBI", value.ljust(11, b"\0"))
    date = f"{year:04}-{month:02}-{day:02}"
    if column.type == _DATE:
        return date
    return f"{date} {hour:02}:{minute:02}:{second:02}{_fraction(fraction, column.digits)}"


def _time(value: bytes, digits: int) -> str:
    negative, days, hour, minute, second, fraction = struct.unpack("<BIBBBI", value.ljust(12, b"\0"))
    return f"{'-' * bool(negative)}{24 * days + hour:02}:{minute:02}:{second:02}{_fraction(fraction, digits)}"


def _fraction(microseconds: int, digits: int) -> str:
    return f".{microseconds:06}"[: digits + 1] if 0 < digits <= 6 else ""
