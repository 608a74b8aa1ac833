"""What a component imports and exports, with its types, read through Wasmtime's C API; and whether
the host's interfaces fit."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import byref, string_at
from dataclasses import dataclass, field
from typing import Any

from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.interface import AnyInterface
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import escaped, quote


@dataclass(frozen=True, slots=True)
class FunctionType:
    parameters: tuple[wit.Type, ...]
    result: wit.Type | None
    is_async: bool


@dataclass(slots=True)
class Instance:
    """An imported interface, as far as the component needs it."""

    functions: dict[str, FunctionType] = field(default_factory=dict)
    resources: dict[str, wit.Resource] = field(default_factory=dict)


class NoForm(ModuleError):
    """A type that the host has no values for: the C API ends the process over
    streams and futures."""


class _TypeReader:
    """Reads the types of one component. Resources are the same where Wasmtime says so."""

    def __init__(self, engine: int) -> None:
        self._engine = engine
        self._resources: list[tuple[int, wit.Resource]] = []

    def close(self) -> None:
        for pointer, _ in self._resources:
            v.resource_type_delete(pointer)

    def instance(self, pointer: int) -> Instance:
        found = Instance()
        for nth in range(v.export_count(pointer, self._engine)):
            name, item = _item(v.export_nth, pointer, self._engine, nth)
            if item.kind == v.ITEM_FUNCTION:
                found.functions[name] = self.function(int(item.of or 0))
            elif item.kind == v.ITEM_RESOURCE:
                found.resources[name] = self._resource(int(item.of or 0), name)
                continue  # it is kept
            v.item_delete(byref(item))
        return found

    def function(self, pointer: int) -> FunctionType:
        parameters = []
        for nth in range(v.parameter_count(pointer)):
            name, size, kind = ctypes.c_void_p(), ctypes.c_size_t(), v.Typed()
            _check(v.parameter_nth(pointer, nth, byref(name), byref(size), byref(kind)))
            parameters.append(self._type(kind))
        kind = v.Typed()
        result = self._type(kind) if v.function_result(pointer, byref(kind)) else None
        return FunctionType(tuple(parameters), result, v.function_async(pointer))

    def _resource(self, pointer: int, name: str = "resource") -> wit.Resource:
        """The one for a `wasmtime_component_resource_type_t`, which is kept to
        compare others with."""
        for known, resource in self._resources:
            if v.resource_type_equal(known, pointer):
                v.resource_type_delete(pointer)
                return resource
        resource = wit.Resource(name)
        self._resources.append((pointer, resource))
        return resource

    def _type(self, typed: v.Typed) -> wit.Type:
        """The type, whose C object is freed."""
        name, pointer = v.TYPE_KINDS[typed.kind] if typed.kind < len(v.TYPE_KINDS) else "?", int(typed.of or 0)
        if name in ("own", "borrow"):
            resource = self._resource(pointer)
            return wit.Own(resource) if name == "own" else wit.Borrow(resource)
        try:
            return self._compound(name, pointer) if pointer and name not in wit.PRIMITIVES else wit.Primitive(name)
        finally:
            v.valtype_delete(byref(typed))

    def _compound(self, name: str, pointer: int) -> wit.Type:
        match name:
            case "list":
                return wit.ListType(self._part(v.list_element, pointer))
            case "option":
                return wit.OptionOf(self._part(v.option_some, pointer))
            case "result":
                return wit.ResultOf(self._maybe(v.result_ok, pointer), self._maybe(v.result_err, pointer))
            case "tuple":
                return wit.TupleOf(tuple(self._nth_types(pointer)))
            case "record":
                return wit.RecordOf(tuple(self._fields(pointer)))
            case "variant":
                return wit.VariantOf(tuple(self._cases(pointer)))
            case "enum":
                return wit.EnumOf(tuple(_names(v.enum_count, v.enum_nth, pointer)))
            case "flags":
                return wit.FlagsOf(tuple(_names(v.flags_count, v.flags_nth, pointer)))
        raise NoForm(f"the type {quote(name)} of an import has no values in this version of Wasmtime's C API")

    def _part(self, read: Any, pointer: int) -> wit.Type:
        kind = v.Typed()
        read(pointer, byref(kind))
        return self._type(kind)

    def _maybe(self, read: Any, pointer: int) -> wit.Type | None:
        kind = v.Typed()
        return self._type(kind) if read(pointer, byref(kind)) else None

    def _nth_types(self, pointer: int) -> Iterator[wit.Type]:
        for nth in range(v.tuple_count(pointer)):
            kind = v.Typed()
            _check(v.tuple_nth(pointer, nth, byref(kind)))
            yield self._type(kind)

    def _fields(self, pointer: int) -> Iterator[tuple[str, wit.Type]]:
        for nth in range(v.record_count(pointer)):
            name, size, kind = ctypes.c_void_p(), ctypes.c_size_t(), v.Typed()
            _check(v.record_nth(pointer, nth, byref(name), byref(size), byref(kind)))
            yield string_at(name.value or 0, size.value).decode(), self._type(kind)

    def _cases(self, pointer: int) -> Iterator[tuple[str, wit.Type | None]]:
        for nth in range(v.variant_count(pointer)):
            name, size, has, kind = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_bool(), v.Typed()
            _check(v.variant_nth(pointer, nth, byref(name), byref(size), byref(has), byref(kind)))
            text = string_at(name.value or 0, size.value).decode()
            yield text, self._type(kind) if has.value else None


def _names(count: Any, nth_of: Any, pointer: int) -> Iterator[str]:
    for nth in range(count(pointer)):
        name, size = ctypes.c_void_p(), ctypes.c_size_t()
        _check(nth_of(pointer, nth, byref(name), byref(size)))
        yield string_at(name.value or 0, size.value).decode()


def _item(nth_of: Any, pointer: int, engine: int, nth: int) -> tuple[str, v.Typed]:
    """Name and type of an import or export; the caller frees the type."""
    name, size, extern, item = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_void_p(), v.Typed()
    _check(nth_of(pointer, engine, nth, byref(name), byref(size), byref(extern)))
    text = string_at(name.value or 0, size.value).decode()
    v.extern_type(extern, byref(item))
    v.extern_delete(extern)
    return text, item


def _check(found: bool) -> None:
    """Raises ModuleError where Wasmtime has not what it has counted."""
    if not found:
        raise ModuleError("has types that Wasmtime does not tell")


def exported_function(engine: int, component: int, interface: str, name: str) -> FunctionType | None:
    """The type of a function that an interface has which a `wasmtime_component_t` exports; None
    where there is no such function: a type, an instance or a module may have its name. Raises
    NoForm."""
    kind, reader = v.component_type(component), _TypeReader(engine)
    try:
        instance = _export(v.component_export, kind, engine, interface)
        function = None
        if instance is not None:
            if instance.kind == v.ITEM_INSTANCE:
                function = _export(v.instance_export, int(instance.of or 0), engine, name)
            v.item_delete(byref(instance))
        if function is None:
            return None
        try:
            return reader.function(int(function.of or 0)) if function.kind == v.ITEM_FUNCTION else None
        finally:
            v.item_delete(byref(function))
    finally:
        reader.close()
        v.component_type_delete(kind)


def _export(get: Any, pointer: int, engine: int, name: str) -> v.Typed | None:
    """The type of an export by name; the caller frees it."""
    text, extern, item = name.encode(), ctypes.c_void_p(), v.Typed()
    if not get(pointer, engine, text, len(text), byref(extern)):
        return None
    v.extern_type(extern, byref(item))
    v.extern_delete(extern)
    return item


def imports(engine: int, component: int, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Instance]:
    """The interfaces that a `wasmtime_component_t` imports and whose names are
    `wanted`. Raises NoForm."""
    found = {}
    kind = v.component_type(component)
    reader = _TypeReader(engine)
    try:
        for nth in range(v.import_count(kind, engine)):
            name, item = _item(v.import_nth, kind, engine, nth)
            try:
                if item.kind == v.ITEM_INSTANCE and wanted(name):
                    found[name] = reader.instance(int(item.of or 0))
            except NoForm as error:
                raise NoForm(f"{escaped(name)}: {error}") from None
            finally:
                v.item_delete(byref(item))
    finally:
        reader.close()
        v.component_type_delete(kind)
    return found


# --- comparing ------------------------------------------------------------------------------------


def difference(interface: AnyInterface, instance: Instance) -> str | None:
    """What a component imports otherwise than the host declares it, in words; None where
    all of it fits.

    Values of another type are found out when they come (`lifting.Mismatch`); this
    finds them before.
    """
    for name, wanted in instance.functions.items():
        declared = interface.functions.get(name)
        if declared is None:
            return f"{interface.name} has no function {name}"
        if wanted.is_async or not _same((*declared.parameters, declared.result), (*wanted.parameters, wanted.result)):
            return f"{interface.name} has {name}, but with another type"
    return None


def _same(declared: Any, wanted: Any) -> bool:
    """Whether two types, or parts of types, are the same but for their resources, which are
    so by name."""
    if isinstance(declared, wit.Resource):
        return isinstance(wanted, wit.Resource)
    if isinstance(declared, tuple):
        return (
            isinstance(wanted, tuple)
            and len(declared) == len(wanted)
            and all(_same(one, other) for one, other in zip(declared, wanted, strict=True))
        )
    if declared is None or isinstance(declared, str | wit.Primitive):
        return bool(declared == wanted)
    return type(declared) is type(wanted) and all(
        _same(getattr(declared, name), getattr(wanted, name)) for name in declared.__dataclass_fields__
    )
