"""Turns Wasmtime's errors and traps into this package's words, and frees them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.outcome import TRAPS
from wsgi_wasm.errors import ModuleError


def _text(read: Callable[[int, object], None], pointer: int) -> str:
    vector = c.ByteVec()
    read(pointer, ctypes.byref(vector))
    try:
        return ctypes.string_at(vector.data or 0, vector.size).decode("utf-8", "replace").rstrip("\0")
    finally:
        c.byte_vec_delete(ctypes.byref(vector))


def error_text(pointer: int) -> str:
    """The message of a `wasmtime_error_t`, which is freed, as one line: its causes are set on lines
    of their own."""
    try:
        return " ".join(_text(c.error_message, pointer).replace("Caused by:", "because").split())
    finally:
        c.error_delete(pointer)


# How Wasmtime words a trap inside an error, and the names in TRAPS, which logs should always use.
_TRAP_WORDS = {
    "call stack exhausted": TRAPS[0],
    "out of bounds memory access": TRAPS[1],
    "undefined element: out of bounds table access": TRAPS[3],
    "uninitialized element": TRAPS[4],
    "indirect call type mismatch": TRAPS[5],
    "integer overflow": TRAPS[6],
    "integer divide by zero": TRAPS[7],
    "invalid conversion to integer": TRAPS[8],
    "wasm `unreachable` instruction executed": TRAPS[9],
}


def component_trap(text: str) -> str:
    """What ended a component, without the frames that it passed: its errors and traps come
    in one text."""
    reason = text.rpartition(" because ")[2] if "wasm backtrace" in text else text
    reason = reason.rpartition("wasm trap: ")[2]
    return _TRAP_WORDS.get(reason, reason)


def trap_text(pointer: int) -> str:
    """The name of a `wasm_trap_t`, which is freed: a known trap by its own name, else
    by its message."""
    code = ctypes.c_uint8()
    try:
        if c.trap_code(pointer, ctypes.byref(code)) and code.value in TRAPS:
            return TRAPS[code.value]
        return _text(c.trap_message, pointer)
    finally:
        c.trap_delete(pointer)


def taken(pointer: int | None) -> None:
    """Nothing for NULL; raises ModuleError for an error that Wasmtime returned."""
    if pointer:
        raise ModuleError(error_text(pointer))
