"""What each module of this package declares: a service that guests reach by the channel."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.channel.errors import Declined, Errno

Binding = TypeVar("Binding")
State = TypeVar("State")

BLOCK = 0x100
"""Operations of a service: its number times this, and those after it."""


def _nothing(_grants: Grants) -> Mapping[str, str]:
    return {}


def _no_warnings(_grants: Grants) -> Iterable[str]:
    return ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Service(Generic[Binding, State]):
    """`name` is the route key that grants it. `operations` are by their number within the service;
    each gets the service's object of this run and the request, and returns the answer or raises
    Declined.

    `bind` makes what the service uses of a route's grants, once for a route in the process that
    serves it; None where the route grants nothing, and then every operation is refused with
    `missing`. `offers` names what of it the route grants, where that is not the whole. `begin`
    makes the object of a run at the guest's first call; if it has a method `close`, that is called
    after the run. `describe` and `warn` are as for `GrantedApi`.
    """

    name: str
    number: int
    operations: Mapping[int, Callable[[State, bytes], bytes]] = field(repr=False)
    bind: Callable[[Grants], Binding | None] = field(repr=False)
    begin: Callable[[HostState, Binding], State] = field(repr=False)
    missing: Errno = Errno.NOSYS
    offers: Callable[[Grants], Iterable[str]] | None = field(repr=False, default=None)
    describe: Callable[[Grants], Mapping[str, str]] = field(repr=False, default=_nothing)
    warn: Callable[[Grants], Iterable[str]] = field(repr=False, default=_no_warnings)


AnyService: TypeAlias = Service[Any, Any]


class Words:
    """Reads the fields of a request: little-endian numbers, texts that end in NUL, and the rest."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str = "<I") -> int:
        """The next number, of a form of `struct`. Raises Declined where there is none."""
        try:
            (value,) = struct.unpack_from(form, self._data, self._at)
        except struct.error:
            raise Declined(Errno.INVAL) from None
        self._at += struct.calcsize(form)
        return int(value)

    def text(self) -> bytes:
        """Bytes up to a NUL, which is left out. Raises Declined where there is none."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise Declined(Errno.INVAL)
        begin, self._at = self._at, end + 1
        return self._data[begin:end]

    def texts(self) -> list[bytes]:
        """All that is left, as texts. Raises Declined."""
        rest = self.rest()
        if rest and not rest.endswith(b"\0"):
            raise Declined(Errno.INVAL)
        return rest.split(b"\0")[:-1]

    def rest(self) -> bytes:
        """Everything that is left."""
        begin, self._at = self._at, len(self._data)
        return self._data[begin:]


def number(value: int) -> bytes:
    """A number of 32 bits, as answers have it."""
    return struct.pack("<I", value)
