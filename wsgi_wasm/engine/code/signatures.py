"""The type of a function that a compiled module exports, as Wasmtime knows it."""

from __future__ import annotations

import ctypes

from wsgi_wasm.engine.capi import core as c


def signature(module: ctypes.c_void_p, name: bytes) -> str:
    """`() -> ()` for a function that takes and returns nothing; else the numbers of its parameters
    and results, and "none" where no function has that name."""
    vector = c.ByteVec()
    c.module_exports(module, ctypes.byref(vector))
    try:
        exports = (ctypes.c_void_p * vector.size).from_address(vector.data) if vector.data else ()
        for export in exports:
            own = c.ByteVec.from_address(c.export_name(export))
            if own.size == len(name) and ctypes.string_at(own.data or 0, own.size) == name:
                return _signature(c.type_as_function(c.export_type(export)))
    finally:
        c.exports_delete(ctypes.byref(vector))
    return "none"


def _signature(function: int | None) -> str:
    if not function:
        return "none"
    parameters, results = (
        c.ByteVec.from_address(read(function)).size for read in (c.function_parameters, c.function_results)
    )
    if not parameters and not results:
        return "() -> ()"
    return f"({parameters} parameters) -> ({results} results)"
