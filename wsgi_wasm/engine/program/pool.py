"""Engines for programs, by the size of their memory, and the slots of their pools."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from wsgi_wasm.binary import limits
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import Job
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.pools import SMALL_MEMORY, Pool, PoolKey, PoolShape
from wsgi_wasm.engine.program.tree import Tree
from wsgi_wasm.engine.runtime import runtime


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What an engine keeps to make forwarders (see `forwarding`): the compiled module, and a linker
    with Wasmtime's own WASI."""

    module: int
    linker: int


ChannelFunction: TypeAlias = Callable[[Any, int, Any], int]
"""The function of the channel, with what a route binds to it: takes the `ProgramRun`, the caller
and the arguments, and returns an errno."""


class Slot:
    """Buffers of one running guest. A slot is taken from its pool for a run, so no other
    thread sees it."""

    __slots__ = (
        "arguments", "channel", "extern", "extern_at", "forwarding", "func_at", "guest", "instance", "instance_at",
        "job", "memory", "memory_at", "output", "preopens", "trap", "trap_at", "tree",
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
        self.channel: ChannelFunction | None = None  # of a guest that imports it
        self.tree: Tree | None = None  # of a guest that may be frozen


class Engine(Pool[Slot]):
    """An engine with a pool for programs."""

    def __init__(self, key: PoolKey) -> None:
        super().__init__(key, [Slot() for _ in range(key.shape.guests)])
        self.linker = 0  # wasmtime_linker_t, once a module has been linked
        self.forwarding: Forwarding | None = None  # once a guest with directories has been linked

    def free(self) -> None:
        """As `Pool.free`."""
        if self.forwarding is not None:
            c.module_delete(self.forwarding.module)
            c.linker_delete(self.forwarding.linker)
        if self.linker:
            c.linker_delete(self.linker)


def program_engine(features: frozenset[str], memory_minimum: int, instances: int) -> Engine:
    """The engine of this process for modules with these features and this much initial memory
    (bytes). Raises NoRoom."""
    # A guest that writes to files gets a second instance, which has no memory of its own (see
    # `forwarding`).
    shape = PoolShape(instances, memories=1, tables=limits.MODULE_TABLES, core_instances=2, components=False)
    return runtime().made(PoolKey(features, memory_minimum <= SMALL_MEMORY, shape), Engine)
