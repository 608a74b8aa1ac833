"""The tables that a core module defines. The core specification, 5.5.7."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Numbers(Protocol):
    """A cursor over a section."""

    def byte(self) -> int: ...
    def wide_number(self) -> int: ...
    def count(self) -> int: ...


class Tables(NamedTuple):
    """How many there are, and the most elements that one begins with."""

    number: int = 0
    largest: int = 0


_WITH_VALUE = 0x40
_OF_HEAP_TYPE = (0x63, 0x64)  # `(ref null ht)`, `(ref ht)`

# Bytes that follow an instruction of a constant expression; -1 is a number.
_IMMEDIATES = {
    **dict.fromkeys((0x41, 0x42, 0x23, 0xD0, 0xD2), -1),
    0x43: 4,
    0x44: 8,
    **dict.fromkeys((0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E), 0),
}
_END = 0x0B


def read_tables(reader: Numbers) -> Tables:
    """What a table section says. Behind an initial value in an instruction that is not known
    here, nothing is read: Wasmtime judges the rest. Raises ModuleError."""
    count, largest = reader.count(), 0
    for _ in range(count):
        kind = reader.byte()
        with_value = kind == _WITH_VALUE
        if with_value:
            reader.byte()
            kind = reader.byte()
        if kind in _OF_HEAP_TYPE:
            reader.wide_number()
        bounded = reader.byte() & 1
        largest = max(largest, reader.wide_number())
        if bounded:
            reader.wide_number()
        if with_value and not _skipped_expression(reader):
            break
    return Tables(count, largest)


def _skipped_expression(reader: Numbers) -> bool:
    while True:
        code = reader.byte()
        if code == _END:
            return True
        immediate = _IMMEDIATES.get(code)
        if immediate is None:
            return False
        if immediate < 0:
            reader.wide_number()
        for _ in range(immediate):
            reader.byte()
