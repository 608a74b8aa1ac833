"""Finds the program that a request runs: the route's module, or the script that the path names."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from wsgi_wasm.cgi.location import location_of
from wsgi_wasm.config.granted import Grants
from wsgi_wasm.config.model import Dir, DirectoryTarget, Interpreter, ModuleTarget, Route, interpreters_of
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.modules import RouteModules
from wsgi_wasm.errors import MovedPermanently, NotFound
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.gateway.kinds import ProgramKinds
from wsgi_wasm.gateway.local_files import Local, LocalFiles
from wsgi_wasm.gateway.program import GuestProtocol, Program, ProgramMatch, ProgramSettings, ProtocolFactory
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.gateway.scripts import find_script
from wsgi_wasm.interpreters import ScriptPlace, script_environment
from wsgi_wasm.messages import escaped, reason

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import Bindings
    from wsgi_wasm.hostapi.outbound import Within

_KEPT_PROGRAMS = 1024  # programs of a directory route whose linking is remembered


def of_script(
    interpreter: Interpreter, directory: Path, script: str, dirs: Iterable[Dir]
) -> tuple[list[str], tuple[Dir, ...]]:
    """Arguments and directories for a script below `directory` (a path without links), whose name
    there begins with a slash."""
    arguments = [argument.replace("{script}", script) for argument in interpreter.args]
    # The scripts are what an interpreter reads, so it sees them as the root of its file system.
    return arguments, (
        Dir(guest="/", host=directory, folder=Folder(directory), writable=False),
        *dirs,
        *interpreter.dirs,
    )


def _at_the_slash(request: Request) -> MovedPermanently:
    """A directory's own path ends in a slash: without it, a browser would look for what the index
    names, relatively, one level above."""
    location = location_of(f"{request.script_name}{request.path_info}/", request.environ.get("QUERY_STRING", ""))
    return MovedPermanently("the path names a directory and has no slash at its end", location)


def kinds_of(route: Route) -> ProgramKinds:
    """What is a program in the directory of a route."""
    scripts_of_others = route.user is not None
    return ProgramKinds(route.programs, interpreters_of(route.target), route.executable, scripts_of_others)


class RouteBindings:
    """What a route grants to each API of the host; asked for by components alone.

    `within` says which destinations of their HTTP requests are served within this process.
    """

    def __init__(self, grants: Grants, within: Within | None) -> None:
        self._grants = grants
        self._within = within
        self._bindings: Bindings | None = None
        self._changing = threading.Lock()

    def __call__(self) -> Bindings:
        """The same at each call."""
        with self._changing:
            if self._bindings is None:
                from wsgi_wasm.hostapi import bind

                self._bindings = bind(self._grants, self._within)
            return self._bindings


class _RunsWith(NamedTuple):
    """What programs run with: the route, as a file beside them may have narrowed it, the arguments
    that this file adds, and what counts their requests."""

    route: Route
    make_protocols: ProtocolFactory
    direct: Mapping[str, GuestProtocol]  # of what needs no interpreter
    args: tuple[str, ...] = ()
    admission: Admission | None = None

    @classmethod
    def of(cls, route: Route, protocols: ProtocolFactory) -> Self:
        """Those of a route by itself."""
        return cls(route, protocols, protocols(route.env, None))


class Programs:
    """As `ProgramFinder`: the programs of one route. `within` is as for `RouteBindings`.

    Nothing that it refers to refers to it, so that a configuration that is replaced goes with its
    last request, and with it the connections that its routes keep open.
    """

    def __init__(
        self,
        route: Route,
        modules: RouteModules,
        protocols: Callable[[Route], ProtocolFactory],
        within: Within | None = None,
    ) -> None:
        self._route = route
        self._modules = modules
        self._make_protocols = protocols
        self._own = _RunsWith.of(route, protocols(route))
        self._local_files = LocalFiles(route)
        self.bindings = RouteBindings(route.grants, within)
        self._known: OrderedDict[tuple[Path, str, int], Program] = OrderedDict()
        self._changing = threading.Lock()
        # No script: those that lie elsewhere have no directory that an interpreter could be given.
        self._dropped_in = ProgramKinds(
            [way for way in route.programs if way != "shebang"] or ["suffix"], (), route.executable
        )
        self._only: Program | None = None
        self._scripts: tuple[DirectoryTarget, ProgramKinds] | None = None
        match route.target:
            case ModuleTarget(path=path):
                self._only = self._direct(HostFile(path), path.name, self._own)
            case DirectoryTarget() as target:
                self._scripts = replace(target, path=target.folder.root), kinds_of(route)

    def modules(self) -> list[Module]:
        """As `ProgramFinder.modules`."""
        target = self._route.target
        if isinstance(target, ModuleTarget):
            return [self._modules.module(target.path)]
        return [self._modules.module(interpreter.module) for interpreter in interpreters_of(target).values()]

    def dropped_in(self, request: Request, file: Path) -> ProgramMatch:
        """As `ProgramFinder.dropped_in`."""
        try:
            info = os.stat(file)
        except OSError as error:
            raise NotFound(f"{escaped(file)}: {reason(error)}") from None
        chosen = self._dropped_in.of(str(file), None, info).file
        local = self._local_files.beside(chosen, info.st_uid)
        program = self._remembered(file, "", local, lambda settings: self._direct(chosen, file.name, settings))
        return ProgramMatch(program, request.script_name, request.path_info, program.seen_as)

    def find(self, request: Request) -> ProgramMatch:
        """As `ProgramFinder.find`."""
        program = self._only
        if program is not None:
            if self._route.native and not program.module.path.exists():
                raise NotFound(f"there is no {escaped(program.module.path)}")
            return ProgramMatch(program, request.script_name, request.path_info, program.seen_as)
        if self._scripts is not None:
            return self._script(request, *self._scripts)
        raise NotFound("the route only lends its settings to files that the front server chooses")

    def _script(self, request: Request, scripts: DirectoryTarget, kinds: ProgramKinds) -> ProgramMatch:
        script = find_script(scripts.path, request.path_info, scripts.index, kinds)
        if script.without_slash and not self._route.exact and request.script_name + request.path_info:
            raise _at_the_slash(request)
        file, kind = script.program
        interpreter = scripts.interpreters.get(kind.interpreter)
        local = self._local_files.beside(file, script.owner)

        def make(settings: _RunsWith) -> Program:
            if interpreter is None:
                return self._direct(file, script.name, settings)
            return self._interpreted(interpreter, scripts.path, script.name, settings)

        program = self._remembered(file.path, kind.interpreter, local, make)
        return ProgramMatch(program, request.script_name + script.wsgi_name, script.path_info, script.name)

    def _direct(self, file: HostFile, name: str, own: _RunsWith) -> Program:
        route = own.route
        settings = ProgramSettings(name, route.args, route.dirs, own.direct, own.admission)
        return Program(self._modules.module(file), route, settings, self.bindings)

    def _interpreted(self, interpreter: Interpreter, directory: Path, script: str, own: _RunsWith) -> Program:
        route = own.route
        arguments, dirs = of_script(interpreter, directory, script, route.dirs)
        additions = interpreter.additions
        place = ScriptPlace(
            folder=Path(f"{directory}{script}").parent,
            library=additions.library,
            packages=interpreter.installed,
            preloaded=additions.has_snapshot,
        )
        protocols = own.make_protocols(
            {**route.env, **interpreter.env},
            lambda variables: script_environment(interpreter.name, variables, place),
        )
        settings = ProgramSettings(script, [*arguments, *own.args], dirs, protocols, own.admission)
        return Program(self._modules.module(interpreter.module), route, settings, self.bindings)

    def _settings(self, local: Local | None) -> _RunsWith:
        if local is None:
            return self._own
        settings = local.settings
        own = _RunsWith.of(settings.route, self._make_protocols(settings.route))
        return own._replace(args=settings.args, admission=local.admission)

    def _remembered(
        self, file: Path, interpreter: str, local: Local | None, make: Callable[[_RunsWith], Program]
    ) -> Program:
        key = (file, interpreter, 0 if local is None else local.identity)
        program = self._known.get(key)
        if program is None:
            with self._changing:
                program = self._known.get(key)
                if program is None:
                    program = self._known[key] = make(self._settings(local))
                    if len(self._known) > _KEPT_PROGRAMS:
                        self._known.popitem(last=False)
        return program
