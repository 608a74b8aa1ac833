"""Engines for components: pools whose sizes follow from what an instance of a component takes.

There are two shapes of pools, so that many components share an engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wsgi_wasm.binary import limits
from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.engine.capi import component as cc
from wsgi_wasm.engine.capi.native import ComponentJob
from wsgi_wasm.engine.component.output_file import OutputFile
from wsgi_wasm.engine.pools import SMALL_MEMORY, Pool, PoolKey, PoolShape
from wsgi_wasm.engine.runtime import runtime
from wsgi_wasm.errors import Unavailable


class ComponentSlot:
    """What a running component writes to, and the job of a native run. A slot is taken from its
    pool for a run, so no other thread sees it."""

    __slots__ = ("errors", "gathered", "guest", "job", "output")

    def __init__(self) -> None:
        self.output: OutputFile | None = None  # these are made by the first run
        self.errors: OutputFile | None = None
        self.job: ComponentJob | None = None
        self.gathered: Any = None  # the buffer in which a job returns output
        self.guest = 0  # the number of the guest that the job was last made ready for

    def files(self) -> tuple[OutputFile, OutputFile]:
        """For standard output and errors, ready for a run. Raises Unavailable."""
        if self.output is None or self.errors is None:
            try:
                self.output, self.errors = OutputFile("wsgi_wasm-stdout"), OutputFile("wsgi_wasm-stderr")
            except OSError as error:
                raise Unavailable(f"the output of a component cannot be stored: {error.strerror}") from None
        self.output.begin()
        self.errors.begin()
        return self.output, self.errors


class ComponentEngine(Pool[ComponentSlot]):
    """An engine with a pool for components."""

    def __init__(self, key: PoolKey) -> None:
        super().__init__(key, [ComponentSlot() for _ in range(key.shape.guests)])
        self.linkers: dict[Any, int] = {}  # wasmtime_component_linker_t, by what is defined in them

    def free(self) -> None:
        """As `Pool.free`."""
        for linker in self.linkers.values():
            cc.linker_delete(linker)


_COMMON = PoolShape(0, memories=4, tables=16, core_instances=64, components=True)
_LARGE = PoolShape(
    0,
    memories=limits.MEMORIES,
    tables=limits.TABLES,
    # Wasmtime makes modules of its own for the calls between components.
    core_instances=limits.CORE_INSTANCES + 2 * limits.COMPONENT_INSTANCES,
    components=True,
)
# of large components, at a time
FEWEST_LARGE, SHARE_OF_LARGE, MOST_LARGE = 4, 4, 32


def component_shape(facts: ComponentFacts, instances: int) -> PoolShape:
    """The shape of the pool that a component runs in. Nearly all components fit into the common
    one. Those that need more share another one, which has room for fewer guests, as each takes
    much address space."""
    taken = (facts.memories, facts.tables, facts.core_instances)
    common = (_COMMON.memories, _COMMON.tables, _COMMON.core_instances)
    if all(one <= most for one, most in zip(taken, common, strict=True)):
        return replace(_COMMON, guests=instances)
    return replace(_LARGE, guests=min(instances, max(FEWEST_LARGE, instances // SHARE_OF_LARGE), MOST_LARGE))


def component_engine(features: frozenset[str], facts: ComponentFacts, instances: int) -> ComponentEngine:
    """The engine of this process for a component. Raises NoRoom."""
    shape = component_shape(facts, instances)
    return runtime().made(PoolKey(features, facts.memory_minimum <= SMALL_MEMORY, shape), ComponentEngine)
