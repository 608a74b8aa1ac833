"""The part of Wasmtime's C API that host functions of components need: values, resources,
types. Declarations only.

As in `_capi`, a pointer is an `int` and NULL is None. All of these return at once and keep
the interpreter's lock.

A `wasmtime_component_val_t` takes 32 bytes: its kind at 0, and from 8 on a union of at most three
words. So a value is handled as four numbers, `(kind, a, b, c)`:

    string, enum     a bytes at b                      list, tuple      a values at b
    record           a entries at b: name, value       flags            a names at b
    variant          name of a bytes at b, value at c  option           value at a, or 0
    result           a & 1 is 1 for ok, value at b     resource         a handle at a (*)
    numbers          in a, as many bits of it as they have

(*) A `wasmtime_component_resource_any_t`.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import c_bool, c_char_p, c_size_t, c_ubyte, c_uint32, c_void_p

from wsgi_wasm.engine.capi.core import _short

VAL = struct.Struct("<B7x3Q")  # wasmtime_component_val_t
NAME = struct.Struct("<2Q")  # wasm_name_t: size, data
ENTRY_SIZE = NAME.size + VAL.size  # wasmtime_component_valrecord_entry_t: name, value

# wasmtime_component_valkind_t
BOOL, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, CHAR, STRING = range(13)
LIST, RECORD, TUPLE, VARIANT, ENUM, OPTION, RESULT, FLAGS, RESOURCE = range(13, 22)

# wasmtime_component_valtype_kind_t, in its order
TYPE_KINDS = (
    *("bool", "s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "f32", "f64", "char", "string"),
    *("list", "record", "tuple", "variant", "enum", "option", "result", "flags", "own", "borrow"),
    *("future", "stream", "error-context", "map"),
)
# wasmtime_component_item_kind_t
ITEM_INSTANCE, ITEM_FUNCTION, ITEM_RESOURCE = 1, 3, 4


class Typed(ctypes.Structure):
    """`wasmtime_component_valtype_t`, and `wasmtime_component_item_t`, which is larger."""

    _fields_ = (("kind", c_ubyte), ("of", c_void_p), ("_rest", c_void_p))
    kind: int
    of: int | None


# wasmtime_error_t *(*)(void *data, wasmtime_context_t *, const wasmtime_component_func_type_t *,
#                       wasmtime_component_val_t *args, size_t,
#                       wasmtime_component_val_t *results, size_t)
HostFunction = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)
# wasmtime_error_t *(*)(void *data, wasmtime_context_t *, uint32_t rep)
Destructor = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_uint32)

# values; each `new` takes over what its source holds
byte_vec_new = _short("wasm_byte_vec_new", None, c_void_p, c_size_t, c_char_p)
val_new = _short("wasmtime_component_val_new", c_void_p, c_void_p)
val_delete = _short("wasmtime_component_val_delete", None, c_void_p)
list_new = _short("wasmtime_component_vallist_new", None, c_void_p, c_size_t, c_char_p)
list_new_uninit = _short("wasmtime_component_vallist_new_uninit", None, c_void_p, c_size_t)
record_new = _short("wasmtime_component_valrecord_new", None, c_void_p, c_size_t, c_char_p)
tuple_new = _short("wasmtime_component_valtuple_new", None, c_void_p, c_size_t, c_char_p)
flags_new = _short("wasmtime_component_valflags_new", None, c_void_p, c_size_t, c_char_p)

# resources
resource_type_new = _short("wasmtime_component_resource_type_new_host", c_void_p, c_uint32)
resource_type_equal = _short("wasmtime_component_resource_type_equal", c_bool, c_void_p, c_void_p)
resource_type_delete = _short("wasmtime_component_resource_type_delete", None, c_void_p)
any_to_host = _short("wasmtime_component_resource_any_to_host", c_void_p, c_void_p, c_void_p, c_void_p)
host_new = _short("wasmtime_component_resource_host_new", c_void_p, c_bool, c_uint32, c_uint32)
host_to_any = _short("wasmtime_component_resource_host_to_any", c_void_p, c_void_p, c_void_p, c_void_p)
host_rep = _short("wasmtime_component_resource_host_rep", c_uint32, c_void_p)
host_delete = _short("wasmtime_component_resource_host_delete", None, c_void_p)

# defining in a linker
linker_root = _short("wasmtime_component_linker_root", c_void_p, c_void_p)
add_instance = _short(
    "wasmtime_component_linker_instance_add_instance", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
)
add_function = _short(
    "wasmtime_component_linker_instance_add_func",
    c_void_p,
    *(c_void_p, c_char_p, c_size_t, HostFunction, c_void_p, c_void_p),
)
add_resource = _short(
    "wasmtime_component_linker_instance_add_resource",
    c_void_p,
    *(c_void_p, c_char_p, c_size_t, c_void_p, Destructor, c_void_p, c_void_p),
)
instance_delete = _short("wasmtime_component_linker_instance_delete", None, c_void_p)

# what a component imports and exports
component_type = _short("wasmtime_component_type", c_void_p, c_void_p)
component_type_delete = _short("wasmtime_component_type_delete", None, c_void_p)
import_count = _short("wasmtime_component_type_import_count", c_size_t, c_void_p, c_void_p)
import_nth = _short(
    "wasmtime_component_type_import_nth", c_bool, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p
)
component_export = _short(
    "wasmtime_component_type_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
)
instance_export = _short(
    "wasmtime_component_instance_type_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
)
extern_type = _short("wasmtime_component_extern_type", None, c_void_p, c_void_p)
extern_delete = _short("wasmtime_component_extern_delete", None, c_void_p)
item_delete = _short("wasmtime_component_item_delete", None, c_void_p)
export_count = _short("wasmtime_component_instance_type_export_count", c_size_t, c_void_p, c_void_p)
export_nth = _short(
    "wasmtime_component_instance_type_export_nth", c_bool, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p
)
function_async = _short("wasmtime_component_func_type_async", c_bool, c_void_p)
parameter_count = _short("wasmtime_component_func_type_param_count", c_size_t, c_void_p)
parameter_nth = _short(
    "wasmtime_component_func_type_param_nth", c_bool, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p
)
function_result = _short("wasmtime_component_func_type_result", c_bool, c_void_p, c_void_p)

valtype_delete = _short("wasmtime_component_valtype_delete", None, c_void_p)
list_element = _short("wasmtime_component_list_type_element", None, c_void_p, c_void_p)
record_count = _short("wasmtime_component_record_type_field_count", c_size_t, c_void_p)
record_nth = _short(
    "wasmtime_component_record_type_field_nth", c_bool, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p
)
tuple_count = _short("wasmtime_component_tuple_type_types_count", c_size_t, c_void_p)
tuple_nth = _short("wasmtime_component_tuple_type_types_nth", c_bool, c_void_p, c_size_t, c_void_p)
variant_count = _short("wasmtime_component_variant_type_case_count", c_size_t, c_void_p)
variant_nth = _short(
    "wasmtime_component_variant_type_case_nth",
    *(c_bool, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p),
)
enum_count = _short("wasmtime_component_enum_type_names_count", c_size_t, c_void_p)
enum_nth = _short("wasmtime_component_enum_type_names_nth", c_bool, c_void_p, c_size_t, c_void_p, c_void_p)
flags_count = _short("wasmtime_component_flags_type_names_count", c_size_t, c_void_p)
flags_nth = _short("wasmtime_component_flags_type_names_nth", c_bool, c_void_p, c_size_t, c_void_p, c_void_p)
option_some = _short("wasmtime_component_option_type_ty", None, c_void_p, c_void_p)
result_ok = _short("wasmtime_component_result_type_ok", c_bool, c_void_p, c_void_p)
result_err = _short("wasmtime_component_result_type_err", c_bool, c_void_p, c_void_p)
