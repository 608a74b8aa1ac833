"""What a guest is to the rest of the package, be it a program (`program`)
or a component (`component`).

The two are run in different ways. What both promise, and what both are given, is written here once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

from wsgi_wasm.binary.module_facts import Facts
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.files.beneath import Folder

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import Bindings


class Input(Protocol):
    """Where the guest's standard input comes from; at its end `read` gives b""."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""


class Client(Protocol):
    """The other end of a guest's output and errors. What these raise ends the run and is raised
    again after it."""

    def output(self, data: bytes) -> None:
        """Take what the guest has written since the last call; may block while the
        client is slow."""

    def error_output(self, data: bytes) -> None:
        """Take bytes that the guest wrote to its standard error."""

    @property
    def errors_left(self) -> int:
        """How many more bytes of standard error are taken; what comes after them need not be
        handed over."""

    def gone(self) -> bool:
        """True once nobody waits for the answer any more."""

    @property
    def label(self) -> str:
        """For log lines: what runs, and for which request."""


class RunLimits(Protocol):
    """The limits that bind a run; see the configuration reference for each."""

    @property
    def timeout(self) -> float: ...
    @property
    def cpu(self) -> float: ...
    @property
    def memory(self) -> int: ...
    @property
    def max_output(self) -> int: ...
    @property
    def queue_timeout(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Preopen:
    """A directory that the guest may use: its path in the guest, where it is on the host, and
    whether it may write."""

    guest: bytes
    folder: Folder
    writable: bool


class Invocation(NamedTuple):
    """What one run is given. `arguments` begin with the program's name; the environment is
    `NAME=value`, each name once. `spent` is wall and CPU time (seconds) that earlier guests of the
    same request have used of the limits."""

    arguments: Sequence[bytes]
    environment: Sequence[bytes]
    stdin: Input | None
    client: Client
    spent: tuple[float, float] = (0.0, 0.0)


class Guest(Protocol):
    """A linked module with what one route grants it. Shared by the route's requests."""

    @property
    def interface(self) -> str:
        """`cgi` or `http`: what it speaks."""

    @property
    def linked(self) -> Linked:
        """The module that it was made of."""

    def run(self, invocation: Invocation) -> Outcome:
        """Run to the end on this thread, in a fresh store, once an instance of the pool is free.

        Errors of the host come back in `Outcome.failure`. Raises Unavailable where no instance is
        free after `queue_timeout`, or where a directory that the guest is granted cannot be opened.
        """


class Linked(Protocol):
    """A module compiled for one engine of this process. The C objects go when the last run has let
    go of it."""

    @property
    def facts(self) -> Facts:
        """What the module says of itself."""

    @property
    def refused(self) -> bool:
        """Whether its code could not be loaded, which in this process is found out before."""

    def guest(
        self,
        limits: RunLimits,
        preopens: Sequence[Preopen],
        bindings: Callable[[], Bindings],
        entry_point: str | None = None,
    ) -> Guest:
        """The module with what a route grants it; `bindings` is called for components, and for
        programs that import the channel.
        `entry_point` is the exported function that runs a program, None for what
        `program.check.calls` finds. Raises ModuleError."""


numbers = count(1)  # of guests: slots remember which one they were last made ready for
