"""Wasmtime's C functions that the engine needs, declared by hand. Declarations only.

`wasmtime` the Python package is asked for its shared library and never imported: the import costs
44 ms of CPU. Functions that return at once keep the interpreter's lock (`_short`), which is
cheaper; those that run or tear down a guest, or compile, release it (`_long`). A pointer is an
`int`, NULL is None. The tests call each function with a known result, so that a declaration which
drifts from the library turns red.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable
from ctypes import c_bool, c_char_p, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from wsgi_wasm.errors import EngineError
from wsgi_wasm.messages import escaped

SUPPORTED = ("50.0.1", "51")  # from, below: the C API changes with every monthly line


def _installed_version() -> str:
    try:
        return importlib.metadata.version("wasmtime")
    except importlib.metadata.PackageNotFoundError:
        raise EngineError("the package 'wasmtime' is not installed: pip install 'wasmtime>=50.0.1,<51'") from None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _library() -> Path:
    if not _numbers(SUPPORTED[0]) <= _numbers(VERSION) < _numbers(SUPPORTED[1]):
        # Calling a function through an old declaration can grant what was never granted: refuse
        # before the first call.
        raise EngineError(f"wasmtime {VERSION} is not supported; install wasmtime>={SUPPORTED[0]},<{SUPPORTED[1]}")
    spec = importlib.util.find_spec("wasmtime")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    library = folder / f"linux-{machine}" / "_libwasmtime.so"
    if not library.is_file():
        raise EngineError(f"no Wasmtime library for Linux on {machine}: {escaped(library)} is missing")
    return library


VERSION = _installed_version()
_path = str(_library())
_keeping_lock = ctypes.PyDLL(_path)
_releasing_lock = ctypes.CDLL(_path)

Function = Callable[..., Any]


def _short(name: str, result: Any, *arguments: Any) -> Function:
    function = _keeping_lock[name]
    function.restype, function.argtypes = result, arguments
    return function


def _long(name: str, result: Any, *arguments: Any) -> Function:
    function = _releasing_lock[name]
    function.restype, function.argtypes = result, arguments
    return function


class ByteVec(ctypes.Structure):
    """`wasm_byte_vec_t`, and the other vectors: of frames, of exports."""

    _fields_ = (("size", c_size_t), ("data", c_void_p))
    size: int
    data: int | None


class ValueTypes(ctypes.Structure):
    """`wasm_valtype_vec_t`."""

    _fields_ = (("size", c_size_t), ("data", c_void_p))


# sizes and offsets of structs that are passed by address
SIZEOF_EXTERN = 32  # wasmtime_extern_t: kind at 0, the union at OF_EXTERN
OF_EXTERN = 8
EXTERN_FUNCTION, EXTERN_MEMORY = b"\0", b"\3"  # kinds
SIZEOF_INSTANCE = 16
SIZEOF_VAL = 32  # wasmtime_val_t: kind at 0 (0 is i32, 1 is i64), value at OF_VAL
OF_VAL = 8

# wasm_trap_t *(*)(void *data, wasmtime_caller_t *, wasmtime_val_raw_t *arguments_and_results,
# size_t) A raw value takes 16 bytes: argument i is at index 2 * i of the array of 64-bit integers.
HostFunction = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, ctypes.POINTER(c_uint64), c_size_t)
# wasmtime_error_t *(*)(wasmtime_context_t *, void *data, uint64_t *delta, uint8_t *kind)
EpochCallback = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, ctypes.POINTER(c_uint64), ctypes.POINTER(c_uint8))

byte_vec_delete = _short("wasm_byte_vec_delete", None, c_void_p)

# errors and traps
error_new = _short("wasmtime_error_new", c_void_p, c_char_p)
error_delete = _short("wasmtime_error_delete", None, c_void_p)
error_message = _short("wasmtime_error_message", None, c_void_p, c_void_p)
trap_new = _short("wasmtime_trap_new", c_void_p, c_char_p, c_size_t)
trap_delete = _short("wasm_trap_delete", None, c_void_p)
trap_code = _short("wasmtime_trap_code", c_bool, c_void_p, c_void_p)
trap_message = _short("wasm_trap_message", None, c_void_p, c_void_p)

# the functions that a trap passed through, the innermost first
trap_frames = _short("wasm_trap_trace", None, c_void_p, c_void_p)
error_frames = _short("wasmtime_error_wasm_trace", None, c_void_p, c_void_p)
frames_delete = _short("wasm_frame_vec_delete", None, c_void_p)
frame_function = _short("wasm_frame_func_index", c_uint32, c_void_p)
frame_offset = _short("wasm_frame_module_offset", c_size_t, c_void_p)
frame_name = _short("wasmtime_frame_func_name", c_void_p, c_void_p)

# configuration and engine; the setters are looked up by name in `runtime`
config_new = _short("wasm_config_new", c_void_p)
pooling_new = _short("wasmtime_pooling_allocation_config_new", c_void_p)
pooling_delete = _short("wasmtime_pooling_allocation_config_delete", None, c_void_p)
pooling_use = _short("wasmtime_pooling_allocation_strategy_set", None, c_void_p, c_void_p)
engine_new = _long("wasm_engine_new_with_config", c_void_p, c_void_p)
engine_delete = _long("wasm_engine_delete", None, c_void_p)
engine_increment_epoch = _short("wasmtime_engine_increment_epoch", None, c_void_p)


def config_switch(config: int, name: str, value: bool) -> None:
    """Set a boolean of the engine's configuration: `wasmtime_config_<name>_set`."""
    _short(f"wasmtime_config_{name}_set", None, c_void_p, c_bool)(config, value)


def pooling_number(pooling: int, name: str, value: int) -> None:
    """Set a size or count of the pooling allocator:
    `wasmtime_pooling_allocation_config_<name>_set`."""
    _short(f"wasmtime_pooling_allocation_config_{name}_set", None, c_void_p, c_size_t)(pooling, value)


# modules
wat2wasm = _long("wasmtime_wat2wasm", c_void_p, c_char_p, c_size_t, c_void_p)
module_validate = _long("wasmtime_module_validate", c_void_p, c_void_p, c_char_p, c_size_t)
module_new = _long("wasmtime_module_new", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)
module_delete = _long("wasmtime_module_delete", None, c_void_p)
module_serialize = _long("wasmtime_module_serialize", c_void_p, c_void_p, c_void_p)
module_deserialize = _long("wasmtime_module_deserialize", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)
module_deserialize_file = _long("wasmtime_module_deserialize_file", c_void_p, c_void_p, c_char_p, c_void_p)

module_exports = _short("wasmtime_module_exports", None, c_void_p, c_void_p)
exports_delete = _short("wasm_exporttype_vec_delete", None, c_void_p)
export_name = _short("wasm_exporttype_name", c_void_p, c_void_p)
export_type = _short("wasm_exporttype_type", c_void_p, c_void_p)
type_as_function = _short("wasm_externtype_as_functype_const", c_void_p, c_void_p)
function_parameters = _short("wasm_functype_params", c_void_p, c_void_p)
function_results = _short("wasm_functype_results", c_void_p, c_void_p)

# linking
functype_new = _short("wasm_functype_new", c_void_p, c_void_p, c_void_p)
functype_delete = _short("wasm_functype_delete", None, c_void_p)
valtype_new = _short("wasm_valtype_new", c_void_p, c_uint8)
valtype_vec_new = _short("wasm_valtype_vec_new", None, c_void_p, c_size_t, c_void_p)
linker_new = _short("wasmtime_linker_new", c_void_p, c_void_p)
linker_delete = _short("wasmtime_linker_delete", None, c_void_p)
linker_allow_shadowing = _short("wasmtime_linker_allow_shadowing", None, c_void_p, c_bool)
linker_define_wasi = _short("wasmtime_linker_define_wasi", c_void_p, c_void_p)
linker_define_func = _short(
    "wasmtime_linker_define_func_unchecked",
    c_void_p,
    *(c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p),
)
linker_get = _short("wasmtime_linker_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p)
linker_instantiate_pre = _short("wasmtime_linker_instantiate_pre", c_void_p, c_void_p, c_void_p, c_void_p)
instance_pre_delete = _long("wasmtime_instance_pre_delete", None, c_void_p)

# one run
store_new = _short("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
store_context = _short("wasmtime_store_context", c_void_p, c_void_p)
store_delete = _long("wasmtime_store_delete", None, c_void_p)
store_delete_short = _short("wasmtime_store_delete", None, c_void_p)
store_limiter = _short("wasmtime_store_limiter", None, c_void_p, c_int64, c_int64, c_int64, c_int64, c_int64)
store_epoch_callback = _short(
    "wasmtime_store_epoch_deadline_callback", None, c_void_p, EpochCallback, c_void_p, c_void_p
)
set_epoch_deadline = _short("wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64)
set_wasi = _short("wasmtime_context_set_wasi", c_void_p, c_void_p, c_void_p)
instantiate = _long("wasmtime_instance_pre_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
instance_new = _short("wasmtime_instance_new", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p)
export_get = _short("wasmtime_instance_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)
call = _long("wasmtime_func_call", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p)
caller_context = _short("wasmtime_caller_context", c_void_p, c_void_p)
caller_export_get = _short("wasmtime_caller_export_get", c_bool, c_void_p, c_char_p, c_size_t, c_void_p)
memory_data = _short("wasmtime_memory_data", c_void_p, c_void_p, c_void_p)
memory_data_size = _short("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)

# WASI
wasi_new = _short("wasi_config_new", c_void_p)
wasi_delete = _short("wasi_config_delete", None, c_void_p)
wasi_argv = _short("wasi_config_set_argv", c_bool, c_void_p, c_size_t, c_void_p)
# The last argument was a bit mask before Wasmtime 48, in which 1 meant "read": now it is a bool
# that grants writing.
wasi_preopen = _short("wasi_config_preopen_dir", c_bool, c_void_p, c_char_p, c_char_p, c_bool)

UINT32 = c_uint32
