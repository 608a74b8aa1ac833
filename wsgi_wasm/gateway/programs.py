"""What a request runs: a module with what its route grants it, found by the request's path."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Union

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.config.model import Dir, Interpreter, Route
from wsgi_wasm.engine.hostcalls.offers import offer
from wsgi_wasm.engine.modules import Module, ModuleStore
from wsgi_wasm.engine.program.guest import Guest, Preopen
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.gateway.scripts import find_script
from wsgi_wasm.interpreters import script_environment

if TYPE_CHECKING:
    from wsgi_wasm.engine.component.guest import ComponentGuest
    from wsgi_wasm.engine.hostcalls.interface import Interface

AnyGuest = Union[Guest, "ComponentGuest"]

MODULE_SUFFIXES = (".wasm", ".wat")
_KEPT_PROGRAMS = 1024  # programs of a directory route whose linking is remembered


def _interfaces() -> Iterable[Interface]:
    from wsgi_wasm.hostapi import INTERFACES

    return INTERFACES.values()


offer(_interfaces)


class Program:
    """A module with what one route grants it: run for every request that names it."""

    def __init__(
        self,
        module: Module,
        route: Route,
        arguments: Sequence[str],
        dirs: Sequence[Dir],
        variables: Environment,
        grants: Callable[[], Mapping[str, object]],
    ) -> None:
        self.module = module
        self.variables = variables
        self.arguments = tuple(os.fsencode(text) for text in (module.path.name, *arguments))
        self._limits = route.limits
        self._preopens = tuple(Preopen(os.fsencode(d.guest), os.fsencode(d.host), d.writable) for d in dirs)
        self._grants = grants
        self._guest: AnyGuest | None = None
        self.seen_as = guest_path(module.path, route.dirs)
        """Where the guest sees its own file, None where it does not."""

    def guest(self, wait: float) -> AnyGuest:
        """The guest, linked anew when its module has changed. Raises ModuleError, Unavailable."""
        linked = self.module.get(wait)
        guest = self._guest
        if guest is None or guest.linked is not linked:
            guest = self._guest = linked.guest(self._limits, self._preopens, self._grants)
        return guest


class Invocation(NamedTuple):
    """What a request asks to run: the program, and what its path means to it."""

    program: Program
    script_name: str
    path_info: str
    script_filename: str | None


def _as_it_is(granted: Mapping[str, object]) -> None:
    """Nothing is added."""


class Programs:
    """The programs of one route. `environment` makes what their environment is built with, from an `env`.

    `when_ready` is called with what is granted to host APIs, once, for what only a handler can add.
    """

    def __init__(
        self, route: Route, modules: ModuleStore, environment: Callable[[Mapping[str, str]], Environment]
    ) -> None:
        self._route = route
        self._modules = modules
        self._environment = environment
        self._variables = environment(route.env)
        self._ready: Mapping[str, object] | None = None
        self.when_ready: Callable[[Mapping[str, object]], None] = _as_it_is
        self._known: OrderedDict[tuple[Path, str], Program] = OrderedDict()
        self._changing = threading.Lock()
        self._directory = Path(os.path.realpath(route.directory)) if route.directory is not None else None
        self._suffixes = frozenset((*MODULE_SUFFIXES, *route.interpreters))
        self._program = self._direct(route.module) if route.module is not None else None

    def files(self) -> list[Path]:
        """The module files that are known before a request comes."""
        known = [interpreter.module for interpreter in self._route.interpreters.values()]
        return known if self._route.module is None else [self._route.module, *known]

    def find(self, request: Request) -> Invocation:
        """The route's program, or the one that the path names. Raises NotFound."""
        if self._program is not None:
            return Invocation(self._program, request.script_name, request.path_info, self._program.seen_as)
        assert self._directory is not None
        script = find_script(self._directory, request.path_info, self._route.index, self._suffixes)
        interpreter = self._route.interpreters.get(script.file.suffix)
        if interpreter is None:
            program = self._remembered(script.file, "", lambda: self._direct(script.file))
        else:
            program = self._remembered(script.file, script.name, lambda: self._interpreted(interpreter, script.name))
        return Invocation(program, request.script_name + script.wsgi_name, script.path_info, script.name)

    def dropped_in(self, request: Request, file: Path) -> Invocation:
        """The program that is `file`, which the front server has chosen."""
        program = self._remembered(file, "", lambda: self._direct(file))
        return Invocation(program, request.script_name, request.path_info, program.seen_as)

    def _direct(self, file: Path) -> Program:
        route, module = self._route, self._modules.module(file)
        return Program(module, route, route.args, route.dirs, self._variables, self.grants)

    def _interpreted(self, interpreter: Interpreter, script: str) -> Program:
        arguments = [argument.replace("{script}", script) for argument in interpreter.args]
        assert self._directory is not None
        # The scripts are what an interpreter reads, so it sees them as the root of its file system.
        dirs = (Dir(guest="/", host=self._directory, writable=False), *self._route.dirs, *interpreter.dirs)
        variables = self._environment({**self._route.env, **interpreter.env})
        folder = Path(f"{self._directory}{script}").parent
        variables = script_environment(interpreter.name, variables, folder)
        module = self._modules.module(interpreter.module)
        return Program(module, self._route, arguments, dirs, variables, self.grants)

    def grants(self) -> Mapping[str, object]:
        """What the route grants to host APIs; asked for by components alone."""
        if self._ready is None:
            from wsgi_wasm.hostapi import ready

            granted = ready(self._route.grants)
            self.when_ready(granted)
            self._ready = granted
        return self._ready

    def _remembered(self, file: Path, script: str, make: Callable[[], Program]) -> Program:
        key = (file, script)
        program = self._known.get(key)
        if program is None:
            with self._changing:
                program = self._known.get(key)
                if program is None:
                    program = self._known[key] = make()
                    if len(self._known) > _KEPT_PROGRAMS:
                        self._known.popitem(last=False)
        return program


def guest_path(file: Path, dirs: Sequence[Dir]) -> str | None:
    """Where a guest with these directories sees a file of the host; None where it does not."""
    best: tuple[int, str] | None = None
    for d in dirs:
        if file.is_relative_to(d.host):
            depth = len(d.host.parts)
            if best is None or depth > best[0]:
                best = (depth, f"{d.guest.rstrip('/')}/{file.relative_to(d.host).as_posix()}")
    return best[1] if best is not None else None
