"""A cursor over a binary component, and its sections.

Follows the Component Model's Binary.md. What is read may be hostile: each read is checked against
the end of its section, numbers and counts have bounds, and every message names the place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wsgi_wasm.errors import ModuleError

MAGIC = b"\0asm"  # of modules and components
PREAMBLE = MAGIC + b"\x0d\0\x01\0"
CORE_PREAMBLE = MAGIC + b"\x01\0\0\0"

MAX_ITEMS = 100_000  # of one vector; the largest seen in real components has a few hundred
MAX_SECTIONS = 100_000

# sections, by number
CUSTOM, CORE_MODULE, CORE_INSTANCE, CORE_TYPE, COMPONENT, INSTANCE, ALIAS, TYPE, CANON, START, IMPORT, EXPORT = range(
    12
)

# kinds of items that have an index space, as sorts are encoded
CORE_SORT, FUNC_SORT, VALUE_SORT, TYPE_SORT, COMPONENT_SORT, INSTANCE_SORT = range(6)
SORT_NAMES = {1: "function", 2: "value", 3: "type", 4: "component", 5: "instance"}


def malformed(what: str, position: int) -> ModuleError:
    """The error for a component that breaks off or makes no sense at a byte."""
    return ModuleError(f"is a malformed component: {what} at byte {position}")


class BinarySection(NamedTuple):
    """One section: its number and where its contents lie in the whole."""

    number: int
    start: int
    end: int


class Reader:
    """A cursor over `source[position:end]`. Raises ModuleError."""

    __slots__ = ("end", "position", "source")

    def __init__(self, source: bytes, position: int, end: int) -> None:
        self.source, self.position, self.end = source, position, end

    def byte(self) -> int:
        """The next byte."""
        if self.position >= self.end:
            raise malformed("a section ends too early", self.position)
        self.position += 1
        return self.source[self.position - 1]

    def peek(self) -> int:
        """The next byte, which is not taken."""
        byte = self.byte()
        self.position -= 1
        return byte

    def number(self) -> int:
        """Unsigned LEB128 of 32 bits."""
        return self._number(32)

    def wide_number(self) -> int:
        """Unsigned LEB128 of 64 bits."""
        return self._number(64)

    def _number(self, bits: int) -> int:
        result = 0
        for shift in range(0, bits + 3, 7):
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                if result >> bits:
                    break
                return result
        raise malformed("a number is too large", self.position)

    def count(self) -> int:
        """The length of a vector."""
        count = self.number()
        if count > MAX_ITEMS or count > self.end - self.position:  # each item takes a byte at least
            raise malformed(f"a vector claims {count} items", self.position)
        return count

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.end - self.position:
            raise malformed("a section ends too early", self.position)
        self.position += size
        return self.source[self.position - size : self.position]

    def name(self) -> str:
        """A name in UTF-8."""
        start = self.position
        try:
            return self.take(self.number()).decode("utf-8")
        except UnicodeDecodeError:
            raise malformed("a name is not UTF-8", start) from None

    def finish(self) -> None:
        """Raises ModuleError unless everything was read."""
        if self.position != self.end:
            raise malformed("a section is longer than it says", self.position)


def is_component(source: bytes) -> bool:
    """Whether the bytes begin as a component does."""
    return source[:8] == PREAMBLE


def sections(source: bytes, start: int = 0, end: int | None = None) -> Iterator[BinarySection]:
    """The sections of the component in `source[start:end]`, in order. Raises ModuleError."""
    end = len(source) if end is None else end
    if source[start : start + 8] != PREAMBLE:
        raise malformed("expected a component", start)
    reader = Reader(source, start + 8, end)
    for _ in range(MAX_SECTIONS):
        if reader.position == end:
            return
        number, size = reader.byte(), reader.number()
        if size > end - reader.position:
            raise malformed("it is truncated in the section", reader.position)
        yield BinarySection(number, reader.position, reader.position + size)
        reader.position += size
    raise malformed(f"more than {MAX_SECTIONS} sections", reader.position)
