"""Wasmtime's C functions for compiling, linking and running components. Declarations
only; see `_capi`.

A `wasmtime_component_instance_t` takes 16 bytes, a `wasmtime_component_func_t` 32; both are passed
by address. Values are in `_component_values`.
"""

from __future__ import annotations

from ctypes import c_bool, c_char_p, c_size_t, c_void_p

from wsgi_wasm.engine.capi.core import _long, _short

SIZEOF_INSTANCE = 16
SIZEOF_FUNC = 32

# components
component_new = _long("wasmtime_component_new", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)
component_serialize = _long("wasmtime_component_serialize", c_void_p, c_void_p, c_void_p)
component_deserialize = _long("wasmtime_component_deserialize", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)
component_deserialize_file = _long("wasmtime_component_deserialize_file", c_void_p, c_void_p, c_char_p, c_void_p)
component_delete = _long("wasmtime_component_delete", None, c_void_p)
export_index = _short("wasmtime_component_get_export_index", c_void_p, c_void_p, c_void_p, c_char_p, c_size_t)
export_index_delete = _short("wasmtime_component_export_index_delete", None, c_void_p)

# linking
linker_new = _short("wasmtime_component_linker_new", c_void_p, c_void_p)
linker_allow_shadowing = _short("wasmtime_component_linker_allow_shadowing", None, c_void_p, c_bool)
linker_delete = _short("wasmtime_component_linker_delete", None, c_void_p)
linker_add_wasi = _short("wasmtime_component_linker_add_wasip2", c_void_p, c_void_p)
linker_add_http = _short("wasmtime_component_linker_add_wasi_http", c_void_p, c_void_p)
instantiate = _long("wasmtime_component_linker_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)

# calling
instance_func = _short("wasmtime_component_instance_get_func", c_bool, c_void_p, c_void_p, c_void_p, c_void_p)
call = _long("wasmtime_component_func_call", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)
error_exit_status = _short("wasmtime_error_exit_status", c_bool, c_void_p, c_void_p)

# WASI
set_http = _short("wasmtime_context_set_wasi_http", None, c_void_p)
wasi_env = _short("wasi_config_set_env", c_bool, c_void_p, c_size_t, c_void_p, c_void_p)
wasi_stdin_bytes = _short("wasi_config_set_stdin_bytes", None, c_void_p, c_void_p)
wasi_stdin_file = _short("wasi_config_set_stdin_file", c_bool, c_void_p, c_char_p)
wasi_stdout_file = _short("wasi_config_set_stdout_file", c_bool, c_void_p, c_char_p)
wasi_stderr_file = _short("wasi_config_set_stderr_file", c_bool, c_void_p, c_char_p)
