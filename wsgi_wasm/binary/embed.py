"""Puts compiled code into a component that was written as text, which cannot
hold binary modules."""

from __future__ import annotations

from wsgi_wasm.binary.reader import CORE_MODULE, CUSTOM, PREAMBLE, Reader, sections
from wsgi_wasm.binary.writer import unsigned
from wsgi_wasm.errors import ModuleError


def with_code(component: bytes, code: bytes) -> bytes:
    """The component with its one empty core module, `(core module $code)`, replaced by
    `code`. Raises ModuleError."""
    out, placeholders = [PREAMBLE], 0
    for number, start, end in sections(component):
        body = component[start:end]
        if number == CORE_MODULE and _is_empty(component, start, end):
            body, placeholders = code, placeholders + 1
        out += (bytes([number]), unsigned(len(body)), body)
    if placeholders != 1:
        raise ModuleError(
            f"has {placeholders} empty core modules, but needs exactly one as the placeholder for its code"
        )
    return b"".join(out)


def _is_empty(source: bytes, start: int, end: int) -> bool:
    """Whether a core module holds nothing but its own name."""
    reader = Reader(source, start + 8, end)
    while reader.position < end:
        if reader.byte() != CUSTOM:
            return False
        reader.take(reader.number())
    return True
