"""What guests may ask of the host's APIs at a time, and what an answer may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from wsgi_wasm.engine.hostcalls.host_api import HostState

MAX_HANDLES = 256  # that one guest may hold of a type, where several share a connection
MAX_CONNECTIONS = 16  # to servers, that one guest may have open of a kind
MAX_KEY = 4096  # bytes
MAX_RESULT = 3 << 20  # see `ResultSize`

_TEXT_SHARE = 16  # bytes of text that cost as much as one byte of a list
_VALUE_COST = 4
_STEP = 500  # values between two looks at the clock

T = TypeVar("T")


class TooLarge(Exception):
    """An answer is larger than `MAX_RESULT`."""

    def __init__(self) -> None:
        super().__init__(f"the answer is larger than {MAX_RESULT >> 20} MiB")


class ResultSize:
    """Counts what one answer costs while it is gathered, and raises TooLarge.

    Wasmtime's interface takes 80 bytes of the host's memory for each byte of a list while it is
    handed over, so that 3 MiB of them cost 240 MiB for a moment; that is what is bounded here. Text
    takes a small part of that, and each value by itself as much as a few bytes. What a guest can
    pass in one call is bounded by Wasmtime, at 2.6 MiB.
    """

    __slots__ = ("_host_state", "_until_look", "left")

    def __init__(self, host: HostState | None = None) -> None:
        """The clock of `host` is looked at while values are counted."""
        self.left = MAX_RESULT
        self._host_state = host
        self._until_look = _STEP

    def add(self, value: object) -> None:
        """Count a value: text, bytes, or anything small. Raises TooLarge, Stop."""
        self.left -= _VALUE_COST
        self._until_look -= 1
        if not self._until_look:
            self._until_look = _STEP
            if self._host_state is not None:
                self._host_state.look()
        if isinstance(value, bytes):
            self.left -= len(value)
        elif isinstance(value, str):
            self.left -= len(value) // _TEXT_SHARE
        if self.left < 0:
            raise TooLarge


def looking(items: Iterable[T], host: HostState | None) -> Iterator[T]:
    """The items, with a look at the clock now and then. Raises Stop."""
    for i, item in enumerate(items, 1):
        if i % _STEP == 0 and host is not None:
            host.look()
        yield item
