"""Functions of the host across the channel: in the child they are stand-ins that ask, and the
gateway calls them.

What holds secrets (servers' passwords, stores, variables, connections to elsewhere) is never in a
child. A call's number means the same on both sides, since both count the functions of the same
APIs.
"""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import AnyApi, Bindings, HostApi, HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.engine.hostcalls.lifting import Mismatch
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.run import Run, current
from wsgi_wasm.isolation.frames import Closed, Misbehaved
from wsgi_wasm.isolation.values import Codec, Handles, Malformed, ValueReader, codec

_CALL = struct.Struct("<Hdd")  # the function, the run's deadline, and the CPU time that it has left
_REPLY = struct.Struct("<Bd")  # how it went, and the CPU time that the host has used for it
_DONE, _STOPPED, _FAILED = range(3)


class Numbered(NamedTuple):
    """One function with its API, and the codecs of its values."""

    api: AnyApi
    function: Function[Any]
    parameters: Sequence[Codec]
    result: Codec | None


def numbered(apis: Sequence[AnyApi]) -> tuple[Numbered, ...]:
    """Every function of these APIs, in an order that is the same in every process."""
    return tuple(
        Numbered(
            api,
            function,
            tuple(codec(kind) for kind in function.parameters),
            None if function.result is None else codec(function.result),
        )
        for api, function in _functions(apis)
    )


def _functions(apis: Sequence[AnyApi]) -> Iterator[tuple[AnyApi, Function[Any]]]:
    for api in apis:
        for interface in api.interfaces:
            for function in interface.functions.values():
                yield api, function


# --- the child's side -----------------------------------------------------------------------------


class Asking(Protocol):
    """The client of a run in a child: the way to the gateway."""

    def ask(self, question: bytes) -> bytes:
        """What a CALL with this payload is answered. Raises Stop, Closed."""

    def dropped(self, number: int) -> None:
        """Tell the gateway that the guest has dropped a handle."""


@dataclass(eq=False, slots=True)
class Remote:
    """An object of the gateway's, for the guest of a child."""

    number: int
    asking: Asking

    def close(self) -> None:
        """The guest has dropped it."""
        self.asking.dropped(self.number)


class _RemoteHandles:
    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def number(self, value: Any, _resource: wit.Resource) -> int:
        assert isinstance(value, Remote)
        return value.number

    def object(self, number: int, _resource: wit.Resource, _owned: bool) -> Remote:
        return Remote(number, self._asking)


def remote(apis: Sequence[AnyApi]) -> tuple[tuple[AnyApi, ...], Bindings]:
    """Stand-ins for these APIs, and what is bound to them: nothing, as the gateway has it."""
    count = itertools.count()
    numbers = numbered(apis)

    def stand_in(interface: Interface[Any]) -> Interface[Any]:
        functions = {}
        for name in interface.functions:
            number = next(count)
            one = numbers[number]
            functions[name] = Function(one.function.parameters, one.function.result, _asker(number, one))
        return Interface(interface.name, functions, interface.resources)

    made: tuple[AnyApi, ...] = tuple(
        HostApi(name=api.name, interfaces=tuple(stand_in(one) for one in api.interfaces), begin=_asking_of)
        for api in apis
    )
    return made, Bindings(dict.fromkeys(made))


def _asking_of(_host: HostState, _binding: None) -> Asking:
    run = current.run
    assert run is not None
    return cast("Asking", run.client)


def _asker(number: int, one: Numbered) -> Callable[..., Any]:
    """What a guest calls for a function of the host."""
    error_of = _error_of(one.function.result)

    def call(asking: Asking, *values: Any) -> Any:
        run = current.run
        assert run is not None
        handles = _RemoteHandles(asking)
        parts = [_CALL.pack(number, run.deadline, run.cpu_end - time.thread_time())]
        for write, value in zip(one.parameters, values, strict=True):
            write.write(value, parts, handles)
        answer = asking.ask(b"".join(parts))
        how, used = _REPLY.unpack_from(answer)
        run.cpu_end -= used
        source = ValueReader(answer[_REPLY.size :])
        if how == _STOPPED:
            end, _, detail = answer[_REPLY.size :].decode("utf-8", "replace").partition(" ")
            raise Stop(End[end], detail)
        if how == _FAILED:
            raise Closed("a function of the host has failed")
        value = None if one.result is None else one.result.read(source, handles)
        if error_of is None:
            return value
        assert value is not None
        case, value = value
        if case == "err":
            raise error_of(value)
        return value

    return call


def _error_of(result: wit.Type | None) -> Callable[[Any], HostError] | None:
    """What raises the error of this type; None for a type without errors."""
    if not isinstance(result, wit.ResultOf):
        return None
    if isinstance(result.err, wit.VariantOf):
        return lambda error: HostError(error[0], error[1])
    if isinstance(result.err, wit.EnumOf):
        return lambda error: HostError(error)
    return lambda error: HostError("error", error)


# --- the gateway's side ---------------------------------------------------------------------------


class _Objects(HostState):
    """What one run in a child holds on the host's side: handles are plain numbers, and those that
    the child names are looked up."""

    __slots__ = ()

    def number(self, value: Any, resource: wit.Resource) -> int:
        """As `Handles.number`."""
        return self.keep(value, resource)

    def object(self, number: int, resource: wit.Resource, owned: bool) -> Any:
        """As `Handles.object`."""
        try:
            return self.look_up(number, resource, owned)
        except (KeyError, Mismatch):
            raise Malformed(f"there is no {resource.name} {number}") from None


class HostCalls:
    """The calls of one run in a child. Their objects are closed with `close`."""

    def __init__(self, functions: Sequence[Numbered], bindings: Bindings, run: Run, address: str | None) -> None:
        """`run` has the limits, and is what a function of the host finds as the run that it is
        called for; `address` is where the child's guests can reach the gateway, None where they
        cannot."""
        self._functions = functions
        self._run = run
        self._latest = run.deadline
        self._objects = _Objects(bindings, run)
        self._objects.address = address
        self.failure: BaseException | None = None

    def answer(self, question: bytes) -> list[bytes]:
        """The reply to a CALL. What ends the run is kept in `failure`. Raises Misbehaved for what
        is no call."""
        began = time.thread_time()
        try:
            number, deadline, cpu = _CALL.unpack_from(question)
            one = self._functions[number]
            source = ValueReader(question[_CALL.size :])
            handles: Handles = self._objects
            values = [read.read(source, handles) for read in one.parameters]
            source.end()
        except (struct.error, IndexError, Malformed) as error:
            raise Misbehaved(f"the child calls a function of the host wrongly: {error}") from None
        run = self._run
        run.deadline = min(deadline, self._latest) if deadline == deadline else self._latest
        run.cpu_end = began + min(max(0.0, cpu), run.limits.cpu) if cpu == cpu else began
        current.run = run
        try:
            how, parts = self._called(one, values)
        finally:
            current.run = None
        return [_REPLY.pack(how, time.thread_time() - began), *parts]

    def later(self, seconds: float) -> None:
        """The run may end so much later: the client was slow."""
        self._latest += seconds

    def drop(self, payload: bytes) -> None:
        """DROP. Raises Misbehaved for a handle that is not there."""
        try:
            self._objects.drop(int.from_bytes(payload, "little"))
        except KeyError:
            raise Misbehaved("the child drops a handle that it does not have") from None

    def close(self) -> None:
        """The run has ended."""
        self.failure = None  # as in `Run.close`
        self._objects.close()

    def _called(self, one: Numbered, values: Sequence[Any]) -> tuple[int, list[bytes]]:
        parts: list[bytes] = []
        is_result = isinstance(one.function.result, wit.ResultOf)
        try:
            try:
                value = one.function.call(self._objects.of(one.api), *values)
                if is_result:
                    value = ("ok", value)
            except HostError as error:
                if not is_result:
                    raise
                value = _error_value(one.function.result, error)
            if one.result is not None:
                one.result.write(value, parts, self._objects)
        except Stop as stop:
            return _STOPPED, [f"{stop.end.name} {stop.detail}".encode("utf-8", "replace")]
        except BaseException as failure:
            self.failure = self.failure or failure
            return _FAILED, []
        return _DONE, parts


def _error_value(result: wit.Type | None, error: HostError) -> tuple[str, Any]:
    assert isinstance(result, wit.ResultOf)
    if isinstance(result.err, wit.VariantOf):
        return "err", (error.case, error.value)
    return "err", error.case if isinstance(result.err, wit.EnumOf) else error.value
