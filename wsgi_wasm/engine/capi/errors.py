"""Turns Wasmtime's errors and traps into this package's words, and frees them."""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.outcome import TRAPS
from wsgi_wasm.errors import ModuleError, Unavailable
from wsgi_wasm.messages import escaped

NO_MEMORY = "(os error 12)"  # ENOMEM, in Wasmtime's words for a mapping that failed
NO_CODE = "the system lets this process make no code (systemd: MemoryDenyWriteExecute, SELinux: httpd_execmem)"
MOST_FRAMES = 8  # functions that are named of those that a trap passed through
_POINTER = ctypes.sizeof(ctypes.c_void_p)
_MOST_NAME = 100  # characters
_OUT_OF_BOUNDS = 1  # of TRAPS
_FAULT = re.compile(r"memory fault at wasm address 0x([0-9a-f]{1,16})\b")
_BELOW_ZERO = (1 << 32) - (64 << 20)
_STACK = "; probably its stack is too small: build it with -Wl,-z,stack-size=1048576, or more"
_NO_OFFSET = (1 << 8 * ctypes.sizeof(ctypes.c_size_t)) - 1


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
        return _line(_text(c.error_message, pointer))
    finally:
        c.error_delete(pointer)


def _line(text: str) -> str:
    line = " ".join(text.replace("Caused by:", "because").split())
    return f"{line}; {NO_CODE}" if "make memory executable" in line else line


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


def error_trap(pointer: int) -> str:
    """What ended a guest with a `wasmtime_error_t`, which is freed: its reason, by its own name
    where it is a known trap, and the functions that it passed through. Raises Unavailable where
    the host had no memory for the guest."""
    frames = _frames(c.error_frames, pointer)
    text = error_text(pointer)
    reason = _reason(text)
    if not frames and NO_MEMORY in reason:
        raise Unavailable(f"the system has no memory for the guest: {reason}")
    return reason + frames + _likely_cause(text)


def _likely_cause(text: str) -> str:
    """What to say beside a memory fault that its address explains. The stack of a program in C lies
    first in its memory, so one that is used up ends below address 0: at the far end of what an
    address can be."""
    fault = _FAULT.search(text)
    return _STACK if fault and int(fault[1], 16) >= _BELOW_ZERO else ""


def _reason(text: str) -> str:
    reason = text.rpartition(" because ")[2] if "wasm backtrace" in text else text
    reason = reason.rpartition("wasm trap: ")[2]
    return _TRAP_WORDS.get(reason, reason)


def trap_text(pointer: int) -> str:
    """The name of a `wasm_trap_t`, which is freed: a known trap by its own name, else
    by its message. Then the functions that it passed through."""
    code = ctypes.c_uint8()
    try:
        known = c.trap_code(pointer, ctypes.byref(code)) and code.value in TRAPS
        text = _line(_text(c.trap_message, pointer)) if not known or code.value == _OUT_OF_BOUNDS else ""
        reason = TRAPS[code.value] if known else _reason(text)
        return reason + _frames(c.trap_frames, pointer) + _likely_cause(text)
    finally:
        c.trap_delete(pointer)


def _frames(read: Callable[[int, object], None], pointer: int) -> str:
    """` in a, called from b, c`, or nothing where no function is known."""
    vector = c.ByteVec()
    read(pointer, ctypes.byref(vector))
    try:
        count = vector.size
        # Not as an array of ctypes, which would be a class of its own for each length.
        told = min(count, MOST_FRAMES) if vector.data else 0
        frames = struct.unpack(f"{told}P", ctypes.string_at(vector.data or 0, told * _POINTER))
        names = [_frame(frame) for frame in frames if frame]
    finally:
        c.frames_delete(ctypes.byref(vector))
    if not names:
        return ""
    callers = ", ".join(names[1:])
    more = f" and {count - MOST_FRAMES} more" if count > MOST_FRAMES else ""
    return f" in {names[0]}" + (f", called from {callers}{more}" if callers else "")


def _frame(pointer: int) -> str:
    """A function's name as the module has it, else its index and where in the module it was."""
    name = c.frame_name(pointer)
    if name:
        vector = c.ByteVec.from_address(name)
        text = ctypes.string_at(vector.data or 0, vector.size).decode("utf-8", "replace")
        if text:
            return escaped(text, _MOST_NAME)
    offset = c.frame_offset(pointer)
    return f"function {c.frame_function(pointer)}" + ("" if offset == _NO_OFFSET else f" at 0x{offset:x}")


def taken(pointer: int | None) -> None:
    """Nothing for NULL; raises ModuleError for an error that Wasmtime returned."""
    if pointer:
        raise ModuleError(error_text(pointer))
