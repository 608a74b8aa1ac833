"""What a fuzz target is, and how it takes values from bytes."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises whatever is no refusal of the package's own, and AssertionError where a promise is broken.

    `promise` says what holds, for people. `seeds` are inputs that go far; `words` are what mutations put in. `tries` is
    how many mutations the tests make: some seconds' worth.
    """

    name: str
    promise: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[bytes] = ()
    tries: int = 2000
    longest: int = 4096  # bytes of an input


def temporary() -> Path:
    """A new directory, in memory where there is one; it goes with this process."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    holder = tempfile.TemporaryDirectory(prefix="wsgi-wasm-fuzz-", dir=where)
    _HOLDERS.append(holder)
    return Path(os.path.realpath(holder.name))


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []

TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # what changes the order of text (UAX #9)


def check_message(error: object) -> None:
    """A message ends no line of a log, and a terminal does not obey it."""
    for character in str(error):
        if not character.isprintable():
            assert unicodedata.category(character) not in ("Cc", "Zl", "Zp", "Cs"), ascii(error)
            assert unicodedata.bidirectional(character) not in TURNING, ascii(error)


class Draw:
    """Takes values from bytes, as long as they last; after that, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "little")

    def upto(self, most: int) -> int:
        return self.byte() % (most + 1)

    def one_of(self, values: Sequence[T]) -> T:
        return values[self.byte() % len(values)]

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def text(self, most: int = 40) -> str:
        """Of any characters that UTF-8 can write."""
        return self.take(self.upto(most)).decode("utf-8", "replace")

    def rest(self) -> bytes:
        return self.take(max(0, self.left))
