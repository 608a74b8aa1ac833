"""Interfaces of the host that components may import besides WASI, declared with their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, TypeAlias, TypeVar

from wsgi_wasm.engine.hostcalls import wit

State = TypeVar("State")


class HostError(Exception):
    """Raised by a function of the host for the error case of its result: a variant's case and
    value, or an enum's name; for an error type that is neither, `value` alone counts."""

    def __init__(self, case: str, value: Any = None) -> None:
        super().__init__(case if value is None else f"{case}: {value}")
        self.case = case
        self.value = value


@dataclass(frozen=True)
class Function(Generic[State]):
    """`call` gets the API's object of this run and the parameters' values; it returns the result,
    of a `result<ok, err>` the ok value, or raises HostError. Whatever else it raises ends the guest
    and is the run's failure."""

    parameters: tuple[wit.Type, ...]
    result: wit.Type | None
    call: Callable[Concatenate[State, ...], Any]


@dataclass(frozen=True, eq=False)
class Interface(Generic[State]):
    """An interface by its full name: `fermyon:spin/key-value@2.0.0`.

    Functions have the names of the binary format: `[static]store.open`. `resources` are those that
    the interface itself defines.
    """

    name: str
    functions: Mapping[str, Function[State]]
    resources: tuple[wit.Resource, ...] = ()


AnyInterface: TypeAlias = Interface[Any]
