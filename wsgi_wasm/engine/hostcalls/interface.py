"""Functions of the host that components import: declared with their types, defined in a linker, called by guests.

A call from a guest to Python costs a few microseconds this way, a tenth of what the `wasmtime` package's own `add_func`
takes, which asks for the types anew in every call. Here the types are declared, and lifters and lowerers made once.

What a run holds on the host's side is its `Held`: the object of each API, made at the first call and given the route's
grant, and the resources whose handles the guest has. A guest that traps drops nothing, so that whoever runs a guest
must close its `Held` afterwards, whatever happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from ctypes import memmove, string_at
from dataclasses import dataclass
from typing import Any, Protocol

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.lifting import Lifter, Mismatch, lifter
from wsgi_wasm.engine.hostcalls.lowering import Lowerer, Scratch, lowerer, pack
from wsgi_wasm.engine.run import current

log = logging.getLogger("wsgi_wasm.engine")


class HostError(Exception):
    """Raised by a function of the host for the error case of its result: a variant's case and value, or an enum's
    name; for an error type that is neither, `value` alone counts."""

    def __init__(self, case: str, value: Any = None) -> None:
        super().__init__(case if value is None else f"{case}: {value}")
        self.case = case
        self.value = value


@dataclass(frozen=True, slots=True)
class Function:
    """`call` gets the API's object of this run and the parameters' values; it returns the result, of a
    `result<ok, err>` the ok value, or raises HostError. Whatever else it raises ends the guest and is the run's
    failure."""

    parameters: tuple[wit.Type, ...]
    result: wit.Type | None
    call: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Interface:
    """An interface that the host offers, by its full name: `fermyon:spin/key-value@2.0.0`.

    `api` names what a route grants (`key_value`), `begin` makes the API's object of one run from the run's `Held`; the
    interfaces of one API share it. `resources` are those that the interface itself defines. Functions have the names of
    the binary format: `[static]store.open`.
    """

    name: str
    api: str
    begin: Callable[[Held], Any]
    functions: Mapping[str, Function]
    resources: tuple[wit.Resource, ...] = ()


class Clock(Protocol):
    """When a run must end, in seconds: `deadline` on the monotonic clock, `cpu_end` on the thread's CPU time."""

    deadline: float
    cpu_end: float


class Held:
    """What one run holds on the host's side."""

    __slots__ = ("_apis", "_clock", "_counts", "_numbers", "_objects", "context", "grants", "scratch")

    def __init__(self, grants: Mapping[str, object], clock: Clock) -> None:
        self.grants = grants
        self._clock = clock
        self.context = 0  # of the call that is served; an address
        self.scratch = Scratch()
        self._apis: dict[Callable[[Held], Any], Any] = {}
        self._objects: dict[int, tuple[wit.Resource, Any]] = {}
        self._counts: dict[wit.Resource, int] = {}
        self._numbers = itertools.count(1)

    def remaining(self) -> float:
        """Seconds until the run's deadline. A guest cannot be stopped while it waits for the host, so that no call may
        wait longer."""
        return self._clock.deadline - time.monotonic()

    def expired(self) -> bool:
        """Whether the run has used up its time, for calls that compute."""
        return self.remaining() <= 0 or time.thread_time() >= self._clock.cpu_end

    def api(self, begin: Callable[[Held], Any]) -> Any:
        """The object of an API in this run, made where this is its first call."""
        found = self._apis.get(begin)
        if found is None:
            found = self._apis[begin] = begin(self)
        return found

    def count(self, resource: wit.Resource) -> int:
        """Handles of this type that the guest has."""
        return self._counts.get(resource, 0)

    def give(self, value: Any, resource: wit.Resource) -> int:
        """A new handle, as a `wasmtime_component_resource_any_t`."""
        number = next(self._numbers)
        host = v.host_new(True, number, _number_of(resource))
        try:
            taken(v.host_to_any(self.context, host, self.scratch.at))
        finally:
            v.host_delete(host)
        self._objects[number] = resource, value
        self._counts[resource] = self._counts.get(resource, 0) + 1
        return self.scratch.words[0]

    def resolve(self, pointer: int, resource: wit.Resource, owned: bool) -> Any:
        """The object behind a handle that the guest passes."""
        taken(v.any_to_host(self.context, pointer, self.scratch.at))
        host = self.scratch.words[0]
        number = v.host_rep(host)
        v.host_delete(host)
        kind, value = self._objects[number]
        if kind is not resource:
            raise Mismatch(f"a {kind.name} where the interface has a {resource.name}")
        if owned:
            self._forget(number)
        return value

    def _forget(self, number: int) -> Any:
        kind, value = self._objects.pop(number)
        self._counts[kind] -= 1
        return value

    def drop(self, number: int) -> None:
        """The guest has dropped its handle."""
        _close(self._forget(number))

    def close(self) -> None:
        """Let go of everything, once the guest has ended."""
        objects, self._objects = self._objects, {}
        apis, self._apis = self._apis, {}
        for _, value in objects.values():
            _close(value)
        for api in apis.values():
            _close(api)
        # The run has this in it: without the way back it is freed at once.
        self._clock, self.grants = _OVER, {}


class _Over:
    deadline = cpu_end = 0.0


_OVER = _Over()


class HostRun(Protocol):
    """What `run.current.run` is while a component runs, as far as functions of the host look at it."""

    held: Held
    failure: BaseException | None


def _close(value: Any) -> None:
    close = getattr(value, "close", None)
    if close is not None:
        try:
            close()
        except Exception:
            # The others must be closed all the same, and the request has its answer.
            log.exception("closing %s", type(value).__name__)


_numbers: dict[wit.Resource, int] = {}


def _number_of(resource: wit.Resource) -> int:
    """What tells this type from others in Wasmtime: one number a type, in every engine of the process."""
    return _numbers.setdefault(resource, len(_numbers) + 1)


# --- entering Python ---------------------------------------------------------------------------------------------

_STOPPED = b"stopped by the host"


def fail(failure: BaseException) -> int:
    """Nothing that Python raises may cross into Wasmtime: it is kept for the caller, and the guest traps."""
    run = current.run
    if run is None and current.begin is not None:
        with contextlib.suppress(BaseException):  # where there is no memory, for one: then it is a trap alone
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


def entry(begin: Callable[[Held], Any], function: Function) -> Any:
    """The C side of one function."""
    lifters: tuple[Lifter, ...] = tuple(lifter(kind) for kind in function.parameters)
    count, size = len(lifters), v.VAL.size * len(lifters)
    lower: Lowerer | None = None if function.result is None else lowerer(function.result)
    error_value = _error_value(function.result)
    is_result, n_expected = error_value is not None, 0 if lower is None else 1
    call, values_of = function.call, v.VAL.iter_unpack

    def enter(_data: int | None, context: int, _type: int, arguments: int, n: int, results: int, n_results: int) -> int:
        try:
            held: Held = (current.run or current.the_run()).held  # type: ignore[attr-defined]
            held.context = context
            # The component's own type of the function decides how many values there are.
            if n != count or n_results != n_expected:
                raise Mismatch(f"{n} parameters and {n_results} results")
            words = values_of(string_at(arguments, size)) if count else ()
            values = [lift(held, *one) for lift, one in zip(lifters, words, strict=True)]
            try:
                value = call(held.api(begin), *values)
                if is_result:
                    value = ("ok", value)
            except HostError as error:
                if error_value is None:
                    raise
                value = error_value(error)
            if lower is not None:
                memmove(results, pack(*lower(value, held)), v.VAL.size)
        except BaseException as failure:
            return fail(failure)
        return 0

    return v.HostFunction(enter)


def _on_drop(_data: int | None, _context: int, number: int) -> int:
    try:
        current.run.held.drop(number)  # type: ignore[union-attr]
    except BaseException as failure:
        return fail(failure)
    return 0


ON_DROP = v.Destructor(_on_drop)

# --- defining ----------------------------------------------------------------------------------------------------

_entries: dict[Interface, dict[str, Any]] = {}  # callbacks live as long as the process: a linker only points to them


def entries_of(interface: Interface) -> Mapping[str, Any]:
    """The C side of an interface's functions, made once."""
    made = _entries.get(interface)
    if made is None:
        made = _entries[interface] = {
            name: entry(interface.begin, function) for name, function in interface.functions.items()
        }
    return made


def define(linker: int, interface: Interface) -> None:
    """Define an interface in a `wasmtime_component_linker_t`. Raises ModuleError."""
    kinds = {resource.name: v.resource_type_new(_number_of(resource)) for resource in interface.resources}
    try:
        define_instance(linker, interface.name, kinds, entries_of(interface))
    finally:
        for kind in kinds.values():
            v.resource_type_delete(kind)


def define_instance(linker: int, name: str, resources: Mapping[str, int], functions: Mapping[str, Any]) -> None:
    """The same from `wasmtime_component_resource_type_t` and callbacks, which the caller keeps alive."""
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
