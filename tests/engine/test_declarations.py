"""Each C function that is declared by hand, called with a known result: a declaration that drifts turns red here."""

from __future__ import annotations

import ast
import ctypes
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from wsgi_wasm.engine import pools, runtime
from wsgi_wasm.engine.capi import component, errors, values
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.program import forwarding, wasi
from wsgi_wasm.errors import ModuleError

bindings = pytest.importorskip("wasmtime._bindings")


def declared() -> dict[str, tuple[object, ...]]:
    """C name: result and arguments, for each function that is declared by hand."""
    functions = {}
    for value in (value for module in (c, component, values) for value in vars(module).values()):
        name = getattr(value, "__name__", "")
        if name.startswith(("wasm", "wasi")) and hasattr(value, "argtypes"):
            functions[name] = (value.restype, *value.argtypes)
    return functions


def size(kind: Any) -> int:
    return 0 if kind is None else ctypes.sizeof(kind)


@pytest.mark.parametrize("name", sorted(declared()))
def test_declaration_agrees_with_the_package(name: str) -> None:
    """wasmtime's own Python package generates its declarations from the C headers of the same release."""
    theirs = getattr(bindings, f"_{name}")
    assert [size(kind) for kind in declared()[name]] == [size(theirs.restype), *map(size, theirs.argtypes)]


SETTERS = re.findall(r'"((?:wasm|gc|shared|concurrency|epoch)_\w+)"', inspect.getsource(pools))


@pytest.mark.parametrize("name", sorted(set(SETTERS)))
def test_each_switch_exists(name: str) -> None:
    theirs = getattr(bindings, f"_wasmtime_config_{name}_set")
    assert size(theirs.argtypes[1]) == 1


def test_each_pooling_setter_takes_a_number() -> None:
    sources = [inspect.getsource(module) for module in (runtime, pools)]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    keys = [key for node in nodes if isinstance(node, ast.Dict) for key in node.keys]
    words = {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    names = {word for word in words if hasattr(bindings, f"_wasmtime_pooling_allocation_config_{word}_set")}
    assert "linear_memory_keep_resident" in names
    assert len(names) >= 10


def test_struct_sizes() -> None:
    assert ctypes.sizeof(bindings.wasmtime_extern) == c.SIZEOF_EXTERN
    assert bindings.wasmtime_extern.of.offset == c.OF_EXTERN
    assert ctypes.sizeof(bindings.wasmtime_instance) == c.SIZEOF_INSTANCE
    assert c.SIZEOF_VAL == ctypes.sizeof(bindings.wasmtime_val) == ctypes.sizeof(forwarding.Value)
    assert bindings.wasmtime_val.of.offset == c.OF_VAL == forwarding.Value.of.offset
    assert ctypes.sizeof(bindings.wasmtime_val_raw) == 16
    assert ctypes.sizeof(bindings.wasmtime_component_instance) == component.SIZEOF_INSTANCE
    assert ctypes.sizeof(bindings.wasmtime_component_func) == component.SIZEOF_FUNC
    assert ctypes.sizeof(c.ByteVec) == ctypes.sizeof(bindings.wasm_byte_vec_t)


def test_text_to_binary_and_its_errors() -> None:
    assert runtime.wat_to_wasm(b"(module)") == b"\0asm\x01\0\0\0"
    with pytest.raises(ModuleError, match=r":1:"):
        runtime.wat_to_wasm(b"(modul)")


def test_errors_are_one_line() -> None:
    assert errors.error_text(c.error_new(b"one\n\nCaused by:\n    two")) == "one because two"


def test_traps_have_names() -> None:
    assert errors.trap_text(c.trap_new(b"words", 5)).startswith("words")


def test_every_forwarded_function_keeps_its_signature() -> None:
    """What is overridden must look to a guest as Wasmtime's own does: linking a guest that imports it proves it."""
    imports = []
    for name, (_, parameters, returns) in wasi.FUNCTIONS.items():
        result = "(result i32)" if returns else ""
        imports.append(f'(import "wasi_snapshot_preview1" "{name}" (func (param {" ".join(parameters)}) {result}))')
    binary = runtime.wat_to_wasm(f"(module {' '.join(imports)})".encode())
    engine = runtime.compile_engine(frozenset())
    module, linker, prepared = ctypes.c_void_p(), c.linker_new(engine), ctypes.c_void_p()
    errors.taken(c.module_new(engine, binary, len(binary), ctypes.byref(module)))
    errors.taken(c.linker_define_wasi(linker))  # Wasmtime's own, not ours
    errors.taken(c.linker_instantiate_pre(linker, module, ctypes.byref(prepared)))
    assert prepared.value


def test_the_library_is_found_without_importing_the_package() -> None:
    assert Path(c._path).name == "_libwasmtime.so"
