"""One module of a process: what of it is ready to run, what keeps the rest from it, and when to
look again."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from wsgi_wasm.engine.code.budget import CompileBudget
from wsgi_wasm.engine.code.cache import DAY, Cache
from wsgi_wasm.engine.code.failures import HERE, MODULE, Failure, NotCompiled
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.code.turns import Turns
from wsgi_wasm.engine.guest import Linked
from wsgi_wasm.errors import Forbidden, ModuleError, NoRoom, Unavailable, WsgiWasmError
from wsgi_wasm.files.obstacles import obstacle
from wsgi_wasm.interpreters import missing
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped, printable

log = package_log("engine")

RECHECK = 1.0  # seconds between two looks at a module's file
_MOST_PACED = 10.0  # seconds between two looks at one that is not ready, where a look takes long
_MOST_RETRY_AFTER = 3600  # seconds
_MENDED_IN = 30  # the same, for what only somebody who changes the file can mend

Waiting = Callable[[float], None]


class Supply(Protocol):
    """Where linked modules come from: `supply.ModuleSupply`, which says what these do."""

    cache: Cache | None
    features: frozenset[str]
    budget: CompileBudget
    turns: Turns

    def digest(self, source: ModuleSource) -> str: ...
    def failure(self, digest: str) -> Failure | None: ...
    def forget_failure(self, digest: str) -> None: ...
    def forget(self, digest: str) -> None: ...
    def from_cache(self, source: ModuleSource, digest: str) -> Linked | None: ...
    def compiled(self, source: ModuleSource, waiting: Waiting, budget: CompileBudget) -> tuple[Linked, str]: ...


class Module:
    """One module file. `get` gives it ready to run; everything else happens aside."""

    def __init__(self, store: Supply, source: ModuleSource) -> None:
        self.path = source.path
        self.source = source
        self._store = store
        self._linked: Linked | None = None
        self._linked_digest = ""  # of what it was made of
        self._refused_digest = ""  # of one that could not be loaded where it runs
        self._identity = ""  # of the files that were judged last
        self._error = ""  # why what is in them now is not ready
        self._unreadable = False  # whether that is because this process may not read one
        self._failure: Failure | None = None
        self._failed_digest = ""
        self._retry_at = 0.0  # monotonic clock, seconds
        self._look_at = 0.0  # the same
        self._say_used_at = 0.0  # the same
        self._queued_at: float | None = None  # the same, while it is being compiled
        self._compiled = threading.Event()
        self._refreshing = threading.Lock()

    def get(self, wait: float, owner: str = "") -> Linked:
        """The module, linked. `owner` is whose turn it takes if it has to be compiled.

        Raises ModuleError, Forbidden where this process may not read its file, or Unavailable where
        it is not compiled within `wait` seconds from when that was first asked for.
        """
        if time.monotonic() < self._look_at and self._linked is not None:
            return self._linked
        self._refresh(owner)
        queued = self._queued_at
        if self._linked is None and queued is not None:
            # Who comes later waits less: what takes long must not take a thread for each request.
            self._compiled.wait(max(0.0, queued + wait - time.monotonic()))
            self._refresh(owner)
        if self._linked is not None:
            return self._linked
        if self._error and self._unreadable:
            raise Forbidden(self._error)
        if self._error:
            raise ModuleError(self._error, self._retry_after())
        raise Unavailable(f"{escaped(self.path)} is being compiled", retry_after=5)

    def load_now(self, waiting: Waiting) -> Linked:
        """Load, and compile in the foreground where needed, whatever came of that before. Raises
        ModuleError."""
        try:
            digest = self._store.digest(self.source)
            self._store.forget_failure(digest)
            linked = self._store.from_cache(self.source, digest)
            return linked or self._store.compiled(self.source, waiting, self._store.budget)[0]
        except (ModuleError, NoRoom) as error:
            raise ModuleError(f"{escaped(self.path)}: {error}") from None
        except OSError as error:
            raise ModuleError(unreadable(self.path, error)) from None

    def _refresh(self, owner: str) -> None:
        now = time.monotonic()
        if self._linked is None and now < self._look_at:
            return
        if not self._refreshing.acquire(timeout=RECHECK if self._linked is None else 0):
            return
        try:
            if self._queued_at is None:
                self._look(owner)
        except Exception as error:
            self._failed(error, self._failed_digest, "")
        finally:
            ended = time.monotonic()
            # What is not ready is looked at by each request, unless that costs too much.
            self._look_at = ended + (RECHECK if self._linked else min(10 * (ended - now) - 1, _MOST_PACED))
            self._refreshing.release()

    def _look(self, owner: str) -> None:
        """Raises OSError, and whatever keeps the module from being loaded."""
        if self._linked is not None and self._linked.refused and self._linked_digest != self._refused_digest:
            # Where it runs, Wasmtime would not take the code: made anew, once, it may.
            self._refused_digest = self._linked_digest
            self._store.forget(self._linked_digest)
            self._linked, self._linked_digest, self._identity = None, "", ""
        current = self.source.identity()
        if current == self._identity and not (self._error and time.monotonic() >= self._retry_at):
            if time.monotonic() > self._say_used_at and self._store.cache is not None:
                self._say_used_at = time.monotonic() + DAY
                self._store.cache.say_used(self.source, self._store.features)
            return
        digest = self._store.digest(self.source)
        if self._linked is not None and digest == self._linked_digest:
            self._use(self._linked, current, digest)
            return
        known = self._store.failure(digest) or (self._failure if digest == self._failed_digest else None)
        wait = known.wait(self._store.budget) if known is not None else 0.0
        if known is not None and wait:
            self._fail(f"{escaped(self.path)}: {known.reason}", current, wait)
            self._failure, self._failed_digest = known, digest
            return
        try:
            linked = self._store.from_cache(self.source, digest)
        except Exception as error:
            self._failed(error, digest, current)
            return
        if linked is not None:
            self._use(linked, current, digest)
        else:
            self._queue(owner, digest, current)

    def _queue(self, owner: str, digest: str, current: str) -> None:
        """Have it compiled by the store's own threads."""
        self._queued_at = time.monotonic()
        self._compiled.clear()
        try:
            # Programs of strangers may lie in one route: of the drop-in handler for one.
            turn = f"{owner} {self.source.file.stat().st_uid}"
            budget = replace(self._store.budget, owner=turn)
            self._store.turns.add(turn, lambda: self._compile(digest, budget))
        except (OSError, RuntimeError) as error:
            self._queued_at = None
            self._compiled.set()
            self._failed(NotCompiled(f"no thread can be started to compile it: {error}", HERE), digest, current)

    def _compile(self, digest: str, budget: CompileBudget) -> None:
        current = ""
        try:
            started, current = time.monotonic(), self.source.identity()
            linked, digest = self._store.compiled(self.source, _log_progress(self.path), budget)
            self._use(linked, current, digest)
            log.info("compiled %s in %.1f s", self.path, time.monotonic() - started)
        except BaseException as error:
            # Whatever it is, it is this module's, and the thread goes on.
            self._failed(error, digest, current)
        finally:
            self._queued_at = None
            self._compiled.set()

    def _use(self, linked: Linked, current: str, digest: str) -> None:
        self._linked, self._linked_digest = linked, digest
        self._error, self._failure = "", None
        self._judged(current)

    def _judged(self, current: str) -> None:
        # A file that has just changed may change again and look the same, so it is looked at again.
        self._identity = current if self.source.is_settled() else ""

    def _failed(self, error: BaseException, digest: str, current: str) -> None:
        self._unreadable = isinstance(error, PermissionError)
        if isinstance(error, OSError):
            self._fail(unreadable(self.path, error), "", 0.0)
            return
        words = str(error) if isinstance(error, WsgiWasmError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, ModuleError):
            error = NotCompiled(words, HERE)
        before = self._failure if digest == self._failed_digest else None
        failure = self._store.failure(digest) or Failure.of(error, self._store.budget, before)
        self._failure, self._failed_digest = failure, digest
        self._fail(f"{escaped(self.path)}: {printable(words)}", current, failure.wait(self._store.budget))

    def _fail(self, error: str, current: str, wait: float) -> None:
        if error != self._error:
            log.error("%s%s", error, "; the last good one stays in use" if self._linked else "")
        self._error, self._retry_at = error, time.monotonic() + wait
        try:
            self._judged(current)
        except OSError:
            self._identity = ""

    def _retry_after(self) -> int:
        """Seconds that clients are told. What is wrong with a module itself may be mended at any
        time."""
        if self._failure is not None and self._failure.cause == MODULE:
            return _MENDED_IN
        left = math.ceil(self._retry_at - time.monotonic())
        return min(max(left, 1), _MOST_RETRY_AFTER) if left > 0 else _MENDED_IN


def unreadable(path: Path, error: OSError) -> str:
    """What keeps a module's file, or one that belongs to it, from being read; it begins with the
    file's path."""
    file = Path(os.fsdecode(error.filename)) if error.filename else path
    if isinstance(error, PermissionError):
        return f"{file}: {obstacle(path)}"
    return f"{file}: {missing(file, error.strerror or str(error))}"


def _log_progress(path: Path) -> Waiting:
    def waiting(seconds: float) -> None:
        if seconds == 1 or seconds % 10 == 0:
            log.warning("compiling %s: %d s so far", path, seconds)

    return waiting
