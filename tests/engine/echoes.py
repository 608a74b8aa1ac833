"""Components that pass one value of any type from one function of the host to another, as text.

`give` returns the value in memory, and `take` reads it from memory: with a tuple around it a result does not fit in one
number, and with sixteen more parameters the parameters do not fit in sixteen. So the code is the same for every type.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import wasmtime
from wasmtime import component

from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import AnyApi, Bindings, HostApi, HostState
from wsgi_wasm.engine.hostcalls.interface import AnyInterface, Function, Interface
from wsgi_wasm.engine.hostcalls.linker import define
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.run import current

PADDING = (wit.U8,) * 16


@dataclass
class Written:
    """Types of an instance, in WebAssembly's text."""

    lines: list[str] = field(default_factory=list)
    resources: dict[wit.Resource, str] = field(default_factory=dict)
    foreign: dict[wit.Resource, str] = field(default_factory=dict)  # types of other instances, by their names outside
    _known: dict[wit.Type, str] = field(default_factory=dict)

    def name(self, kind: wit.Type) -> str:
        """What stands for the type, after writing its definition."""
        if isinstance(kind, wit.Primitive):
            return kind.name
        if kind not in self._known:
            self._known[kind] = self._define(kind)
        return self._known[kind]

    def _define(self, kind: wit.Type) -> str:
        match kind:
            case wit.ListType(element):
                text = f"(list {self.name(element)})"
            case wit.OptionOf(some):
                text = f"(option {self.name(some)})"
            case wit.ResultOf(ok, err):
                errs = "" if err is None else f"(error {self.name(err)})"
                text = f"(result {self._payload(ok)} {errs})"
            case wit.TupleOf(items):
                text = f"(tuple {' '.join(self.name(item) for item in items)})"
            case wit.RecordOf(fields):
                text = f"(record {' '.join(f'(field {quoted(name)} {self.name(one)})' for name, one in fields)})"
            case wit.VariantOf(cases):
                text = f"(variant {' '.join(f'(case {quoted(name)} {self._payload(one)})' for name, one in cases)})"
            case wit.EnumOf(names):
                text = f"(enum {' '.join(map(quoted, names))})"
            case wit.FlagsOf(names):
                text = f"(flags {' '.join(map(quoted, names))})"
            case wit.Own(resource):
                text = f"(own {self._resource(resource)})"
            case wit.Borrow(resource):
                text = f"(borrow {self._resource(resource)})"
            case _:
                raise TypeError(kind)
        name = f"$t{len(self.lines)}"
        self.lines.append(f"(type {name} {text})")
        if isinstance(kind, wit.RecordOf | wit.VariantOf | wit.EnumOf | wit.FlagsOf):
            self.lines.append(f'(export "n{len(self.lines)}" (type {name}n (eq {name})))')
            name += "n"
        return name

    def _payload(self, kind: wit.Type | None) -> str:
        return "" if kind is None else self.name(kind)

    def _resource(self, resource: wit.Resource) -> str:
        if resource not in self.resources:
            name = self.resources[resource] = f"$r{len(self.resources)}"
            bound = "(sub resource)"
            if resource in self.foreign:
                self.lines.append(f"(alias outer 1 {self.foreign[resource]} (type {name}o))")
                bound = f"(eq {name}o)"
            self.lines.append(f'(export "{resource.name}" (type {name} {bound}))')
        return self.resources[resource]

    def function(self, name: str, parameters: tuple[wit.Type, ...], result: wit.Type | None) -> str:
        names = ["self" if name.startswith("[method]") else "p0", *(f"p{i}" for i in range(1, len(parameters)))]
        params = " ".join(f'(param "{one}" {self.name(kind)})' for one, kind in zip(names, parameters, strict=False))
        returns = "" if result is None else f"(result {self.name(result)})"
        return f'(export "{name}" (func {params} {returns}))'


def imported(interface: AnyInterface, instance: str, known: dict[wit.Resource, str]) -> list[str]:
    """The import of an interface, and its resources as types, by whose names in `known` later ones refer to them."""
    types = Written(foreign=dict(known))
    lines = [types.function(name, one.parameters, one.result) for name, one in interface.functions.items()]
    parts = [f'(import "{interface.name}" (instance {instance} {" ".join([*types.lines, *lines])}))']
    for resource in interface.resources:
        known[resource] = f"$resource{len(known)}"
        parts.append(f'(alias export {instance} "{resource.name}" (type {known[resource]}))')
    return parts


def quoted(name: str) -> str:
    return f'"{name}"'


MEMORY = """
 (core module $mem (memory (export "memory") 2 2000) (global $next (mut i32) (i32.const 65536))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
   (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
   (global.set $next (i32.add (local.get $at) (local.get 3)))
   (loop $grow (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
    (then (br_if $grow (i32.ne (memory.grow (i32.const 16)) (i32.const -1))) unreachable)))
   (local.get $at)))
 (core instance $m (instantiate $mem))
 (alias core export $m "memory" (core memory $memory)) (alias core export $m "realloc" (core func $realloc))
"""


def echo_text(kind: wit.Type) -> str:
    """A component whose `run` takes the value from `give` and hands it to `take`, `count` times."""
    types = Written()
    give = types.function("give", (), wit.tuple_of(kind, *PADDING))
    take = types.function("take", (wit.tuple_of(kind, *PADDING), *PADDING), None)
    lines = "\n  ".join([*types.lines, give, take])
    return f"""(component
 (import "test:echo/values" (instance $i
  {lines}))
 {MEMORY}
 (core func $give (canon lower (func $i "give") (memory $memory) (realloc $realloc)))
 (core func $take (canon lower (func $i "take") (memory $memory) (realloc $realloc)))
 (core module $code
  (import "i" "give" (func $give (param i32))) (import "i" "take" (func $take (param i32)))
  (func (export "run") (call $give (i32.const 1024)) (call $take (i32.const 1024))))
 (core instance $f (export "give" (func $give)) (export "take" (func $take)))
 (core instance $c (instantiate $code (with "i" (instance $f))))
 (func (export "run") (canon lift (core func $c "run"))))"""


def function_of(parameters: tuple[wit.Type, ...], result: wit.Type | None, call: Callable[..., Any]) -> Function[Any]:
    """A function that may be a lambda, whose type nobody can infer."""
    return Function(parameters, result, call)


def api_of(name: str, **functions: Function[Any]) -> AnyApi:
    """An API with one interface of this name, whose functions get None for the API's object."""
    return HostApi(name, (Interface(name, functions),), lambda host, binding: None)


class Unbound(Bindings):
    """For APIs of tests, to which nothing is bound."""

    def of(self, api: AnyApi) -> Any:
        return None


class Run:
    """What functions of the host look for in a run."""

    def __init__(self, bindings: Bindings | None = None, seconds: float = 60) -> None:
        self.deadline = time.monotonic() + seconds
        self.cpu_end = time.thread_time() + seconds
        self.host_state = HostState(bindings or Unbound(), self)
        self.failure: BaseException | None = None
        self.client = SimpleNamespace(label="/x x.wasm [1]", errors_left=100, error_output=lambda _data: None)

    def look(self) -> None:
        if time.monotonic() >= self.deadline:
            raise Stop(End.TIMEOUT)
        if time.thread_time() >= self.cpu_end:
            raise Stop(End.CPU)


@cache
def engine() -> wasmtime.Engine:
    """Made with the first test that asks: it takes the signals of the process."""
    return wasmtime.Engine()


def address(managed: Any) -> int:
    """The C object behind one of the `wasmtime` package's."""
    return int(ctypes.cast(managed.ptr(), ctypes.c_void_p).value or 0)


def load(text: str | bytes) -> component.Component:
    return component.Component(engine(), text)


def call(loaded: component.Component, name: str, apis: Iterable[AnyApi], run: Run, *arguments: Any) -> Any:
    """Call an export of a fresh instance, in which `apis` are defined; raises what stopped the guest."""
    linker = component.Linker(engine())
    for api in apis:
        for interface in api.interfaces:
            define(address(linker), api, interface)
    store = wasmtime.Store(engine())
    instance = linker.instantiate(store, loaded)
    function = instance.get_func(store, name)
    assert function is not None
    current.run = run  # type: ignore[assignment]
    try:
        return function(store, *arguments)
    except wasmtime.WasmtimeError:
        if run.failure is not None:
            raise run.failure from None
        raise
    finally:
        current.run = None
        store.close()
        linker.close()
        run.host_state.close()
