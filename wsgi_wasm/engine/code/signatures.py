"""The types of functions that a compiled module exports, as Wasmtime knows them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

from wsgi_wasm.engine.capi import core as c


def signatures(module: ctypes.c_void_p, names: Iterable[str]) -> dict[str, str]:
    """By name, `() -> ()` for a function that takes and returns nothing; else the numbers of its
    parameters and results, and "none" where no function has that name."""
    wanted = {name.encode(): name for name in names}
    found = dict.fromkeys(wanted.values(), "none")
    vector = c.ByteVec()
    c.module_exports(module, ctypes.byref(vector))
    try:
        exports = (ctypes.c_void_p * vector.size).from_address(vector.data) if vector.data else ()
        for export in exports:
            own = c.ByteVec.from_address(c.export_name(export))
            name = wanted.get(ctypes.string_at(own.data or 0, own.size))
            if name is not None:
                found[name] = _signature(c.type_as_function(c.export_type(export)))
    finally:
        c.exports_delete(ctypes.byref(vector))
    return found


def _signature(function: int | None) -> str:
    if not function:
        return "none"
    parameters, results = (
        c.ByteVec.from_address(read(function)).size for read in (c.function_parameters, c.function_results)
    )
    if not parameters and not results:
        return "() -> ()"
    return f"({parameters} parameters) -> ({results} results)"
