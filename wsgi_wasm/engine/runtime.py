"""Engines, their pools and the epoch ticker: what one process owns, made after fork and never
shared with a child."""

from __future__ import annotations

import ctypes
import os
import resource
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from wsgi_wasm.binary import limits
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.free_list import FreeList
from wsgi_wasm.errors import EngineError, Unavailable
from wsgi_wasm.logs import package_log

log = package_log("engine")

# seconds between epochs: how late a limit can be noticed, and how long output may wait to be sent
TICK = 0.01
# bytes; a memory up to this size is reset by writing over it, a larger one by giving it back
SMALL_MEMORY = 1 << 20
# bytes of address space for each memory, so that no access needs a bounds check
SLOT_RESERVATION = limits.MEMORY

# Most of the engine's advisories of the last years lie in proposals that CGI programs do not need.
# Off unless named.
OPTIONAL_FEATURES: dict[str, tuple[str, ...]] = {
    "exceptions": ("wasm_exceptions", "gc_support", "wasm_function_references"),
    "gc": ("wasm_gc", "gc_support", "wasm_function_references"),
    "memory64": ("wasm_memory64",),
    "relaxed_simd": ("wasm_relaxed_simd",),
}
_ALWAYS_OFF = (
    "wasm_multi_memory",  # the store's limiter bounds each memory by itself
    "wasm_threads",
    "shared_memory",
    "wasm_custom_page_sizes",
    "wasm_stack_switching",
    "wasm_wide_arithmetic",
    "wasm_component_model_async",
    "wasm_component_model_more_async_builtins",
    "wasm_component_model_async_stackful",
    "concurrency_support",
)


def new_config(features: frozenset[str], components: bool = False) -> int:
    """A `wasm_config_t` with the features set; everything that decides whether an artefact fits
    is set here.

    What Wasmtime puts between components copies from one memory to another, so components
    have several memories in a module. Their number is known beforehand, and the limits
    count with it (`component.guest.memory_each`).
    """
    config = int(c.config_new())
    c.config_switch(config, "epoch_interruption", True)
    for name in _ALWAYS_OFF:
        c.config_switch(config, name, components and name == "wasm_multi_memory")
    wanted = {switch for feature in features for switch in OPTIONAL_FEATURES[feature]}
    for switch in sorted({switch for switches in OPTIONAL_FEATURES.values() for switch in switches}):
        c.config_switch(config, switch, switch in wanted)
    return config


def check_address_space(instances: int) -> None:
    """Wasmtime aborts the process when it cannot reserve its pool, so the limit is
    looked at before."""
    wanted = instances * SLOT_RESERVATION
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < 2 * wanted:
        raise EngineError(
            f"this process may use {limit >> 20} MiB of address space, and {instances} instances reserve "
            f"{wanted >> 30} GiB of it (without using it): raise RLIMIT_AS (mod_wsgi: virtual-memory-limit, systemd: "
            "LimitAS, shell: ulimit -v) or lower engine.instances"
        )


def engine_with_pool(config: int, instances: int, small: bool, numbers: Mapping[str, int]) -> int:
    """A `wasm_engine_t` of this configuration, which it takes over. `numbers` are what the pool has
    for each kind of thing; the rest is the same for all."""
    pooling = c.pooling_new()
    for name, value in {
        **numbers,
        "table_elements": limits.TABLE_ELEMENTS,
        "table_keep_resident": 65536,
        "max_core_instance_size": limits.INSTANCE_STATE,
        "max_component_instance_size": limits.INSTANCE_STATE,
        # of asynchronous calls, which are not made: each would be two mappings of the process
        "total_stacks": 0,
        "max_memory_size": SLOT_RESERVATION,  # a route's own limit is set on its store
        "linear_memory_keep_resident": SMALL_MEMORY if small else 0,
        "max_unused_warm_slots": instances,
        "total_gc_heaps": instances,
    }.items():
        c.pooling_number(pooling, name, value)
    c.pooling_use(config, pooling)
    c.pooling_delete(pooling)
    return int(c.engine_new(config))


SlotT = TypeVar("SlotT")


class Pool(Generic[SlotT]):
    """A `wasm_engine_t` (`pointer`) with one slot for each guest that it can run at a time.

    Never freed: a process makes few, and each reserves address space for good.
    """

    def __init__(self, pointer: int, slots: Sequence[SlotT]) -> None:
        self.pointer = pointer
        self.instances = len(slots)
        self.slots = FreeList(slots)
        if native is not None and native.ticks(pointer):
            raise EngineError("the thread that advances the clock of guests cannot be started")

    def take_slot(self, timeout: float) -> tuple[SlotT, float]:
        """A free slot of the pool, after at most `timeout` seconds, and how long that
        took. Raises Unavailable."""
        slot = self.slots.take_free()
        if slot is not None:
            return slot, 0.0
        started = time.monotonic()
        try:
            return self.slots.take(timeout), time.monotonic() - started
        except TimeoutError:
            reason = f"all {self.instances} instances of the engine's pool are in use"
            raise Unavailable(reason, waited=timeout) from None


class Ticker:
    """Advances the epoch of every engine each TICK while guests run, and sleeps a second after
    the last one.

    `running` holds a key for each run: adding and removing it is one step under the interpreter's
    lock, so the request path takes no lock of its own.
    """

    def __init__(self) -> None:
        self.running: dict[Any, None] = {}  # of run.Run
        self.engines: list[Any] = []
        self.asleep = True
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def wake(self) -> None:
        """Called by a run that has entered itself into `running` and found the ticker asleep."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._tick, name="wsgi_wasm-ticker", daemon=True)
                    self._thread.start()
        self._wake.set()

    def _tick(self) -> None:
        idle = 0
        while True:
            if idle > 1 / TICK:
                self.asleep = True
                # A run that came before this line is seen here; one that comes after it
                # sees `asleep`.
                if not self.running:
                    self._wake.wait()
                idle = 0
            self._wake.clear()
            self.asleep = False
            time.sleep(TICK)
            idle = 0 if self.running else idle + 1
            for engine in self.engines:
                c.engine_increment_epoch(engine.pointer)


PoolT = TypeVar("PoolT", bound=Pool[Any])


class Runtime:
    """The engines of this process, by key, and their ticker. There is one, which all gateways
    share: see `runtime`."""

    def __init__(self) -> None:
        self.ticker = Ticker()
        # Whether Wasmtime has begun threads of its own, once in the life of a process: for
        # components, and for guests with directories. In a child it would wait for them for ever,
        # where no limit ends the guest.
        self.has_threads = False
        self._engines: dict[Hashable, Any] = {}
        self._making = threading.Lock()

    def made(self, key: Hashable, make: Callable[[Any], PoolT]) -> PoolT:
        """The engine of this key, made where it is not there yet. Keys of one class have
        engines of one class."""
        engine = self._engines.get(key)
        if engine is None:
            with self._making:
                engine = self._engines.get(key)
                if engine is None:
                    engine = self._engines[key] = make(key)
                    self.ticker.engines = [*self._engines.values()]
        made: PoolT = engine
        return made


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
    return engine_with_pool(new_config(features, components), 0, False, numbers)


def wat_to_wasm(text: bytes) -> bytes:
    """The binary form of a module in text form. Raises ModuleError with line and column."""
    vector = c.ByteVec()
    taken(c.wat2wasm(text, len(text), ctypes.byref(vector)))
    try:
        return ctypes.string_at(vector.data or 0, vector.size)
    finally:
        c.byte_vec_delete(ctypes.byref(vector))
