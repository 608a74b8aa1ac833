"""What a request runs: a module with what its route grants it, found by the request's path."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wsgi_wasm.config.model import Dir, Interpreter, Route
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.files.locations import is_python_interpreter
from wsgi_wasm.gateway.program import Program, ProgramMatch, ProgramSettings, ProtocolFactory, Wrap
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.gateway.scripts import find_script
from wsgi_wasm.interpreters.python_environment import PythonVariables

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import Bindings
    from wsgi_wasm.hostapi.outbound import Within

MODULE_SUFFIXES = (".wasm", ".wat")
_KEPT_PROGRAMS = 1024  # programs of a directory route whose linking is remembered


class Programs:
    """The programs of one route.

    `within` says which destinations of their HTTP requests are served within this process.
    """

    def __init__(
        self, route: Route, modules: ModuleStore, protocols: ProtocolFactory, within: Within | None = None
    ) -> None:
        self._route = route
        self._modules = modules
        self._make_protocols = protocols
        self._protocols = protocols(route.env, None)
        self._within = within
        self._bindings: Bindings | None = None
        self._known: OrderedDict[tuple[Path, str], Program] = OrderedDict()
        self._changing = threading.Lock()
        self._directory = Path(os.path.realpath(route.directory)) if route.directory is not None else None
        self._suffixes = frozenset((*MODULE_SUFFIXES, *route.interpreters))
        self._program = self._direct(route.module) if route.module is not None else None

    def files(self) -> list[Path]:
        """As `ProgramFinder.files`."""
        known = [interpreter.module for interpreter in self._route.interpreters.values()]
        return known if self._route.module is None else [self._route.module, *known]

    def find(self, request: Request) -> ProgramMatch:
        """As `ProgramFinder.find`."""
        if self._program is not None:
            return ProgramMatch(self._program, request.script_name, request.path_info, self._program.seen_as)
        assert self._directory is not None
        script = find_script(self._directory, request.path_info, self._route.index, self._suffixes)
        interpreter = self._route.interpreters.get(script.file.suffix)
        if interpreter is None:
            program = self._remembered(script.file, "", lambda: self._direct(script.file, script.name))
        else:
            program = self._remembered(script.file, script.name, lambda: self._interpreted(interpreter, script.name))
        return ProgramMatch(program, request.script_name + script.wsgi_name, script.path_info, script.name)

    def dropped_in(self, request: Request, file: Path) -> ProgramMatch:
        """As `ProgramFinder.dropped_in`."""
        program = self._remembered(file, "", lambda: self._direct(file))
        return ProgramMatch(program, request.script_name, request.path_info, program.seen_as)

    def _direct(self, file: Path, name: str = "") -> Program:
        route = self._route
        settings = ProgramSettings(name or file.name, route.args, route.dirs, self._protocols)
        return Program(self._modules.module(file), route, settings, self.bindings)

    def _interpreted(self, interpreter: Interpreter, script: str) -> Program:
        arguments = [argument.replace("{script}", script) for argument in interpreter.args]
        assert self._directory is not None
        # The scripts are what an interpreter reads, so it sees them as the root of its file system.
        dirs = (Dir(guest="/", host=self._directory, writable=False), *self._route.dirs, *interpreter.dirs)
        wrap: Wrap | None = None
        if is_python_interpreter(interpreter.module):
            folder = Path(f"{self._directory}{script}").parent
            wrap = lambda variables: PythonVariables(variables, folder)  # noqa: E731
        protocols = self._make_protocols({**self._route.env, **interpreter.env}, wrap)
        settings = ProgramSettings(script, arguments, dirs, protocols)
        return Program(self._modules.module(interpreter.module), self._route, settings, self.bindings)

    def bindings(self) -> Bindings:
        """What the route grants to each API of the host; asked for by components alone."""
        with self._changing:
            if self._bindings is None:
                from wsgi_wasm.hostapi import bind

                self._bindings = bind(self._route.grants, self._within)
            return self._bindings

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
