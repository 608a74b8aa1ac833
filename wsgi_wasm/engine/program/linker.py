"""The linker of an engine for programs: all that a program may import."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.capi.native import HostFunction, address_of, native
from wsgi_wasm.engine.program import wasi
from wsgi_wasm.engine.program.files import PATH_LENGTHS
from wsgi_wasm.engine.program.forwarding import FORWARDED
from wsgi_wasm.engine.program.pool import Engine
from wsgi_wasm.engine.program.preview1 import CHANNEL, CHANNEL_CALL, PREVIEW1

_KINDS = {"i32": 0, "i64": 1}


def _functype(parameters: Sequence[str], returns: bool) -> int:
    """A function type with these parameters and, if it returns, an i32; the linker copies it, the
    caller frees it."""
    vectors = []
    for names in (parameters, ("i32",) if returns else ()):
        kinds = (ctypes.c_void_p * len(names))(*(c.valtype_new(_KINDS[name]) for name in names))
        vectors.append(c.ValueTypes())
        c.valtype_vec_new(ctypes.byref(vectors[-1]), len(names), kinds)
    return int(c.functype_new(ctypes.byref(vectors[0]), ctypes.byref(vectors[1])))


# By name. A linker only points to them.
_descriptions: dict[str, HostFunction] = {}


def _described(name: str, python: int) -> HostFunction:
    """What a native function is given to do its work."""
    described = _descriptions.get(name)
    if described is None:
        parameters = FORWARDED.get(name, ())
        described = _descriptions[name] = HostFunction(
            python,
            list(FORWARDED).index(name) if parameters else 0,
            len(parameters),
            sum(1 << i for i, kind in enumerate(parameters) if kind == "i64"),
            sum(1 << i for i in PATH_LENGTHS.get(name, ())),
        )
    return described


def linker_of(engine: Engine) -> int:
    """The engine's linker, with Wasmtime's WASI and our own functions over it; made once, and
    then only read. Raises ModuleError."""
    if engine.linker:
        return engine.linker
    linker = int(c.linker_new(engine.pointer))
    try:
        _define(linker)
    except BaseException:
        c.linker_delete(linker)
        raise
    engine.linker = linker
    return linker


def _define(linker: int) -> None:
    """Raises ModuleError."""
    c.linker_allow_shadowing(linker, True)
    taken(c.linker_define_wasi(linker))
    for name, (entry, parameters, returns) in wasi.FUNCTIONS.items():
        if entry is None and native is None:
            continue  # Wasmtime's own
        _define_function(linker, PREVIEW1, name, entry, _functype(parameters, returns))
    entry, parameters = wasi.CHANNEL_FUNCTION
    _define_function(linker, CHANNEL, CHANNEL_CALL, entry, _functype(parameters, True))


def _define_function(linker: int, of: str, name: str, entry: Any, signature: int) -> None:
    """Defines one, and frees its type. Raises ModuleError."""
    module, text = of.encode(), name.encode()
    function, data = 0 if entry is None else address_of(entry), 0
    if native is not None:
        # Python's function is what the native one calls for everything that it cannot do.
        data = ctypes.addressof(_described(name, function))
        general = native.forwarded if name in PATH_LENGTHS and name != "path_open" else native.in_python
        function = native.entries.get(name, general)
    try:
        taken(c.linker_define_func(linker, module, len(module), text, len(text), signature, function, data, None))
    finally:
        c.functype_delete(signature)
