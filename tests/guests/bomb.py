"""Modules that are small and take a compiler long."""

from __future__ import annotations

from collections.abc import Iterable

from guests.binary import section, vector
from wsgi_wasm.binary.reader import CORE_PREAMBLE
from wsgi_wasm.binary.writer import text, unsigned

I32 = b"\x7f"


def bomb(
    depth: int = 300, variables: int = 3000, imports: Iterable[tuple[str, str]] = (), start: str = "_start"
) -> bytes:
    """One function of loops inside each other, which all change all variables. With these numbers it has 29 KB, and
    takes gigabytes and minutes. `imports` are functions without parameters, `start` is what it is exported as."""
    change = b"".join(
        b"\x20" + unsigned(index) + b"\x41\x01\x6a\x21" + unsigned(index) for index in range(variables)
    )  # local.get, i32.const 1, i32.add, local.set
    loops = b"\x03\x40" * depth
    ends = b"".join(b"\x20" + unsigned(level % variables) + b"\x0d\x00\x0b" for level in range(depth))  # br_if 0, end
    body = b"\x01" + unsigned(variables) + I32 + loops + change + ends + b"\x0b"
    wanted = [text(module) + text(name) + b"\x00\x00" for module, name in imports]
    return b"".join(
        (
            CORE_PREAMBLE,
            section(1, b"\x01\x60\x00\x00"),
            section(2, vector(wanted)),
            section(3, b"\x01\x00"),
            section(7, b"\x01" + text(start) + b"\x00" + unsigned(len(wanted))),
            section(10, vector([unsigned(len(body)) + body])),
        )
    )
