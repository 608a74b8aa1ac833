"""Workers of Wasm Workers Server: which one a path names, and what its sidecar grants it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.cgi import abnf
from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.config.model import Dir, DirectoryTarget, ModuleTarget, Route
from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.modules import RouteModules
from wsgi_wasm.errors import ModuleError, NotFound
from wsgi_wasm.files.beneath import Folder, Outside, is_file_beneath, read_beneath
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.stamp import identity, stamp
from wsgi_wasm.gateway.program import GuestProtocol, Program, ProgramMatch, ProgramSettings
from wsgi_wasm.gateway.programs import Programs, of_script
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped, listed, quote, reason
from wsgi_wasm.wws.layout import Layout, is_worker
from wsgi_wasm.wws.sidecar import Sidecar, SidecarError, read_sidecar

log = package_log("gateway")

RECHECK = 1.0  # seconds between two looks at a project's folders
MOST_WORKERS = 10_000  # of one project


WorkerProtocols = Callable[[Mapping[str, str], str], Mapping[str, GuestProtocol]]
"""Makes the protocols of a worker with these variables, whose keys and values are those
of a namespace."""


class _Place(NamedTuple):
    """Where a worker is: its file, which module has its code, its path in the project (with a slash
    before; "" for one that is in none), and the folder (a path without links) beneath which is
    what its sidecar names."""

    root: Path
    file: Path
    module: HostFile
    script: str


@dataclass(frozen=True, slots=True)
class _Known:
    program: Program
    stamp: str  # of the sidecar


class Workers:
    """As `ProgramFinder`: the workers of one route, which are its module, or those
    of a project folder."""

    def __init__(self, route: Route, modules: RouteModules, programs: Programs, protocols: WorkerProtocols) -> None:
        self._route = route
        self._modules = modules
        self._programs = programs
        self._make_protocols = protocols
        self._known: dict[Path, _Known] = {}
        self._changing = threading.Lock()
        self._project = Project(route.target) if isinstance(route.target, DirectoryTarget) else None
        self._beside = _real_folder(route.target.path) if isinstance(route.target, ModuleTarget) else None

    def modules(self) -> list[Module]:
        """As `ProgramFinder.modules`."""
        return self._programs.modules()

    def find(self, request: Request) -> ProgramMatch:
        """As `ProgramFinder.find`. Raises ModuleError for a sidecar with mistakes."""
        if self._project is not None:
            return self._in_project(request, self._project)
        if isinstance(self._route.target, ModuleTarget) and self._beside is not None:
            file = self._route.target.path
            return self._alone(request, self._beside / file.name, HostFile(file))
        return self._programs.find(request)

    def _in_project(self, request: Request, project: Project) -> ProgramMatch:
        path = request.path_info.encode("latin-1").decode("utf-8", "replace")
        found = project.layout().find(path)
        if found is None:
            raise NotFound(f"no worker for {quote(path, 200)}")
        file = project.directory / found.file
        program = self._worker(_Place(project.directory, file, HostFile(file, project.directory), f"/{found.file}"))
        name = os.fsencode(path.rstrip("/")).decode("latin-1")
        return ProgramMatch(program, request.script_name + name, "", None, found.params)

    def dropped_in(self, request: Request, file: Path) -> ProgramMatch:
        """As `ProgramFinder.dropped_in`."""
        if file.suffix.lower() not in MODULE_SUFFIXES:
            raise NotFound(f"{escaped(file)}: neither {' nor '.join(MODULE_SUFFIXES)}")
        # Its owner may move the folder at any time: file and sidecar are those of one folder.
        real = _real_folder(file) / file.name
        return self._alone(request, real, HostFile(real, real.parent, by_owner=True))

    def _alone(self, request: Request, file: Path, module: HostFile) -> ProgramMatch:
        """A worker that is no part of a project."""
        program = self._worker(_Place(file.parent, file, module, ""))
        return ProgramMatch(program, request.script_name, request.path_info, None)

    def _worker(self, place: _Place) -> Program:
        beside = place.file.with_suffix(".toml")
        current = stamp(beside)
        known = self._known.get(place.file)
        if known is None or known.stamp != current:
            with self._changing:
                known = self._known[place.file] = self._make(place, beside, current)
                if len(self._known) > MOST_WORKERS:
                    del self._known[next(iter(self._known))]
        return known.program

    def _make(self, place: _Place, beside: Path, current: str) -> _Known:
        root, file, module, script = place
        sidecar = sidecar_of(beside, root, self._route.env) if current else Sidecar()
        if sidecar.ignored:
            log.warning("%s: not supported: %s", escaped(beside), listed(sidecar.ignored))
        route, project = self._route, self._project
        taken = {d.guest for d in route.dirs}
        dirs = (*route.dirs, *(d for d in folders_of(sidecar, beside, root) if d.guest not in taken))
        arguments, env = list(route.args), {**sidecar.variables, **route.env}
        if project is not None and (interpreter := project.interpreters.get(file.suffix.lower())) is not None:
            arguments, dirs = of_script(interpreter, project.directory, script, dirs)
            env, module = {**env, **interpreter.env}, HostFile(interpreter.module)
        protocols = self._make_protocols(env, sidecar.namespace or "default")
        settings = ProgramSettings(script or file.name, arguments, dirs, protocols)
        return _Known(Program(self._modules.module(module), route, settings, self._programs.bindings), current)


def _real_folder(file: Path) -> Path:
    return Path(os.path.realpath(file.parent))


def sidecar_of(path: Path, root: Path, env: Mapping[str, str]) -> Sidecar:
    """What a file beneath `root` (a path without links) says, values like `$NAME` taken from the
    route's `env`: who may write workers has no claim to the server's own environment. Raises
    ModuleError, which takes down the one worker: the original would serve it without.
    """
    try:
        sidecar = read_sidecar(read_beneath(root, str(path.relative_to(root))), env)
    except Outside:
        raise ModuleError(f"{escaped(path)} is a link that leaves {escaped(root)}: put a file there") from None
    except (OSError, SidecarError) as error:
        raise ModuleError(f"{escaped(path)}: {reason(error)}") from None
    for name in sidecar.variables:
        if is_reserved(name) or not abnf.VARIABLE_NAME.fullmatch(name):
            raise ModuleError(
                f"{escaped(path)}: vars.{escaped(name)}: the request sets this variable, or the name is not valid"
            )
    return sidecar


def folders_of(sidecar: Sidecar, beside: Path, root: Path) -> Iterator[Dir]:
    """Directories of a sidecar, read-only: what a guest may write to, and what lies outside of
    `root`, only the site's file can give. Raises ModuleError."""
    for source, target in sidecar.folders:
        wrong = f"{escaped(beside)}: folders: {quote(source)}"
        folder = Folder(root, os.path.join(beside.parent.relative_to(root), source))
        try:
            os.close(folder.open())
        except Outside:
            raise ModuleError(f"{wrong} is outside {escaped(root)}: list it in the route's dirs") from None
        except OSError:
            raise ModuleError(f"{wrong} is not a directory") from None
        yield Dir(guest=os.path.normpath(target), host=folder.path, folder=folder, writable=False)


class Project:
    """A folder of workers, looked at anew when one of its folders has changed."""

    def __init__(self, target: DirectoryTarget) -> None:
        self.directory = target.folder.root
        self.interpreters = target.interpreters
        self._suffixes = (*MODULE_SUFFIXES, *target.interpreters)
        self._layout = Layout(())
        self._folders: dict[str, str] = {}
        self._look_at = 0.0  # monotonic clock, seconds
        self._scanning = threading.Lock()

    def layout(self) -> Layout:
        """The workers that there are."""
        if time.monotonic() >= self._look_at:
            with self._scanning:
                if time.monotonic() >= self._look_at:
                    if not self._folders or any(stamp(Path(path)) != was for path, was in self._folders.items()):
                        self._scan()
                    self._look_at = time.monotonic() + RECHECK
        return self._layout

    def _scan(self) -> None:
        files: list[str] = []
        folders: dict[str, str] = {}
        # By descriptors: a folder that is swapped for a link meanwhile is not entered.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for folder, below, names, descriptor in os.fwalk(self.directory):
                folders[folder] = identity(os.fstat(descriptor))
                below[:] = sorted(name for name in below if is_worker(name))
                relative = Path(folder).relative_to(self.directory)
                for name in sorted(name for name in names if Path(name).suffix.lower() in self._suffixes):
                    file = (relative / name).as_posix()
                    # No link that leaves the project.
                    if len(files) < MOST_WORKERS and is_file_beneath(self.directory, file):
                        files.append(file)
        self._layout, self._folders = Layout(files), folders
