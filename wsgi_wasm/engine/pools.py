"""Engines of Wasmtime with their pools: how they are set up, and what they reserve."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from wsgi_wasm.binary import limits
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.free_list import FreeList
from wsgi_wasm.engine.room import Reservation
from wsgi_wasm.errors import NoRoom, Unavailable

# bytes; a memory up to this size is reset by writing over it, a larger one by giving it back
SMALL_MEMORY = 1 << 20
# bytes of address space for each memory, so that no access needs a bounds check: the memory and
# Wasmtime's guard after it
SLOT_RESERVATION = limits.MEMORY + (32 << 20)
TABLE_RESERVATION = 8 * limits.TABLE_ELEMENTS  # bytes
MEMORY_MAPPINGS = 3  # of a memory in use: what the module begins with, the rest, what is not there

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


@dataclass(frozen=True, slots=True)
class PoolShape:
    """How many guests a pool has room for at a time, and the most that each of them can take. A
    program is one instance beside a second one that forwards its calls; `components` tells that
    the numbers are of one instance of a component with all that is inside it."""

    guests: int
    memories: int
    tables: int
    core_instances: int
    components: bool

    def numbers(self) -> dict[str, int]:
        """The same as Wasmtime's settings of a pool."""
        most = {
            "total_core_instances": self.guests * self.core_instances,
            "total_memories": self.guests * self.memories,
            "total_tables": self.guests * self.tables,
            "max_unused_warm_slots": self.guests,
            "max_tables_per_module": self.tables,
            "max_memories_per_module": self.memories,
        }
        if not self.components:
            return most
        return most | {
            "total_component_instances": self.guests,
            "max_core_instances_per_component": self.core_instances,
            "max_memories_per_component": self.memories,
            "max_tables_per_component": self.tables,
        }


@dataclass(frozen=True, slots=True)
class PoolKey:
    """What distinguishes the engines of a process: optional features, whether memories are small
    enough to be kept resident, and the shape of the pool."""

    features: frozenset[str]
    small: bool
    shape: PoolShape

    @property
    def heaps(self) -> int:
        """Heaps of the collector, each of which takes a memory of the pool."""
        return self.shape.guests if "gc_support" in _switches(self.features) else 0

    @property
    def reservation(self) -> Reservation:
        """What the process needs to have for it."""
        memories = self.shape.guests * self.shape.memories + self.heaps
        tables = self.shape.guests * self.shape.tables * TABLE_RESERVATION
        return Reservation(memories * SLOT_RESERVATION, tables, 2 + MEMORY_MAPPINGS * memories)


EXCEPTIONS_IF_USED = "exceptions_if_used"


def resolved(features: frozenset[str], needed: Collection[str] = ()) -> frozenset[str]:
    """The features of the engine for a module that needs these, out of those that the site allows.
    One that needs what it may not have gets an engine that refuses it by name."""
    granted = {"exceptions"} & set(needed) if EXCEPTIONS_IF_USED in features else set()
    return features - {EXCEPTIONS_IF_USED} | granted


def _switches(features: frozenset[str]) -> set[str]:
    return {switch for feature in features for switch in OPTIONAL_FEATURES[feature]}


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
    wanted = _switches(features)
    for switch in sorted({switch for switches in OPTIONAL_FEATURES.values() for switch in switches}):
        c.config_switch(config, switch, switch in wanted)
    return config


def engine_with_pool(config: int, small: bool, heaps: int, numbers: Mapping[str, int]) -> int:
    """A `wasm_engine_t` of this configuration, which it takes over. `numbers` are what the pool has
    for each kind of thing; the rest is the same for all."""
    pooling = c.pooling_new()
    for name, value in {
        "table_elements": limits.TABLE_ELEMENTS,
        "table_keep_resident": 65536,
        "max_core_instance_size": limits.INSTANCE_STATE,
        "max_component_instance_size": limits.INSTANCE_STATE,
        "max_memory_size": limits.MEMORY,  # a route's own limit is set on its store
        "linear_memory_keep_resident": SMALL_MEMORY if small else 0,
        "total_gc_heaps": heaps,
        # of asynchronous calls, which are not made: each would be two mappings of the process
        "total_stacks": 0,
        **numbers,
        "total_memories": numbers["total_memories"] + heaps,
    }.items():
        c.pooling_number(pooling, name, value)
    c.pooling_use(config, pooling)
    c.pooling_delete(pooling)
    return int(c.engine_new(config))


SlotT = TypeVar("SlotT")


class Pool(Generic[SlotT]):
    """A `wasm_engine_t` (`pointer`) with one slot for each guest that it can run at a time.

    It is freed with its last module: every module, and so every run, holds on to its pool.
    """

    pointer = 0

    def __init__(self, key: PoolKey, slots: Sequence[SlotT]) -> None:
        """Raises NoRoom where the clock of guests cannot be started."""
        self.key = key
        self._pid = os.getpid()
        self.instances = len(slots)
        self.slots = FreeList(slots)
        shape = key.shape
        self.pointer = engine_with_pool(
            new_config(key.features, shape.components), key.small, key.heaps, shape.numbers()
        )
        if native is not None and native.ticks(self.pointer):
            raise NoRoom("has no room in this process: the thread that advances the clock of guests cannot be started")

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

    def free(self) -> None:
        """Free what belongs to the engine, before the engine itself."""

    def __del__(self) -> None:
        # After a fork the child owns none of it. At exit of the interpreter nothing is freed: the
        # functions may be gone already, and the process is ending.
        if sys is None or sys.is_finalizing() or not self.pointer or os.getpid() != self._pid:
            return
        # Weak references to this object are good until the end of this method, and others run while
        # it is freed: by this they see that it is gone.
        pointer, self.pointer = self.pointer, 0
        if native is not None:
            native.ticks_no_more(pointer)
        self.free()
        c.engine_delete(pointer)
