"""Calls of Wasmtime's own WASI in a guest's name, for the descriptors that are files.

Wasmtime's implementation finds the guest's memory through the instance that calls it, so a
function that the gateway has overridden cannot call it directly. A small module (`FORWARDER`)
can: it is instantiated beside the guest when first needed, is given the guest's memory, and
passes its arguments on.
"""

from __future__ import annotations

import ctypes
from ctypes import memmove
from typing import Any

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import error_trap, taken, trap_text
from wsgi_wasm.engine.outcome import End
from wsgi_wasm.engine.program.pool import Engine, Forwarding
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.engine.run import Stop
from wsgi_wasm.engine.runtime import wat_to_wasm

MODULE = b"wasi_snapshot_preview1"

Arguments = Any  # POINTER(c_uint64): argument i is at [2 * i]

_BADF = 8
_U32 = 0xFFFFFFFF

FORWARDED = {
    "fd_write": ("i32", "i32", "i32", "i32"),
    "fd_read": ("i32", "i32", "i32", "i32"),
    "fd_close": ("i32",),
    "fd_renumber": ("i32", "i32"),
    "path_open": ("i32", "i32", "i32", "i32", "i32", "i64", "i64", "i32", "i32"),
    "clock_time_get": ("i32", "i64", "i32"),
}


def _forwarder_text() -> str:
    imports, exports = [], []
    for name, parameters in FORWARDED.items():
        signature = f"(param {' '.join(parameters)}) (result i32)"
        pushes = " ".join(f"(local.get {i})" for i in range(len(parameters)))
        imports.append(f'(import "wasi_snapshot_preview1" "{name}" (func ${name} {signature}))')
        exports.append(f'(func (export "{name}") {signature} (call ${name} {pushes}))')
    head = '(module (import "guest" "memory" (memory 0))'
    return "\n".join([head, *imports, '(export "memory" (memory 0))', *exports, ")"])


FORWARDER = _forwarder_text()


def _instantiated(forwarding: Forwarding, run: ProgramRun, caller: int) -> dict[str, ctypes.Array[ctypes.c_char]]:
    """A forwarder in the caller's store: its functions by name, as `wasmtime_extern_t`."""
    run.memory(caller)
    size = c.SIZEOF_EXTERN
    imports = ctypes.create_string_buffer(size * (1 + len(FORWARDED)))
    at = ctypes.addressof(imports)
    memmove(at, run.slot.memory_at - c.OF_EXTERN, size)
    for i, name in enumerate(FORWARDED, 1):
        text = name.encode()
        _check(c.linker_get(forwarding.linker, run.context, MODULE, len(MODULE), text, len(text), at + i * size), name)
    instance = ctypes.create_string_buffer(c.SIZEOF_INSTANCE)
    trap = ctypes.c_void_p()
    error = c.instance_new(run.context, forwarding.module, at, 1 + len(FORWARDED), instance, ctypes.byref(trap))
    if error or trap.value:
        raise Stop(End.STOPPED, error_trap(error) if error else trap_text(trap.value or 0))
    functions = {}
    for name in FORWARDED:
        text = name.encode()
        functions[name] = ctypes.create_string_buffer(size)
        found = c.export_get(run.context, instance, text, len(text), functions[name])
        _check(found and functions[name][0] == c.EXTERN_FUNCTION, name)
    return functions


def _check(found: bool, name: str) -> None:
    """Raises Stop where a function of Wasmtime's own is not there: it must not be called."""
    if not found:
        raise Stop(End.STOPPED, f"the engine has no {name}")


def forwarding_of(engine: Engine) -> Forwarding:
    """The engine's own, made when the first guest with directories is
    linked. Raises ModuleError."""
    if engine.forwarding is None:
        binary = wat_to_wasm(FORWARDER.encode())
        module = ctypes.c_void_p()
        taken(c.module_new(engine.pointer, binary, len(binary), ctypes.byref(module)))
        linker = int(c.linker_new(engine.pointer))
        try:
            taken(c.linker_define_wasi(linker))
        except BaseException:
            c.linker_delete(linker)
            c.module_delete(module)
            raise
        engine.forwarding = Forwarding(int(module.value or 0), linker)
    return engine.forwarding


class Value(ctypes.Structure):
    """`wasmtime_val_t` for i32 and i64."""

    _fields_ = (("kind", ctypes.c_uint8), ("of", ctypes.c_uint64), ("_rest", ctypes.c_uint64 * 2))


def forward(run: ProgramRun, caller: int, name: str, args: Arguments, count: int) -> int:
    """Call Wasmtime's own `name` in the guest's name and return its errno. Raises Stop when
    that call trapped."""
    forwarding = run.slot.forwarding
    if forwarding is None:
        # Without a directory there is no descriptor that Wasmtime could know and we do not.
        return _BADF
    if run.forwarder is None:
        run.forwarder = _instantiated(forwarding, run, caller)
    values = (Value * count)()
    for i, kind in enumerate(FORWARDED[name]):
        values[i].kind = 0 if kind == "i32" else 1
        values[i].of = args[2 * i] & (_U32 if kind == "i32" else 0xFFFFFFFFFFFFFFFF)
    result, trap = Value(), ctypes.c_void_p()
    function_at = ctypes.addressof(run.forwarder[name]) + c.OF_EXTERN
    error = c.call(run.context, function_at, values, count, ctypes.byref(result), 1, ctypes.byref(trap))
    if error or trap.value:
        text = error_trap(error) if error else trap_text(trap.value or 0)
        raise run.failure or Stop(End.STOPPED, text)
    return int(result.of) & _U32
