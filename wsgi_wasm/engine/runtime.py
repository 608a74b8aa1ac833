"""The engines of a process and their epoch ticker: what one process owns, made after fork and never
shared with a child."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

from wsgi_wasm.binary import limits
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.pools import Pool, PoolKey, engine_with_pool, new_config
from wsgi_wasm.engine.room import GuestMemory, check_room
from wsgi_wasm.errors import NoRoom, Unavailable
from wsgi_wasm.polling import PollingThread

# seconds between epochs: how late a limit can be noticed, and how long output may wait to be sent
TICK = 0.01


class Ticker(PollingThread):
    """Advances the epoch of every engine each TICK while guests run. `running`, its work, holds a
    key for each run."""

    purpose = "the clock of guests"

    def __init__(self, engines: Callable[[], Sequence[Pool[Any]]]) -> None:
        self.running: dict[Any, None] = {}  # of run.Run
        self._engines = engines
        super().__init__("wsgi_wasm-ticker", TICK, self.running, self._advance)

    def _advance(self) -> None:
        """In a function of its own, which lets go of the engines when it returns."""
        for engine in self._engines():
            c.engine_increment_epoch(engine.pointer)


PoolT = TypeVar("PoolT", bound=Pool[Any])


class Runtime:
    """The engines of this process, by key, and their ticker. There is one, which all gateways
    share: see `runtime`."""

    def __init__(self) -> None:
        # An engine lives as long as a module that was loaded by it.
        self._engines: weakref.WeakValueDictionary[Hashable, Pool[Any]] = weakref.WeakValueDictionary()
        self.ticker = Ticker(self.engines)
        # Whether Wasmtime has begun threads of its own, once in the life of a process: for
        # components, and for guests with directories. In a child it would wait for them for ever,
        # where no limit ends the guest.
        self.has_threads = False
        self._making = threading.Lock()

    def engines(self) -> list[Pool[Any]]:
        """Those that there are now; the list keeps them."""
        # The references are copied in one step, since another thread may add an engine.
        engines = (reference() for reference in self._engines.valuerefs())
        return [engine for engine in engines if engine is not None and engine.pointer]

    def made(self, key: PoolKey, make: Callable[[PoolKey], PoolT]) -> PoolT:
        """The engine of this key, made where it is not there yet. Keys of one shape have engines
        of one class. Raises NoRoom."""
        engine = self._engines.get(key)
        if engine is None or not engine.pointer:
            with self._making:
                engine = self._engines.get(key)
                if engine is None or not engine.pointer:  # without: it is being freed
                    self._check_room(key)
                    engine = make(key)
                    self._engines[key] = engine
        return cast("PoolT", engine)

    def _check_room(self, key: PoolKey) -> None:
        try:
            check_room(key.reservation, (engine.key.reservation for engine in self.engines()))
        except NoRoom:
            gc.collect()  # a module that nothing uses may still be in a cycle
            check_room(key.reservation, (engine.key.reservation for engine in self.engines()))


# Of this process, and kept by its children: whoever forks makes a runtime of its own.
guest_memory = GuestMemory()

_runtime: Runtime | None = None
_beginning = threading.Lock()


def runtime() -> Runtime:
    """This process's runtime."""
    global _runtime
    if _runtime is None:
        if _orphaned:
            raise Unavailable(
                "this process was forked after guests had already waited or read files in its parent, whose threads do "
                "not exist here: do not answer requests before the fork (gunicorn: --preload)"
            )
        with _beginning:
            if _runtime is None:
                _runtime = Runtime()
    return _runtime


_forked_with_threads = _orphaned = False


def _before_fork() -> None:
    global _forked_with_threads
    _forked_with_threads = _runtime is not None and _runtime.has_threads


def _forget() -> None:
    """After a fork: engines must not be used in the child, where their threads do not exist. They
    are not freed either, since another thread may have held one of their locks."""
    global _runtime, _beginning, _orphaned
    _orphaned = _orphaned or _forked_with_threads
    _runtime = None
    _beginning = threading.Lock()
    guest_memory.begin_anew()


os.register_at_fork(before=_before_fork, after_in_child=_forget)


def compile_engine(features: frozenset[str], components: bool = False) -> int:
    """An engine for a process that compiles and then ends: it has the limits of the pools, so that
    what would not fit into one is refused, and room for nothing."""
    tables = limits.TABLES if components else limits.MODULE_TABLES
    memories = limits.MEMORIES if components else 1
    numbers = {
        "max_core_instances_per_component": limits.CORE_INSTANCES + 2 * limits.COMPONENT_INSTANCES,
        "max_memories_per_component": memories,
        "max_tables_per_component": tables,
        "max_memories_per_module": memories,
        "max_tables_per_module": tables,
        # more than none, or no module could have any
        "total_tables": tables,
        "total_memories": 0,
        "total_core_instances": 0,
        "total_component_instances": 0,
    }
    return engine_with_pool(new_config(features, components), False, 0, numbers)


def wat_to_wasm(text: bytes) -> bytes:
    """The binary form of a module in text form. Raises ModuleError with line and column."""
    vector = c.ByteVec()
    taken(c.wat2wasm(text, len(text), ctypes.byref(vector)))
    try:
        return ctypes.string_at(vector.data or 0, vector.size)
    finally:
        c.byte_vec_delete(ctypes.byref(vector))
