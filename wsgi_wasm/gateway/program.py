"""A program as a route runs it, and the protocol in which its route speaks to it.

What differs from one kind of guest to another, what it is given of a request and how its answer
begins, is a value: a `GuestProtocol`, of which `protocols` has one module for each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.config.model import Dir, Route, entry_point_of
from wsgi_wasm.engine.guest import Guest, Input, Preopen
from wsgi_wasm.engine.module import Module
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.gateway.answer import HeadReader
from wsgi_wasm.gateway.body import Body
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.messages import escaped, printable

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import Bindings

GuestCall = tuple[Sequence[bytes], Sequence[bytes], Input | None, HeadReader]
"""One request as a guest takes it: arguments, environment, standard input; and what reads the head
of its answer."""


class GuestProtocol(Protocol):
    """How a route speaks to guests of one kind. Made once for a program, and shared
    by its requests."""

    streams: bool
    """Whether a guest may begin before the request's body is whole, where its route allows that."""

    def call(self, request: Request, found: ProgramMatch, body: Body | None) -> GuestCall:
        """What the guest is given. Raises BadRequest, and other RequestErrors of
        the protocol's own."""


Wrap = Callable[[Environment], Environment]
"""Adds an interpreter's own variables to what a script is given."""

ProtocolFactory = Callable[[Mapping[str, str], Wrap | None], Mapping[str, GuestProtocol]]
"""Makes the protocols of a program whose variables these are, by the interface that
its guest shows."""


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What a route gives to one of its programs.

    `name` is for logs: the script, or the module's file. `protocols` are by the interface that
    a guest shows. `admission` counts its requests besides those of the whole route.
    """

    name: str
    arguments: Sequence[str]
    dirs: Sequence[Dir]
    protocols: Mapping[str, GuestProtocol]
    admission: Admission | None = None


class Program:
    """A module with what one route grants it: run for every request that names it."""

    def __init__(
        self, module: Module, route: Route, settings: ProgramSettings, bindings: Callable[[], Bindings]
    ) -> None:
        self.module = module
        self.name = printable(settings.name)
        self.label = f"{route.name} {self.name}"
        self.arguments = tuple(os.fsencode(text) for text in (module.path.name, *settings.arguments))
        self.seen_as = guest_path(module.path, route.dirs)
        """Where the guest sees its own file, None where it does not."""
        self._protocols = settings.protocols
        self._interface = route.interface
        self.limits = route.limits
        self.methods = route.methods
        self.admission = settings.admission
        self._entry_point = entry_point_of(route.target)
        self.route = route.name
        self._preopens = tuple(Preopen(os.fsencode(d.guest), d.folder, d.writable) for d in settings.dirs)
        self._bindings = bindings
        self._ready: tuple[Guest, GuestProtocol] | None = None

    def guest(self, wait: float) -> tuple[Guest, GuestProtocol]:
        """The guest and how to speak to it, made anew when the module's file has changed.

        Raises ModuleError, also where the route takes no guest of this kind; Unavailable where the
        module is not compiled after `wait` seconds.
        """
        linked = self.module.get(wait, self.route)
        ready = self._ready
        if ready is None or ready[0].linked is not linked:
            guest = linked.guest(self.limits, self._preopens, self._bindings, self._entry_point)
            ready = self._ready = guest, self._protocol(guest)
        return ready

    def _protocol(self, guest: Guest) -> GuestProtocol:
        protocol = self._protocols.get(guest.interface)
        if protocol is None:
            raise ModuleError(
                f"{escaped(self.module.path)}: `interface` is {self._interface}, but the interface of this "
                f"guest is {escaped(guest.interface)}"
            )
        return protocol


class ProgramMatch(NamedTuple):
    """The program that a request is for, and what its path means to it: `script_name` and
    `path_info` are WSGI strings, `script_filename` is where the guest sees the script. `parameters`
    are what the path gives for placeholders."""

    program: Program
    script_name: str
    path_info: str
    script_filename: str | None
    parameters: Mapping[str, str] = {}


class ProgramFinder(Protocol):
    """Finds what a request runs: `Programs`, or `wws.workers.Workers`."""

    def find(self, request: Request) -> ProgramMatch:
        """The route's program, or the one that the path names. Raises NotFound, ModuleError."""

    def dropped_in(self, request: Request, file: Path) -> ProgramMatch:
        """The program that is `file`, which the front server has chosen. Raises ModuleError."""

    def modules(self) -> list[Module]:
        """The modules that are known before a request comes."""


def guest_path(file: Path, dirs: Sequence[Dir]) -> str | None:
    """Where a guest with these directories sees a file of the host; None where it does not."""
    best: tuple[int, str] | None = None
    for d in dirs:
        if file.is_relative_to(d.host):
            depth = len(d.host.parts)
            if best is None or depth > best[0]:
                best = (depth, f"{d.guest.rstrip('/')}/{file.relative_to(d.host).as_posix()}")
    return best[1] if best is not None else None
