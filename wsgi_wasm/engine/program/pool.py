"""Engines for programs, by the size of their memory, and the slots of their pools."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import Job
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.runtime import (
    SMALL_MEMORY,
    Pool,
    check_address_space,
    engine_with_pool,
    new_config,
    runtime,
)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What an engine keeps to make forwarders (see `forwarding`): the compiled module, and a linker
    with Wasmtime's own WASI."""

    module: int
    linker: int


class Slot:
    """Buffers of one running guest. A slot is taken from its pool for a run, so no other
    thread sees it."""

    __slots__ = (
        "arguments", "extern", "extern_at", "forwarding", "func_at", "guest", "instance", "instance_at", "job",
        "memory", "memory_at", "output", "preopens", "trap", "trap_at",
    )  # fmt: skip

    def __init__(self) -> None:
        self.instance = ctypes.create_string_buffer(c.SIZEOF_INSTANCE)
        self.extern = ctypes.create_string_buffer(c.SIZEOF_EXTERN)
        self.memory = ctypes.create_string_buffer(c.SIZEOF_EXTERN)
        self.trap = ctypes.c_void_p()
        self.instance_at = ctypes.addressof(self.instance)
        self.extern_at = ctypes.addressof(self.extern)
        self.func_at = self.extern_at + c.OF_EXTERN
        self.memory_at = ctypes.addressof(self.memory) + c.OF_EXTERN
        self.trap_at = ctypes.addressof(self.trap)
        self.job: Job | None = None  # and the output that it gathers: made by the first native run
        self.output: ctypes.Array[ctypes.c_char] | None = None
        # the number of the guest that the job was last made ready for, and its arguments
        self.guest = 0
        self.arguments: Sequence[bytes] = ()
        self.forwarding: Forwarding | None = None  # while the guest has directories
        self.preopens: Sequence[Preopen] = ()


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What distinguishes engines: optional features, whether memories are small enough to be kept
    resident, and the number of guests at once."""

    features: frozenset[str]
    small: bool
    instances: int


class Engine(Pool[Slot]):
    """A `wasm_engine_t` with its pool. Never freed: a process makes few, and each reserves address
    space for good."""

    def __init__(self, key: EngineKey) -> None:
        instances = key.instances
        check_address_space(instances)
        pointer = engine_with_pool(
            new_config(key.features),
            instances,
            key.small,
            {
                # A guest that writes to files gets a second instance, which has no memory of its
                # own (see `wasi`).
                "total_core_instances": 2 * instances,
                "total_memories": instances,
                "total_tables": 4 * instances,
                "max_tables_per_module": 4,
                "max_memories_per_module": 1,
            },
        )
        super().__init__(pointer, [Slot() for _ in range(instances)])
        self.key = key
        self.linker = 0  # wasmtime_linker_t, once a module has been linked
        self.forwarding: Forwarding | None = None  # once a guest with directories has been linked


def program_engine(features: frozenset[str], memory_minimum: int, instances: int) -> Engine:
    """The engine of this process for modules with these features and this much
    initial memory (bytes)."""
    return runtime().made(EngineKey(features, memory_minimum <= SMALL_MEMORY, instances), Engine)
