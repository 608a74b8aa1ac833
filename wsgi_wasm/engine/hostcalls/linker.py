"""Functions of the host, defined in a linker and called by guests.

A call from a guest to Python costs a few microseconds this way, a tenth of what the `wasmtime`
package's own `add_func` takes, which asks for the types anew in every call. Here the types are
declared, and lifters and lowerers made once.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Mapping
from ctypes import memmove, string_at
from typing import Any

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import MAX_VALUES, AnyApi, HostApi, number_of
from wsgi_wasm.engine.hostcalls.interface import AnyInterface, Function, HostError, State
from wsgi_wasm.engine.hostcalls.lifting import Lifter, Mismatch, lifter
from wsgi_wasm.engine.hostcalls.lowering import Lowerer, lowerer, pack
from wsgi_wasm.engine.run import current

# --- entering Python ------------------------------------------------------------------------------

_STOPPED = b"stopped by the host"


def fail(failure: BaseException) -> int:
    """Nothing that Python raises may cross into Wasmtime: it is kept for the caller, and the guest
    traps."""
    run = current.run
    if run is None and current.begin is not None:
        # where there is no memory, for one: then it is a trap alone
        with contextlib.suppress(BaseException):
            run = current.the_run()
    if run is not None and run.failure is None:
        run.failure = failure
    return int(c.error_new(_STOPPED))


def _error_value(result: wit.Type | None) -> Callable[[HostError], Any] | None:
    """How a HostError becomes the error of this type; None for a type that has no errors."""
    if not isinstance(result, wit.ResultOf):
        return None
    if isinstance(result.err, wit.VariantOf):
        return lambda error: ("err", (error.case, error.value))
    if isinstance(result.err, wit.EnumOf):
        return lambda error: ("err", error.case)
    return lambda error: ("err", error.value)


def entry(api: HostApi[Any, State], function: Function[State]) -> Any:
    """The C side of one function."""
    lifters: tuple[Lifter, ...] = tuple(lifter(kind) for kind in function.parameters)
    count, size = len(lifters), v.VAL.size * len(lifters)
    lower: Lowerer | None = None if function.result is None else lowerer(function.result)
    error_value = _error_value(function.result)
    is_result, n_expected = error_value is not None, 0 if lower is None else 1
    call, values_of = function.call, v.VAL.iter_unpack

    def enter(_data: int | None, context: int, _type: int, arguments: int, n: int, results: int, n_results: int) -> int:
        try:
            host = (current.run or current.the_run()).host_state
            assert host is not None
            host.context, host.values_left = context, MAX_VALUES
            # The component's own type of the function decides how many values there are.
            if n != count or n_results != n_expected:
                raise Mismatch(f"{n} parameters and {n_results} results")
            words = values_of(string_at(arguments, size)) if count else ()
            values = [lift(host, *one) for lift, one in zip(lifters, words, strict=True)]
            try:
                value = call(host.of(api), *values)
                if is_result:
                    value = ("ok", value)
            except HostError as error:
                if error_value is None:
                    raise
                value = error_value(error)
            if lower is not None:
                memmove(results, pack(*lower(value, host)), v.VAL.size)
        except BaseException as failure:
            return fail(failure)
        return 0

    return v.HostFunction(enter)


def _on_drop(_data: int | None, _context: int, number: int) -> int:
    try:
        run = current.run
        assert run is not None
        assert run.host_state is not None
        run.host_state.drop(number)
    except BaseException as failure:
        return fail(failure)
    return 0


ON_DROP = v.Destructor(_on_drop)

# --- defining -------------------------------------------------------------------------------------

# Callbacks live as long as the process: a linker only points to them.
_entries: dict[tuple[AnyApi, AnyInterface], Mapping[str, Any]] = {}


def entries_of(api: AnyApi, interface: AnyInterface) -> Mapping[str, Any]:
    """The C side of an interface's functions, made once."""
    made = _entries.get((api, interface))
    if made is None:
        made = _entries[api, interface] = {name: entry(api, one) for name, one in interface.functions.items()}
    return made


def define(linker: int, api: AnyApi, interface: AnyInterface) -> None:
    """Define an interface of `api` in a `wasmtime_component_linker_t`. Raises ModuleError."""
    kinds = {resource.name: v.resource_type_new(number_of(resource)) for resource in interface.resources}
    try:
        define_instance(linker, interface.name, kinds, entries_of(api, interface))
    finally:
        for kind in kinds.values():
            v.resource_type_delete(kind)


def define_instance(linker: int, name: str, resources: Mapping[str, int], functions: Mapping[str, Any]) -> None:
    """The same from `wasmtime_component_resource_type_t` and callbacks, which the caller keeps
    alive."""
    root = v.linker_root(linker)
    try:
        instance = ctypes.c_void_p()
        taken(v.add_instance(root, *_text(name), ctypes.byref(instance)))
        try:
            for resource, kind in resources.items():
                taken(v.add_resource(instance, *_text(resource), kind, ON_DROP, None, None))
            for function, callback in functions.items():
                taken(v.add_function(instance, *_text(function), callback, None, None))
        finally:
            v.instance_delete(instance)
    finally:
        v.instance_delete(root)


def _text(name: str) -> tuple[bytes, int]:
    data = name.encode()
    return data, len(data)
