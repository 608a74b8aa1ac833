"""A guest that calls any function of the host as a test tells it to, and tells what it got.

It is written in WebAssembly's text from the interfaces' own declarations. For each function it imports a pair of the
test's own: `give` hands out the parameters, `take` gets the result. A handle is a plain number to them, as it is to a
guest's code, so that a test can also pass handles that it was never given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic

import wasmtime
from wasmtime import component

from engine.echoes import MEMORY, PADDING, Run, Written, address, engine, function_of, imported, load
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS, Binding, Bindings, HostApi
from wsgi_wasm.engine.hostcalls.interface import AnyInterface, Function, Interface
from wsgi_wasm.engine.hostcalls.linker import define
from wsgi_wasm.engine.run import current

GIVEN, RESULT = 1024, 8192  # addresses in the guest's memory

_WIDTHS = {"bool": 1, "u8": 1, "s8": 1, "u16": 2, "s16": 2, "u32": 4, "s32": 4, "f32": 4, "char": 4}


def plain(kind: wit.Type | None) -> Any:
    """The type with numbers in place of handles; both look the same in a guest's memory."""
    match kind:
        case wit.Own() | wit.Borrow():
            return wit.U32
        case wit.ListType(element):
            return wit.ListType(plain(element))
        case wit.OptionOf(some):
            return wit.OptionOf(plain(some))
        case wit.ResultOf(ok, err):
            return wit.ResultOf(plain(ok), plain(err))
        case wit.TupleOf(items):
            return wit.TupleOf(tuple(map(plain, items)))
        case wit.RecordOf(fields):
            return wit.RecordOf(tuple((name, plain(one)) for name, one in fields))
        case wit.VariantOf(cases):
            return wit.VariantOf(tuple((name, plain(one)) for name, one in cases))
        case _:
            return kind


def layout(kind: wit.Type) -> tuple[int, int]:
    """Size and alignment in memory, for the types that parameters have (component-model, CanonicalABI.md)."""
    match kind:
        case wit.Primitive("string") | wit.ListType():
            return 8, 4
        case wit.Primitive(name):
            width = _WIDTHS.get(name, 8)
            return width, width
        case wit.OptionOf(some):
            size, align = layout(some)
            return -(-(align + size) // align) * align, align
        case _:
            raise TypeError(kind)


def loads(kind: wit.Type, at: int) -> str:
    """What pushes the value at an address as the parameters of core code."""
    match kind:
        case wit.Primitive("string") | wit.ListType():
            return f"(i32.load (i32.const {at})) (i32.load (i32.const {at + 4}))"
        case wit.Primitive(name) if name in _WIDTHS:
            suffix = {1: "8_s" if name[0] == "s" else "8_u", 2: "16_s" if name[0] == "s" else "16_u", 4: ""}[
                _WIDTHS[name]
            ]
            return f"(f32.load (i32.const {at}))" if name == "f32" else f"(i32.load{suffix} (i32.const {at}))"
        case wit.Primitive(name):
            return f"({'f64' if name == 'f64' else 'i64'}.load (i32.const {at}))"
        case wit.OptionOf(some):
            return f"(i32.load8_u (i32.const {at})) {loads(some, at + layout(some)[1])}"
        case _:
            raise TypeError(kind)


def core_types(kind: wit.Type) -> list[str]:
    match kind:
        case wit.Primitive("string") | wit.ListType():
            return ["i32", "i32"]
        case wit.Primitive(name):
            return [{"f32": "f32", "f64": "f64", "u64": "i64", "s64": "i64"}.get(name, "i32")]
        case wit.OptionOf(some):
            return ["i32", *core_types(some)]
        case _:
            raise TypeError(kind)


class _Call:
    """One function of an interface, as the driver calls it."""

    def __init__(self, number: int, function: Function[Any]) -> None:
        self.number = number
        self.parameters: list[wit.Type] = [plain(kind) for kind in function.parameters]
        self.result = plain(function.result)
        self.by_address = self.result is not None and not isinstance(self.result, wit.Primitive)
        self.given = wit.tuple_of(*self.parameters, *PADDING)
        self.taken = wit.tuple_of(wit.U8 if self.result is None else self.result, *PADDING)

    def code(self) -> str:
        at, pushes = GIVEN, []
        for kind in self.parameters:
            size, align = layout(kind)
            at = -(-at // align) * align
            pushes.append(loads(kind, at))
            at += size
        call = f"(call $f{self.number} {' '.join(pushes)} {f'(i32.const {RESULT})' if self.by_address else ''})"
        if self.result is not None and not self.by_address:
            call = f"({core_types(self.result)[0]}.store (i32.const {RESULT}) {call})"
        n = self.number
        return (
            f'(func (export "run{n}") (call $give{n} (i32.const {GIVEN})) {call} (call $take{n} (i32.const {RESULT})))'
        )

    def signature(self) -> str:
        flat = [one for kind in self.parameters for one in core_types(kind)] + ["i32"] * self.by_address
        result = "" if self.result is None or self.by_address else f"(result {core_types(self.result)[0]})"
        return f"(param {' '.join(flat)}) {result}"


def driver_text(interfaces: Sequence[AnyInterface]) -> tuple[str, dict[str, _Call]]:
    """The component, and its calls by the functions' names; `[drop]store` drops a handle."""
    calls: dict[str, _Call] = {}
    imports, lowered, core_imports, code = [], [], [], []
    known: dict[wit.Resource, str] = {}
    drive = Written()
    pairs = []
    for i, interface in enumerate(interfaces):
        imports += imported(interface, f"$i{i}", known)
        for resource in interface.resources:
            drop = function_of((wit.U32,), None, lambda *_: None)
            calls[f"[drop]{resource.name}"] = call = _Call(len(calls), drop)
            lowered.append(f"(core func $f{call.number} (canon resource.drop {known[resource]}))")
        for name, function in interface.functions.items():
            calls[name] = call = _Call(len(calls), function)
            lowered.append(
                f'(core func $f{call.number} (canon lower (func $i{i} "{name}") (memory $memory) (realloc $realloc)))'
            )
    for call in calls.values():
        n = call.number
        pairs.append(drive.function(f"give{n}", (), call.given))
        pairs.append(drive.function(f"take{n}", (call.taken, *PADDING), None))
        for half in ("give", "take"):
            lowered.append(
                f'(core func ${half}{n} (canon lower (func $drive "{half}{n}") (memory $memory) (realloc $realloc)))'
            )
            core_imports.append(f'(import "i" "{half}{n}" (func ${half}{n} (param i32)))')
        core_imports.append(f'(import "i" "f{n}" (func $f{n} {call.signature()}))')
        code.append(call.code())
    exports = [f'(func (export "run{n}") (canon lift (core func $c "run{n}")))' for n in range(len(calls))]
    names = [f"{kind}{call.number}" for call in calls.values() for kind in ("f", "give", "take")]
    newline = "\n "
    text = f"""(component
 {newline.join(imports)}
 (import "test:drive/values" (instance $drive {newline.join([*drive.lines, *pairs])}))
 {MEMORY}
 {newline.join(lowered)}
 (core module $code {newline.join([*core_imports, '(import "m" "memory" (memory 0))', *code])})
 (core instance $fs {" ".join(f'(export "{name}" (func ${name}))' for name in names)})
 (core instance $c (instantiate $code (with "i" (instance $fs)) (with "m" (instance $m))))
 {newline.join(exports)})"""
    return text, calls


class Driver(Generic[Binding]):
    """Interfaces of an API, all of them unless some are named, with the guest that drives them, compiled once."""

    def __init__(self, api: HostApi[Binding, Any], *interfaces: AnyInterface) -> None:
        self.api = api
        self.interfaces = interfaces or api.interfaces
        text, self.calls = driver_text(self.interfaces)
        self.drive = HostApi[Guest, Guest]("drive", (self._drive(),), lambda host, guest: guest)
        self.loaded = load(text)

    def _drive(self) -> Interface[Guest]:
        functions: dict[str, Function[Guest]] = {}
        for call in self.calls.values():
            functions[f"give{call.number}"] = function_of((), call.given, lambda guest: guest.given)
            functions[f"take{call.number}"] = function_of(
                (call.taken, *PADDING), None, lambda guest, taken, *_: guest.take(taken[0])
            )
        return Interface("test:drive/values", functions)

    def guest(self, binding: Binding, seconds: float = 60) -> Guest:
        return Guest(self, NO_BINDINGS.with_binding(self.api, binding), seconds)


class Guest:
    """One run of the driver. Used as a context, so that what it holds is let go of."""

    def __init__(self, driver: Driver[Any], bindings: Bindings, seconds: float) -> None:
        self.calls = driver.calls
        self.run = Run(bindings.with_binding(driver.drive, self), seconds)
        self.given: tuple[Any, ...] = ()
        self._result: Any = None
        linker = component.Linker(engine())
        for interface in driver.interfaces:
            define(address(linker), driver.api, interface)
        for interface in driver.drive.interfaces:
            define(address(linker), driver.drive, interface)
        self._linker = linker
        self._store = wasmtime.Store(engine())
        self._instance = linker.instantiate(self._store, driver.loaded)

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()
        self._linker.close()
        # The run holds this guest as the object of an API.
        self.run.host_state.close()

    def take(self, result: Any) -> None:
        self._result = result

    def call(self, name: str, *arguments: Any) -> Any:
        """What the guest got from a function: of a result ("ok", value) or ("err", error). Raises what stopped it."""
        function = self._instance.get_func(self._store, f"run{self.calls[name].number}")
        assert function is not None
        self.given, self._result = (*arguments, *bytes(len(PADDING))), None
        current.run = self.run  # type: ignore[assignment]
        try:
            function(self._store)
        except wasmtime.WasmtimeError:
            if self.run.failure is not None:
                raise self.run.failure from None
            raise
        finally:
            current.run = None
        return self._result

    def ok(self, name: str, *arguments: Any) -> Any:
        """The same for a result that is no error."""
        case, value = self.call(name, *arguments)
        assert case == "ok", value
        return value

    def error(self, name: str, *arguments: Any) -> Any:
        """The error of a result."""
        case, value = self.call(name, *arguments)
        assert case == "err", value
        return value
