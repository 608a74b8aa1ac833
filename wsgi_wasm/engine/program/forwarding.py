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
from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.capi.errors import error_trap, taken, trap_text
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.program.pool import Engine, Forwarding
from wsgi_wasm.engine.program.preview1 import BADF, PREVIEW1
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.messages import escaped

MODULE = PREVIEW1.encode()

Arguments = Any  # POINTER(c_uint64): argument i is at [2 * i]

_U32 = 0xFFFFFFFF

FORWARDED = {
    "fd_advise": ("i32", "i64", "i64", "i32"),
    "fd_close": ("i32",),
    "fd_filestat_get": ("i32", "i32"),
    "fd_pread": ("i32", "i32", "i32", "i64", "i32"),
    "fd_pwrite": ("i32", "i32", "i32", "i64", "i32"),
    "fd_read": ("i32", "i32", "i32", "i32"),
    "fd_renumber": ("i32", "i32"),
    "fd_write": ("i32", "i32", "i32", "i32"),
    "path_create_directory": ("i32", "i32", "i32"),
    "path_filestat_get": ("i32", "i32", "i32", "i32", "i32"),
    "path_filestat_set_times": ("i32", "i32", "i32", "i32", "i64", "i64", "i32"),
    "path_link": ("i32", "i32", "i32", "i32", "i32", "i32", "i32"),
    "path_open": ("i32", "i32", "i32", "i32", "i32", "i64", "i64", "i32", "i32"),
    "path_readlink": ("i32", "i32", "i32", "i32", "i32", "i32"),
    "path_remove_directory": ("i32", "i32", "i32"),
    "path_rename": ("i32", "i32", "i32", "i32", "i32", "i32"),
    "path_symlink": ("i32", "i32", "i32", "i32", "i32"),
    "path_unlink_file": ("i32", "i32", "i32"),
}
"""By name, the parameters; each returns an errno. Their order is that of native.c's functions."""


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
_NAMES = tuple((name.encode(), len(name)) for name in FORWARDED)


def _instantiated(forwarding: Forwarding, run: ProgramRun, caller: int) -> dict[str, int]:
    """A forwarder in the caller's store: where its functions are, by name, each a
    `wasmtime_func_t`."""
    run.memory(caller)
    size = c.SIZEOF_EXTERN
    imports = array(ctypes.c_char, size * (1 + len(FORWARDED)))()
    at = ctypes.addressof(imports)
    memmove(at, run.slot.memory_at - c.OF_EXTERN, size)
    for i, (name, length) in enumerate(_NAMES, 1):
        _check(c.linker_get(forwarding.linker, run.context, MODULE, len(MODULE), name, length, at + i * size), name)
    instance = ctypes.create_string_buffer(c.SIZEOF_INSTANCE)
    trap = ctypes.c_void_p()
    error = c.instance_new(run.context, forwarding.module, at, 1 + len(FORWARDED), instance, ctypes.byref(trap))
    if error or trap.value:
        raise Stop(End.STOPPED, error_trap(error) if error else trap_text(trap.value or 0))
    for i, (name, length) in enumerate(_NAMES, 1):
        found = c.export_get(run.context, instance, name, length, at + i * size)
        _check(found and imports[i * size] == c.EXTERN_FUNCTION, name)
    run.forwarder_functions = imports
    if run.job is not None:
        run.job.forwarder = at + size
    return {name: at + i * size + c.OF_EXTERN for i, name in enumerate(FORWARDED, 1)}


def _check(found: bool, name: bytes) -> None:
    """Raises Stop where a function of Wasmtime's own is not there: it must not be called."""
    if not found:
        raise Stop(End.STOPPED, f"the engine has no {escaped(name.decode())}")


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


def forward(run: ProgramRun, caller: int, name: str, args: Arguments) -> int:
    """Call Wasmtime's own `name` in the guest's name and return its errno. Raises Stop when
    that call trapped."""
    forwarding = run.slot.forwarding
    if forwarding is None:
        # Without a directory there is no descriptor that Wasmtime could know and we do not.
        return BADF
    if run.forwarder is None:
        run.forwarder = _instantiated(forwarding, run, caller)
    kinds = FORWARDED[name]
    count = len(kinds)
    values = array(Value, count)()
    for i, kind in enumerate(kinds):
        values[i].kind = 0 if kind == "i32" else 1
        values[i].of = args[2 * i] & (_U32 if kind == "i32" else 0xFFFFFFFFFFFFFFFF)
    result, trap = Value(), ctypes.c_void_p()
    error = c.call(run.context, run.forwarder[name], values, count, ctypes.byref(result), 1, ctypes.byref(trap))
    if error or trap.value:
        text = error_trap(error) if error else trap_text(trap.value or 0)
        raise run.failure or Stop(End.STOPPED, text)
    return int(result.of) & _U32
