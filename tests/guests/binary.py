"""Pieces of modules that no compiler makes."""

from __future__ import annotations

from collections.abc import Sequence

from wsgi_wasm.binary.writer import unsigned


def section(number: int, body: bytes) -> bytes:
    """A section of a module or component: its number, its size and what is in it."""
    return bytes([number]) + unsigned(len(body)) + body


def vector(items: Sequence[bytes]) -> bytes:
    """Items after their count."""
    return unsigned(len(items)) + b"".join(items)
