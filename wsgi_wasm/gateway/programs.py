"""What a request runs: a module with what its route grants it, found by the request's path."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Union

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.config.model import Dir, DirectoryTarget, Interpreter, ModuleTarget, Route, interpreters_of
from wsgi_wasm.engine.hostcalls.offers import offer
from wsgi_wasm.engine.modules import Module, ModuleStore
from wsgi_wasm.engine.program.guest import Guest, Preopen
from wsgi_wasm.errors import NotFound
from wsgi_wasm.files.locations import is_python_interpreter
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.gateway.scripts import find_script
from wsgi_wasm.interpreters.python_environment import PythonVariables

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


def _nothing(request: Request) -> Invocation:
    raise NotFound("the route only lends its settings to files that the front server chooses")


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
        self._find = self._finder()

    def files(self) -> list[Path]:
        """The module files that are known before a request comes."""
        target = self._route.target
        if isinstance(target, ModuleTarget):
            return [target.path]
        return [interpreter.module for interpreter in interpreters_of(target).values()]

    def find(self, request: Request) -> Invocation:
        """The route's program, or the one that the path names. Raises NotFound."""
        return self._find(request)

    def _finder(self) -> Callable[[Request], Invocation]:
        match self._route.target:
            case ModuleTarget(path=path):
                program = self._direct(path)
                return lambda request: Invocation(program, request.script_name, request.path_info, program.seen_as)
            case DirectoryTarget() as target:
                scripts = replace(target, path=Path(os.path.realpath(target.path)))
                suffixes = frozenset((*MODULE_SUFFIXES, *target.interpreters))
                return lambda request: self._script(request, scripts, suffixes)
            case _:
                return _nothing

    def _script(self, request: Request, scripts: DirectoryTarget, suffixes: frozenset[str]) -> Invocation:
        script = find_script(scripts.path, request.path_info, scripts.index, suffixes)
        interpreter = scripts.interpreters.get(script.file.suffix)
        if interpreter is None:
            program = self._remembered(script.file, "", lambda: self._direct(script.file))
        else:
            program = self._remembered(
                script.file, script.name, lambda: self._interpreted(interpreter, scripts.path, script.name)
            )
        return Invocation(program, request.script_name + script.wsgi_name, script.path_info, script.name)

    def dropped_in(self, request: Request, file: Path) -> Invocation:
        """The program that is `file`, which the front server has chosen."""
        program = self._remembered(file, "", lambda: self._direct(file))
        return Invocation(program, request.script_name, request.path_info, program.seen_as)

    def _direct(self, file: Path) -> Program:
        route, module = self._route, self._modules.module(file)
        return Program(module, route, route.args, route.dirs, self._variables, self.grants)

    def _interpreted(self, interpreter: Interpreter, directory: Path, script: str) -> Program:
        arguments = [argument.replace("{script}", script) for argument in interpreter.args]
        # The scripts are what an interpreter reads, so it sees them as the root of its file system.
        dirs = (Dir(guest="/", host=directory, writable=False), *self._route.dirs, *interpreter.dirs)
        variables = self._environment({**self._route.env, **interpreter.env})
        if is_python_interpreter(interpreter.module):
            variables = PythonVariables(variables, Path(f"{directory}{script}").parent)
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
