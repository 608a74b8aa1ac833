"""What makes modules ready to run: their artefact from the cache, or one that is compiled in a
child."""

from __future__ import annotations

import time
from copy import copy
from pathlib import Path
from typing import Protocol

from wsgi_wasm.binary.module_facts import Facts
from wsgi_wasm.engine.code.budget import REQUEST, CompileBudget
from wsgi_wasm.engine.code.cache import Cache, check_ours
from wsgi_wasm.engine.code.compiler import CompileResult, compile_in_child, compile_once
from wsgi_wasm.engine.code.failures import Failure, NotCompiled
from wsgi_wasm.engine.code.source import ModuleSource, digest_of
from wsgi_wasm.engine.code.turns import Turns
from wsgi_wasm.engine.guest import Linked
from wsgi_wasm.engine.linking import Artefact, Refused
from wsgi_wasm.engine.module import Waiting
from wsgi_wasm.errors import CacheError, ModuleError
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped

log = package_log("engine")

_TRY_CACHE_EVERY = 10.0  # seconds, where it could not be used
_MOST_SAID = 100  # different warnings of one kind in the life of a process


class Links(Protocol):
    """What makes a module ready to run: `linking.Linker`, or one whose guests run elsewhere."""

    def linked(self, facts: Facts, artefact: Artefact) -> Linked:
        """As `Linker.linked`."""


class ModuleSupply:
    """As `module.Supply`: of one linker. Without a usable cache, modules are compiled for this
    process alone. It knows none of the modules that it has made ready, so that they go with the
    last that uses them.

    `budget` is for what requests cause, and may be set.
    """

    def __init__(self, directory: Path, features: frozenset[str], linker: Links) -> None:
        self.features = features
        self.budget = REQUEST
        self.turns = Turns()
        self.cache: Cache | None = None
        self._linker = linker
        self._directory = directory
        self._said: set[str] = set()
        self._try_cache_at = 0.0  # monotonic clock, seconds
        self._opened_cache()

    def linking(self, linker: Links) -> ModuleSupply:
        """One of the same cache, whose modules are made ready by this linker. What it has to
        compile is compiled where this one's is."""
        other = copy(self)
        other._linker = linker
        return other

    def digest(self, source: ModuleSource) -> str:
        """Of what a module is made of. Raises OSError, ModuleError for a file that is too large."""
        cache = self._opened_cache()
        return cache.digest(source) if cache is not None else source.digest(digest_of)

    def from_cache(self, source: ModuleSource, digest: str | None = None) -> Linked | None:
        """The module from its artefact, or None where that has to be made. Raises
        ModuleError, EngineError, CacheError, OSError."""
        if source.path.parent == self._directory:
            # built by this package, into a place where a site's owner does not look
            check_ours(source.path)
        cache = self._opened_cache()
        if cache is None:
            return None
        artefact = cache.artefact(digest or cache.digest(source), self.features)
        try:
            return self._from_artefact(cache, artefact)
        except CacheError as error:
            self._say(f"{error}; {escaped(source.path)} is compiled for this process only")
        except Refused as error:
            log.warning("%s is compiled again: %s", artefact, error)
            cache.forget(artefact)
        return None

    def failure(self, digest: str) -> Failure | None:
        """What this machine remembers of the last attempt to compile a module that failed."""
        cache = self.cache
        return cache.failure(cache.artefact(digest, self.features)) if cache is not None else None

    def forget(self, digest: str) -> None:
        """Have a module made anew."""
        if self.cache is not None:
            self.cache.forget(self.cache.artefact(digest, self.features))

    def forget_failure(self, digest: str) -> None:
        """Have it tried again at once."""
        cache = self.cache
        if cache is not None:
            cache.forget_failure(cache.artefact(digest, self.features))

    def compiled(self, source: ModuleSource, waiting: Waiting, budget: CompileBudget) -> tuple[Linked, str]:
        """Compile in a child and link; and the digest of what it was made of. Raises ModuleError,
        EngineError, CacheError, OSError."""
        cache = self._opened_cache()
        if cache is None:
            compiled = compile_in_child(source, self.features, None, waiting, budget)
        else:
            compiled = compile_once(source, self.features, cache, waiting, budget)
        if compiled.uncached:
            self._say(f"{compiled.uncached}; {escaped(source.path)} is compiled for this process only")
        try:
            linked = self._linked(compiled, cache)
            if linked is None:  # the cache was emptied meanwhile
                compiled = compile_in_child(source, self.features, None, waiting, budget)
                linked = self._linked(compiled, None)
        except Refused as error:
            # It is as new as can be: what does not suit the engine is the module itself.
            refusal = ModuleError(f"cannot be loaded: {error}")
            if cache is not None:
                artefact = cache.artefact(compiled.digest, self.features)
                cache.keep_failure(artefact, Failure.of(refusal, budget, cache.failure(artefact)))
            raise refusal from None
        if linked is None:
            raise NotCompiled("the compiler gave no code")
        return linked, compiled.digest

    def _linked(self, compiled: CompileResult, cache: Cache | None) -> Linked | None:
        """Raises as `compiled`, and Refused."""
        if compiled.code is not None:
            return self._linker.linked(compiled.facts, Artefact(compiled.code))
        if cache is None:
            return None
        try:
            return self._from_artefact(cache, cache.artefact(compiled.digest, self.features))
        except CacheError:
            return None

    def _from_artefact(self, cache: Cache, artefact: Path) -> Linked | None:
        """Raises ModuleError, EngineError, CacheError, Refused; OSError."""
        facts = cache.find(artefact)
        if facts is None:
            return None
        try:
            return self._linker.linked(facts, Artefact(artefact))
        except FileNotFoundError:
            return None  # removed meanwhile

    def _opened_cache(self) -> Cache | None:
        """The cache; where it could not be used, it is tried again now and then."""
        if self.cache is None and time.monotonic() >= self._try_cache_at:
            self._try_cache_at = time.monotonic() + _TRY_CACHE_EVERY
            try:
                self.cache = cache = Cache(self._directory)
            except CacheError as error:
                self._say(f"{error}; each process compiles modules for itself")
            else:
                wrong = cache.unwritable()
                if wrong:
                    self._say(
                        f"cache directory {escaped(self._directory)} cannot be written to ({wrong}): each process "
                        "compiles the missing modules for itself"
                    )
        return self.cache

    def _say(self, text: str) -> None:
        """A warning, once."""
        if text not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(text)
            log.warning("%s", text)
