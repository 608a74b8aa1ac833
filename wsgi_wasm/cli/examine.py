"""Finds what is wrong with a route: its modules, what they import and need, its directories."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import wsgi_wasm.gateway.programs  # noqa: F401  offers the host's APIs to components
from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.binary.module_facts import ModuleFacts
from wsgi_wasm.cli.directory import scripts_below
from wsgi_wasm.cli.progress import Progress
from wsgi_wasm.cli.source import MODULE_SUFFIXES
from wsgi_wasm.cli.terminal import size_text
from wsgi_wasm.config import Config, Dir, Route
from wsgi_wasm.engine.code.advice import plain_words
from wsgi_wasm.engine.component.guest import memory_each
from wsgi_wasm.engine.component.linked import not_offered
from wsgi_wasm.engine.modules import PREVIEW1, AnyLinked, ModuleStore, check_facts
from wsgi_wasm.errors import CacheError, ModuleError
from wsgi_wasm.hostapi.granted import warnings
from wsgi_wasm.interpreters import missing
from wsgi_wasm.wws.workers import Project, folders_of, sidecar_of

MOST_SCRIPTS = 50  # scripts of a directory route that are examined and listed

# The functions of WASI preview 1 that the linker has. Wasmtime names only the first import that it lacks.
PREVIEW1_FUNCTIONS = frozenset(
    """
    args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get fd_advise fd_allocate fd_close
    fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
    fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek
    fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open
    path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise
    random_get sched_yield sock_accept sock_recv sock_send sock_shutdown
    """.split()  # noqa: SIM905
)


@dataclass(slots=True)
class Examined:
    """A route and what was found. `imports` are those of all its modules, `memory` (bytes) the most that one of them
    begins with; `scripts` are paths below the directory, `more_scripts` says that there are others. `interface` is
    what the route's component speaks, "" for a core module; `plugs` are the components in it, by import."""

    route: Route
    imports: set[str] = field(default_factory=set)
    memory: int = 0
    scripts: list[str] = field(default_factory=list)
    more_scripts: bool = False
    not_compiled: bool = False
    interface: str = ""
    plugs: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What serves the route's requests."""
        if self.route.spin is not None:
            return "Spin application"
        if self.route.module is not None:
            return f"component, {self.interface}" if self.interface else "core module"
        if self.route.directory is None:
            return "dropped-in files"
        return " ".join(["directory", *self.route.interpreters])


class Modules:
    """Modules of a site, each loaded once. Raises EngineError where guests cannot run in this process."""

    def __init__(self, config: Config, directory: Path, count: int, compiling: bool) -> None:
        self.cache_directory = directory
        self._store = ModuleStore(directory, frozenset(config.engine.features), config.engine.instances, config.compose)
        self._progress = Progress(count)
        self._compiling = compiling
        self._known: dict[Path, AnyLinked | str | None] = {}

    def load(self, path: Path) -> AnyLinked | str | None:
        """The module, or what is wrong with it, or None where it is not compiled and is not to be."""
        if path not in self._known:
            self._known[path] = self._load(path)
        return self._known[path]

    def plugs(self, path: Path) -> dict[str, str]:
        """What is plugged into a component, by import."""
        return {name: str(source.path) for name, source in self._store.source(path).plugs}

    def _load(self, path: Path) -> AnyLinked | str | None:
        try:
            if not self._compiling:
                return self._store.from_cache(self._store.source(path))
            with self._progress.compiling(str(path)):
                return self._store.module(path).load_now(self._progress.waiting)
        except OSError as error:
            return missing(path, error.strerror or str(error))
        except (ModuleError, CacheError) as error:
            return self._wrong_imports(path) or plain_words(str(error).removeprefix(f"{path}: "))

    def _wrong_imports(self, path: Path) -> str:
        """Everything that a module should not import, if it could be compiled."""
        cache = self._store.cache
        facts = None
        if cache is not None:
            with contextlib.suppress(OSError, CacheError):
                facts = cache.find(cache.artefact(cache.digest(self._store.source(path)), self._store.features))
        if not isinstance(facts, ModuleFacts):
            return ""
        wrong = []
        try:
            check_facts(facts)
        except ModuleError as error:
            wrong.append(str(error))
        unknown = {str(one) for one in facts.imports if one.module == PREVIEW1 and one.name not in PREVIEW1_FUNCTIONS}
        if unknown:
            wrong.append(f"imports what is not offered: {', '.join(sorted(unknown))}")
        return "; ".join(wrong)


def examine(route: Route, modules: Modules) -> Examined:
    """One route, with everything that it can run."""
    found = Examined(route)
    if route.module is not None:
        _examine_module(found, route.module, route.module.name, modules)
        if route.interface == "wws":
            _examine_sidecar(found, route.module.with_suffix(".toml"), route.module.parent)
    for suffix, interpreter in route.interpreters.items():
        _examine_module(found, interpreter.module, f"interpreter of {suffix}: {interpreter.module.name}", modules)
        _examine_dirs(found, interpreter.dirs)
    if route.directory is not None:
        _examine_directory(found, route.directory, modules)
    _examine_dirs(found, route.dirs)
    found.warnings += warnings(route.grants)
    return found


def _examine_module(found: Examined, path: Path, name: str, modules: Modules) -> None:
    linked = modules.load(path)
    if linked is None:
        found.not_compiled = True
    elif isinstance(linked, str):
        found.errors.append(f"{name}: {linked}")
    elif isinstance(linked.facts, ComponentFacts):
        found.plugs |= modules.plugs(path)
        _examine_component(found, linked.facts, name)
    else:
        _examine_facts(found, linked.facts, name)


def _examine_facts(found: Examined, facts: ModuleFacts, name: str) -> None:
    found.imports |= {item.name if item.module == PREVIEW1 else str(item) for item in facts.imports}
    found.memory = max(found.memory, facts.memory_minimum)
    if found.route.interface == "http":
        found.errors.append(f"{name}: `interface` is http, and this is a core module, a program")
    allowed = found.route.limits.memory
    if facts.memory_minimum > allowed:
        enough = -(-facts.memory_minimum // (1 << 20))
        found.errors.append(
            f"{name}: begins with {size_text(facts.memory_minimum)} of memory and the route allows "
            f"{size_text(allowed)}: set `memory: {enough}MiB` or more"
        )


def _examine_component(found: Examined, facts: ComponentFacts, name: str) -> None:
    found.interface = facts.interface
    found.imports |= {one.name for one in facts.imports}
    found.memory = max(found.memory, facts.memory_minimum)
    wanted = found.route.interface
    spoken = "cgi" if wanted in ("wws", "raw") else wanted  # to the engine they are programs like any other
    if spoken not in ("auto", facts.interface):
        found.errors.append(f"{name}: `interface` is {wanted}, and this component's is {facts.interface}")
    missing = not_offered(facts)
    if missing:
        listed = ", ".join(one.name for one in missing)
        found.warnings.append(f"{name}: imports what is not offered, and is refused where it calls it: {listed}")
    try:
        memory_each(facts, found.route.limits.memory)
    except ModuleError as error:
        found.errors.append(f"{name}: {error}")


def _scripts(found: Examined, root: Path) -> Iterable[Path]:
    suffixes = (*MODULE_SUFFIXES, *found.route.interpreters)
    if found.route.interface != "wws":
        return scripts_below(root, suffixes)
    workers = [root / file for file in Project(root, suffixes).layout().files]
    for worker in workers:
        _examine_sidecar(found, worker.with_suffix(".toml"), root)
    return workers


def _examine_sidecar(found: Examined, beside: Path, root: Path) -> None:
    if not beside.exists():
        return
    try:
        sidecar = sidecar_of(beside, found.route.env)
        _examine_dirs(found, list(folders_of(sidecar, beside, root)))
    except ModuleError as error:
        found.errors.append(str(error))
    else:
        found.warnings += [f"{beside}: {name} is not offered" for name in sidecar.ignored]


def _examine_directory(found: Examined, directory: Path, modules: Modules) -> None:
    wrong = _unusable(directory)
    if wrong:
        found.errors.append(f"directory {directory}: {wrong}")
        return
    interpreters = found.route.interpreters
    root = Path(os.path.realpath(directory))
    scripts = list(islice(_scripts(found, root), MOST_SCRIPTS + 1))
    found.more_scripts = len(scripts) > MOST_SCRIPTS
    for path in scripts[:MOST_SCRIPTS]:
        name = str(path.relative_to(root))
        found.scripts.append(name)
        if path.suffix not in interpreters:
            _examine_module(found, path, name, modules)
        elif not os.access(path, os.R_OK):
            found.warnings.append(f"{name} cannot be read by this user")
    if not scripts:
        found.warnings.append(f"directory {directory} holds nothing that would be served")


def _examine_dirs(found: Examined, dirs: Iterable[Dir]) -> None:
    for entry in dirs:
        wrong = _unusable(entry.host)
        if wrong:
            found.errors.append(f"dirs: {entry.guest}: {entry.host}: {wrong}")
        elif entry.writable and not os.access(entry.host, os.W_OK):
            found.warnings.append(f"dirs: {entry.guest}: {entry.host} is not writable for this user")


def _unusable(directory: Path) -> str:
    if not directory.exists():
        return "does not exist"
    if not directory.is_dir():
        return "is not a directory"
    return "" if os.access(directory, os.R_OK | os.X_OK) else "cannot be read by this user"
