"""The life of an API of the host.

`HostApi` lives as long as the process: its interfaces are defined once in each linker. A route's
`Bindings` hold what the route grants to each API, made once. A run's `HostState` holds the object
of each API that the guest has called, and the resources whose handles the guest has. A guest that
traps drops nothing, so whoever runs a guest must close its `HostState` afterwards, whatever
happened.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.interface import AnyInterface, Interface, State
from wsgi_wasm.engine.hostcalls.lifting import Mismatch
from wsgi_wasm.engine.hostcalls.lowering import Scratch
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.logs import package_log

log = package_log("engine")

MAX_VALUES = 250_000  # in the lists that a guest passes in one call, those of bytes excepted

Binding = TypeVar("Binding")


@dataclass(frozen=True, eq=False)
class HostApi(Generic[Binding, State]):
    """Interfaces that share one object in each run.

    `begin` makes that object at the guest's first call, from the run's `HostState` and what the
    route has bound to the API. If the object has a `close` method, it is called after the run.
    """

    name: str
    interfaces: tuple[Interface[State], ...] = field(repr=False)
    begin: Callable[[HostState, Binding], State] = field(repr=False)


AnyApi: TypeAlias = HostApi[Any, Any]


def interfaces_of(apis: Iterable[AnyApi]) -> dict[str, AnyInterface]:
    """The interfaces of these APIs, by name."""
    return {interface.name: interface for api in apis for interface in api.interfaces}


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a route grants to each API of the host, in the form in which the API uses it.

    The API is the key, and its type says what is bound to it.
    """

    _by_api: Mapping[AnyApi, Any] = field(default_factory=dict)

    def of(self, api: HostApi[Binding, Any]) -> Binding:
        """What is bound to this API. Raises KeyError where nothing is."""
        binding: Binding = self._by_api[api]
        return binding

    def with_binding(self, api: HostApi[Binding, Any], binding: Binding) -> Bindings:
        """These and one more, which takes the place of what the API has here."""
        return Bindings({**self._by_api, api: binding})


NO_BINDINGS = Bindings()


class Clock(Protocol):
    """When a run must end, in seconds: `deadline` on the monotonic clock, `cpu_end` on the thread's
    CPU time."""

    deadline: float
    cpu_end: float

    def look(self) -> None:
        """Raises Stop where the run must end: its time is up, or its client has gone."""


class _Over:
    deadline = cpu_end = 0.0

    def look(self) -> None:
        raise Stop(End.STOPPED, "the run has ended")


_OVER = _Over()


class HostState:
    """What one run holds on the host's side."""

    __slots__ = (
        "_bindings", "_clock", "_counts", "_numbers", "_resources", "_states", "address", "context", "scratch",
        "values_left",
    )  # fmt: skip

    def __init__(self, bindings: Bindings, clock: Clock) -> None:
        # where the guest reaches this process, if it is not itself in it: host and port
        self.address: str | None = None
        self._bindings = bindings
        self._clock = clock
        self.context = 0  # of the call that is served; an address
        self.values_left = 0  # that the guest may still pass in the lists of this call
        self.scratch = Scratch()
        self._states: dict[AnyApi, Any] = {}
        self._resources: dict[int, tuple[wit.Resource, Any]] = {}
        self._counts: dict[wit.Resource, int] = {}
        self._numbers = itertools.count(1)

    def remaining(self) -> float:
        """Seconds until the run's deadline. A guest cannot be stopped while it waits for the host,
        so that no call may wait longer."""
        return self._clock.deadline - time.monotonic()

    @property
    def ends(self) -> tuple[float, float]:
        """When the run must end, as `Clock` has it."""
        return self._clock.deadline, self._clock.cpu_end

    def look(self) -> None:
        """For calls that compute or wait, every few milliseconds. Raises Stop where the run must
        end."""
        self._clock.look()

    def is_over(self) -> bool:
        """The same, for those who can raise nothing."""
        try:
            self._clock.look()
        except Stop:
            return True
        return False

    def admit(self, count: int) -> None:
        """Before a list of so many values is read. Raises Stop where a call passes too many."""
        self.values_left -= count
        if self.values_left < 0:
            raise Stop(End.STOPPED, f"passed more than {MAX_VALUES} values in one call of the host")

    def of(self, api: HostApi[Any, State]) -> State:
        """The object of an API in this run, made where this is its first call."""
        state: State
        try:
            state = self._states[api]
        except KeyError:
            pass
        else:
            return state
        state = self._states[api] = api.begin(self, self._bindings.of(api))
        return state

    def count(self, resource: wit.Resource) -> int:
        """Handles of this type that the guest has."""
        return self._counts.get(resource, 0)

    def give(self, value: Any, resource: wit.Resource) -> int:
        """A new handle, as a `wasmtime_component_resource_any_t`."""
        number = next(self._numbers)
        host = v.host_new(True, number, number_of(resource))
        try:
            taken(v.host_to_any(self.context, host, self.scratch.at))
        finally:
            v.host_delete(host)
        self._remember(number, value, resource)
        return self.scratch.words[0]

    def keep(self, value: Any, resource: wit.Resource) -> int:
        """The number of a new handle, for a guest in another process."""
        number = next(self._numbers)
        self._remember(number, value, resource)
        return number

    def _remember(self, number: int, value: Any, resource: wit.Resource) -> None:
        self._resources[number] = resource, value
        self._counts[resource] = self._counts.get(resource, 0) + 1

    def resolve(self, pointer: int, resource: wit.Resource, owned: bool) -> Any:
        """The object behind a handle that the guest passes."""
        taken(v.any_to_host(self.context, pointer, self.scratch.at))
        host = self.scratch.words[0]
        number = v.host_rep(host)
        v.host_delete(host)
        return self.look_up(number, resource, owned)

    def look_up(self, number: int, resource: wit.Resource, owned: bool) -> Any:
        """The object behind a handle's number. Raises KeyError, Mismatch."""
        kind, value = self._resources[number]
        if kind is not resource:
            raise Mismatch(f"a {kind.name} where the interface has a {resource.name}")
        if owned:
            self._forget(number)
        return value

    def _forget(self, number: int) -> Any:
        kind, value = self._resources.pop(number)
        self._counts[kind] -= 1
        return value

    def drop(self, number: int) -> None:
        """The guest has dropped its handle."""
        _close(self._forget(number))

    def close(self) -> None:
        """Let go of everything, once the guest has ended."""
        resources, self._resources = self._resources, {}
        states, self._states = self._states, {}
        for _, value in resources.values():
            _close(value)
        for state in states.values():
            _close(state)
        # The run has this in it: without the way back it is freed at once.
        self._clock, self._bindings = _OVER, NO_BINDINGS


def _close(value: Any) -> None:
    close = getattr(value, "close", None)
    if close is not None:
        try:
            close()
        except Exception:
            # The others must be closed all the same, and the request has its answer.
            log.exception("closing %s", type(value).__name__)


_numbers: dict[wit.Resource, int] = {}


def number_of(resource: wit.Resource) -> int:
    """What tells this type from others in Wasmtime: one number a type, in every engine of the
    process."""
    return _numbers.setdefault(resource, len(_numbers) + 1)
