"""Modules by path: loaded from the cache when first asked for, compiled in a child where they are
not there yet, and replaced when their file changes. The last good one goes on serving until its
successor is ready.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from wsgi_wasm.engine.code.cache import DAY, Cache, check_ours
from wsgi_wasm.engine.code.compiler import CompilerEnded, compile_in_child
from wsgi_wasm.engine.code.source import Compositions, ModuleSource
from wsgi_wasm.engine.guest import Linked
from wsgi_wasm.engine.linking import Artefact, Linker, Refused
from wsgi_wasm.errors import CacheError, ModuleError, Unavailable
from wsgi_wasm.interpreters import missing
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import AnyApi

log = package_log("engine")

RECHECK = 1.0  # seconds between two looks at a module's file
KEPT = 2048  # modules kept loaded; the least recently used goes first

Waiting = Callable[[float], None]


class Module:
    """One module file. `get` gives it ready to run; everything else happens aside."""

    def __init__(self, store: ModuleStore, source: ModuleSource) -> None:
        self.path = source.path
        self.source = source
        self._store = store
        self._linked: Linked | None = None
        self._identity = ""
        self._error = ""
        self._look_at = 0.0  # monotonic clock, seconds
        self._say_used_at = 0.0  # the same
        self._compiled = threading.Event()
        self._compiling = False
        self._refreshing = threading.Lock()

    def get(self, wait: float) -> Linked:
        """The module, linked. Raises ModuleError, or Unavailable where it is not compiled
        after `wait` seconds."""
        if time.monotonic() < self._look_at and self._linked is not None:
            return self._linked
        self._refresh()
        if self._linked is None and self._compiling:
            self._compiled.wait(wait)
            self._refresh()
        if self._linked is not None:
            return self._linked
        if self._error:
            raise ModuleError(self._error)
        raise Unavailable(f"{escaped(self.path)} is being compiled", retry_after=5)

    def load_now(self, waiting: Waiting) -> Linked:
        """Load, and compile in the foreground where needed. Raises ModuleError."""
        try:
            return self._load(waiting)
        except OSError as error:
            raise ModuleError(_unreadable(self.path, error)) from None

    def _refresh(self) -> None:
        if not self._refreshing.acquire(timeout=RECHECK if self._linked is None else 0):
            return
        try:
            current = self.source.identity()
            if current != self._identity and not self._compiling:
                self._try_load(current)
            elif time.monotonic() > self._say_used_at and self._store.cache is not None:
                self._say_used_at = time.monotonic() + DAY
                self._store.cache.say_used(self.source, self._store.features)
        except OSError as error:
            self._fail(_unreadable(self.path, error), "")
        finally:
            self._look_at = time.monotonic() + RECHECK
            self._refreshing.release()

    def _try_load(self, current: str) -> None:
        try:
            linked = self._store.from_cache(self.source)
        except (ModuleError, CacheError) as error:
            self._fail(f"{self.path}: {error}", current)
            return
        if linked is not None:
            self._linked, self._identity, self._error = linked, current, ""
        else:
            self._compiling = True
            self._compiled.clear()
            self._store.compile_aside(self)

    def compile_aside(self) -> None:
        """Run on the store's own thread."""
        try:
            started, current = time.monotonic(), self.source.identity()
            try:
                self._linked, self._error = self._load(_log_progress(self.path)), ""
                self._identity = current
                log.info("compiled %s in %.1f s", self.path, time.monotonic() - started)
            except (ModuleError, CacheError) as error:
                # Without an identity it is tried again by the next request.
                self._fail(str(error), "" if isinstance(error, CompilerEnded) else current)
        except OSError as error:
            self._fail(_unreadable(self.path, error), "")
        finally:
            self._compiling = False
            self._compiled.set()

    def _load(self, waiting: Waiting) -> Linked:
        try:
            return self._store.from_cache(self.source) or self._store.compiled(self.source, waiting)
        except ModuleError as error:
            raise type(error)(f"{escaped(self.path)}: {error}") from None

    def _fail(self, error: str, current: str) -> None:
        if error != self._error:
            log.error("%s%s", error, "; the last good one stays in use" if self._linked else "")
        self._error, self._identity = error, current


def _unreadable(path: Path, error: OSError) -> str:
    """What keeps a module's file, or one that belongs to it, from being read."""
    file = Path(os.fsdecode(error.filename)) if error.filename else path
    return f"{file}: {missing(file, error.strerror or str(error))}"


def _log_progress(path: Path) -> Waiting:
    def waiting(seconds: float) -> None:
        if seconds == 1 or seconds % 10 == 0:
            log.warning("compiling %s: %d s so far", path, seconds)

    return waiting


class ModuleStore:
    """All modules of a process. Without a usable cache, modules are compiled for
    this process alone.

    `apis` is as for `Linker`.
    """

    def __init__(
        self,
        directory: Path,
        features: frozenset[str],
        instances: int,
        apis: Callable[[], tuple[AnyApi, ...]],
        compositions: Compositions,
    ) -> None:
        self._linker = Linker(features, instances, apis)
        self._compositions = compositions
        self.features = features
        self._directory = directory
        self.cache: Cache | None = None
        try:
            self.cache = Cache(directory)
            if not self.cache.writable:
                log.warning(
                    "cache directory %s is read-only: each process compiles the missing modules for itself", directory
                )
        except CacheError as error:
            log.warning("%s; each process compiles modules for itself", error)
        self._modules: OrderedDict[Path, Module] = OrderedDict()
        self._changing = threading.Lock()
        self._queue: SimpleQueue[Module] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def module(self, path: Path) -> Module:
        """The entry of a path; loading it is left to `Module.get`."""
        with self._changing:
            module, source = self._modules.get(path), self.source(path)
            if module is None or module.source != source:
                module = self._modules[path] = Module(self, source)
                if len(self._modules) > KEPT:
                    self._modules.popitem(last=False)
            else:
                self._modules.move_to_end(path)
        return module

    def compose(self, compositions: Compositions) -> None:
        """From now on modules are made of these plugs; those that are given out stay
        what they are."""
        self._compositions = compositions

    def source(self, path: Path) -> ModuleSource:
        """What the module of a path is made of."""
        return ModuleSource.of(path, self._compositions)

    def compile_aside(self, module: Module) -> None:
        """Queue a module for the one thread that compiles; each compilation uses all
        cores by itself."""
        with self._changing:
            if self._thread is None:
                self._thread = threading.Thread(target=self._compile, name="wsgi_wasm-compile", daemon=True)
                self._thread.start()
        self._queue.put(module)

    def _compile(self) -> None:
        while True:
            module = self._queue.get()
            module.compile_aside()

    def from_cache(self, source: ModuleSource) -> Linked | None:
        """The module from its artefact, or None where that has to be made. Raises
        ModuleError, CacheError, OSError."""
        if source.path.parent == self._directory:
            # built by this package, into a place where a site's owner does not look
            check_ours(source.path)
        if self.cache is None:
            return None
        artefact = self.cache.artefact(self.cache.digest(source), self.features)
        try:
            return self._from_artefact(self.cache, artefact)
        except CacheError as error:
            log.warning("%s; %s is compiled for this process only", error, source.path)
        except Refused as error:
            log.warning("%s is compiled again: %s", artefact, error)
            self.cache.forget(artefact)
        return None

    def _from_artefact(self, cache: Cache, artefact: Path) -> Linked | None:
        """Raises ModuleError, CacheError, OSError, Refused."""
        facts = cache.find(artefact)
        if facts is None:
            return None
        return self._linker.linked(facts, Artefact(artefact))

    def compiled(self, source: ModuleSource, waiting: Waiting) -> Linked:
        """Compile in a child and link. Raises ModuleError, CacheError, OSError."""
        try:
            return self._compiled(source, waiting)
        except Refused as error:
            # It is as new as can be: what does not suit the engine is the module itself.
            raise ModuleError(f"cannot be loaded: {error}") from None

    def _compiled(self, source: ModuleSource, waiting: Waiting) -> Linked:
        """Raises Refused besides."""
        if self.cache is not None and self._takes(self.cache, source):
            compile_in_child(source, self.features, self.cache.directory, waiting)
            artefact = self.cache.artefact(self.cache.digest(source), self.features)
            linked = self._from_artefact(self.cache, artefact)
            if linked is None:
                raise ModuleError("changed while it was compiled")
            return linked
        compiled = compile_in_child(source, self.features, None, waiting)
        if compiled is None:
            raise ModuleError("could not be compiled")
        return self._linker.linked(compiled.facts, Artefact(compiled.code))

    def _takes(self, cache: Cache, source: ModuleSource) -> bool:
        """Whether the cache can hold this module's artefact: not if a file that is not ours is
        in its place."""
        try:
            cache.find(cache.artefact(cache.digest(source), self.features))
        except CacheError:
            return False
        return cache.writable
