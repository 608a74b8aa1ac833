"""Finds what is wrong with a route: its modules, what they import and need, its directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.binary.foreign import check_module
from wsgi_wasm.binary.module_facts import ModuleFacts
from wsgi_wasm.cli.as_user import began_as_root
from wsgi_wasm.cli.built import state_of
from wsgi_wasm.cli.directory import Listed, files_below, unusable
from wsgi_wasm.cli.parallel import Task, in_parallel
from wsgi_wasm.cli.prepare import MOST_SCRIPTS, modules_of_site
from wsgi_wasm.cli.terminal import shown
from wsgi_wasm.config import Config, Dir, DirectoryTarget, Interpreter, ModuleTarget, Route, SpinTarget
from wsgi_wasm.config.local import NAME
from wsgi_wasm.config.model import entry_point_of
from wsgi_wasm.engine.code.budget import of_request
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.compiler import compile_once, unwatched
from wsgi_wasm.engine.code.source import head_of
from wsgi_wasm.engine.component.linked import refused_imports
from wsgi_wasm.engine.guest import Linked
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS, interfaces_of
from wsgi_wasm.engine.module import unreadable
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.engine.program.preview1 import PREVIEW1
from wsgi_wasm.engine.runtime import guest_memory
from wsgi_wasm.errors import CacheError, ModuleError, NoRoom, RequestError, WallError
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.gateway.kinds import ProgramKind
from wsgi_wasm.gateway.local_files import LocalFiles
from wsgi_wasm.gateway.programs import kinds_of
from wsgi_wasm.hostapi import APIS, warnings
from wsgi_wasm.walls import user_of
from wsgi_wasm.wws.workers import Project, folders_of, sidecar_of

MOST_LISTED = 50  # programs of a directory route, and other files, that are listed


@dataclass(slots=True)
class Examined:
    """A route and what was found. `imports` and `features` are those of all its modules, `memory`
    (bytes) the most that one begins with; `scripts` are the programs by their paths below the
    directory, each with what tells that it is one, `others` those that are none, with the reason;
    `more_*` say that there are more. `local` are the files of their authors, with their keys.
    `interface` is what a component speaks, else ""; `plugs` are those in it, by import."""

    route: Route
    imports: set[str] = field(default_factory=set)
    features: set[str] = field(default_factory=set)
    memory: int = 0
    scripts: dict[str, str] = field(default_factory=dict)
    more_scripts: bool = False
    others: dict[str, str] = field(default_factory=dict)
    more_others: bool = False
    local: dict[str, str] = field(default_factory=dict)
    not_compiled: bool = False
    interface: str = ""
    plugs: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What serves the route's requests."""
        match self.route.target:
            case SpinTarget():
                return "Spin application"
            case ModuleTarget():
                return f"component, {self.interface}" if self.interface else "core module"
            case DirectoryTarget(interpreters=interpreters):
                return " ".join(["directory", *interpreters])
        return "dropped-in files"


class Modules:
    """Modules of a site, each loaded once. Raises EngineError where guests cannot run
    in this process."""

    def __init__(self, config: Config, directory: Path, compiling: bool) -> None:
        self.cache_directory = directory
        self.site = config.source
        engine = config.engine
        features = frozenset(engine.features)
        self._store = ModuleStore.of(directory, features, engine.instances, lambda: APIS, config.compose)
        guest_memory.bound = engine.memory
        self._store.supply.budget = of_request(engine.compile_time, engine.compile_memory)
        self._compiling = compiling
        self._known: dict[Path, Linked | str | None] = {}

    def compile_all(self, config: Config) -> None:
        """Compile those that are to be, several at a time, and say so to who waits. They are
        loaded one after the other: what the engine has for a module is made by one thread."""
        cache = self._store.supply.cache
        if not self._compiling or cache is None or not cache.writable:
            return
        paths = modules_of_site(config)
        tasks = [Task(shown(path), partial(self._compile, path, cache)) for path in paths]
        for path, wrong in zip(paths, in_parallel("compiling", tasks), strict=True):
            if wrong:
                self._known[path] = wrong

    def _compile(self, path: Path, cache: Cache) -> str:
        """Have it in the cache; or what is wrong with it."""
        supply, source = self._store.supply, self._store.source(HostFile(path))
        try:
            digest = cache.digest(source)
            supply.forget_failure(digest)
            if cache.find(cache.artefact(digest, supply.features)) is None:
                compile_once(source, supply.features, cache, unwatched, supply.budget)
        except OSError as error:
            return unreadable(path, error).removeprefix(f"{path}: ")
        except (ModuleError, CacheError) as error:
            return str(error)
        return ""

    def load(self, path: Path) -> Linked | str | None:
        """The module, or what is wrong with it, or None where it is not compiled and is
        not to be."""
        if path not in self._known:
            self._known[path] = self._load(path)
        return self._known[path]

    def plugs(self, path: Path) -> dict[str, str]:
        """What is plugged into a component, by import."""
        return {name: str(source.path) for name, source in self._store.source(HostFile(path)).plugs}

    def _load(self, path: Path) -> Linked | str | None:
        try:
            if not self._compiling:
                check_module(str(path), head_of(HostFile(path)))
                return self._store.supply.from_cache(self._store.source(HostFile(path)))
            return self._store.module(path).load_now(unwatched)
        except OSError as error:
            return unreadable(path, error).removeprefix(f"{path}: ")
        except (ModuleError, NoRoom, CacheError) as error:
            return str(error).removeprefix(f"{path}: ")


def examine(route: Route, modules: Modules) -> Examined:
    """One route, with everything that it can run."""
    found = Examined(route)
    match route.target:
        case ModuleTarget(path=path):
            _examine_module(found, path, path.name, modules)
            if route.interface == "wws":
                folder = Path(os.path.realpath(path.parent))
                _examine_sidecar(found, folder / f"{path.stem}.toml", folder)
        case DirectoryTarget() as target:
            for suffix, interpreter in target.interpreters.items():
                _examine_interpreter(found, suffix, interpreter, modules)
            _examine_directory(found, target, modules)
    _examine_dirs(found, route.dirs)
    _examine_user(found)
    found.warnings += warnings(route.grants)
    return found


def _examine_interpreter(found: Examined, suffix: str, interpreter: Interpreter, modules: Modules) -> None:
    name, built = f"interpreter of {suffix}", state_of(interpreter, modules.site)
    found.errors += [f"{name}: {built.error}"] if built.error else []
    found.warnings += [f"{name}: {built.warning}"] if built.warning else []
    if not built.error:
        _examine_module(found, interpreter.module, f"{name}: {interpreter.module.name}", modules)
    _examine_dirs(found, (entry for entry in interpreter.dirs if entry.host != interpreter.installed))


def _examine_user(found: Examined) -> None:
    """Whether a server of this user's can run the route as the one that it names."""
    if found.route.user is not None:
        try:
            user_of(found.route.user, by_root=began_as_root())
        except WallError as error:
            found.errors.append(f"user: {error}")


def _examine_module(found: Examined, path: Path, name: str, modules: Modules) -> None:
    linked = modules.load(path)
    if linked is None:
        found.not_compiled = True
    elif isinstance(linked, str):
        found.errors.append(f"{name}: {linked}")
    else:
        if isinstance(linked.facts, ComponentFacts):
            found.plugs |= modules.plugs(path)
            _examine_component(found, linked.facts, name)
        else:
            _examine_facts(found, linked.facts, name)
        try:
            linked.guest(found.route.limits, (), lambda: NO_BINDINGS, entry_point_of(found.route.target))
        except ModuleError as error:
            found.errors.append(f"{name}: {error}")


def _examine_facts(found: Examined, facts: ModuleFacts, name: str) -> None:
    found.features |= set(facts.features)
    found.imports |= {item.name if item.module == PREVIEW1 else str(item) for item in facts.imports}
    found.memory = max(found.memory, facts.memory_minimum)
    if found.route.interface == "http":
        found.errors.append(f"{name}: `interface` is http, but this is a core module, which is a CGI program")


def _examine_component(found: Examined, facts: ComponentFacts, name: str) -> None:
    found.interface = facts.interface
    found.imports |= {one.name for one in facts.imports}
    found.memory = max(found.memory, facts.memory_minimum)
    wanted = found.route.interface
    # to the engine they are programs like any other
    spoken = "cgi" if wanted in ("wws", "raw") else wanted
    if spoken not in ("auto", facts.interface):
        found.errors.append(
            f"{name}: `interface` is {wanted}, but the interface of this component is {facts.interface}"
        )
    refused = refused_imports(facts, interfaces_of(APIS))
    if refused:
        listed = ", ".join(one.name for one in refused)
        found.warnings.append(f"{name}: has unsupported imports, and calls to them are refused: {listed}")


def _workers(found: Examined, target: DirectoryTarget, root: Path) -> Iterator[Listed]:
    for worker in (root / file for file in Project(target).layout().files):
        _examine_sidecar(found, worker.with_suffix(".toml"), root)
        suffix = worker.suffix.lower()
        kind = ProgramKind("suffix", suffix if suffix in target.interpreters else "")
        yield Listed(worker, kind, unreadable=not os.access(worker, os.R_OK))


def _examine_sidecar(found: Examined, beside: Path, root: Path) -> None:
    if not beside.exists():
        return
    try:
        sidecar = sidecar_of(beside, root, found.route.env)
        _examine_dirs(found, list(folders_of(sidecar, beside, root)))
    except ModuleError as error:
        found.errors.append(str(error))
    else:
        found.warnings += [f"{beside}: {name} is not supported" for name in sidecar.ignored]


def _examine_directory(found: Examined, target: DirectoryTarget, modules: Modules) -> None:
    directory = target.path
    if wrong := unusable(directory):
        found.errors.append(f"directory {directory}: {wrong}")
        return
    root = target.folder.root
    is_project = found.route.interface == "wws"
    count = 0
    files = _workers(found, target, root) if is_project else files_below(root, kinds_of(found.route))
    for one in files:
        name = str(one.path.relative_to(root))
        if one.unreadable:
            found.warnings.append(f"{name} cannot be read by this user")
        if one.kind is None:
            found.more_others = len(found.others) == MOST_LISTED
            if not found.more_others:
                found.others[name] = one.why
            continue
        count += 1
        _examine_local(found, one, root)
        found.more_scripts = count > MOST_LISTED
        if not found.more_scripts:
            found.scripts[name] = one.by
        if not one.kind.interpreter:
            _examine_module(found, one.path, name, modules)
        if count == MOST_SCRIPTS:
            break
    if not found.scripts:
        found.warnings.append(f"directory {directory} contains no file that would be served")


def _examine_local(found: Examined, one: Listed, root: Path) -> None:
    """What the author of a program has set in the file beside it."""
    beside = one.path.with_name(NAME)
    name = str(beside.relative_to(root))
    if name in found.local or not os.path.lexists(beside) or found.route.interface == "wws":
        return
    found.local[name] = ""
    if not found.route.local:
        found.warnings.append(f"{name} is not used: the route has no `local`")
        return
    try:
        local = LocalFiles(found.route).beside(HostFile(one.path, root), one.owner)
    except RequestError as error:
        found.errors.append(str(error))
    else:
        found.local[name] = ", ".join(local.settings.keys) if local is not None else ""


def _examine_dirs(found: Examined, dirs: Iterable[Dir]) -> None:
    for entry in dirs:
        if wrong := unusable(entry.host):
            found.errors.append(f"dirs: {entry.guest}: {entry.host}: {wrong}")
        elif entry.writable and not os.access(entry.host, os.W_OK):
            found.warnings.append(f"dirs: {entry.guest}: {entry.host} cannot be written by this user")
