"""Engines for components: pools whose sizes follow from what an instance of a component takes.

Components of like needs share an engine, so needs are rounded up to powers of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.engine.capi.native import ComponentJob
from wsgi_wasm.engine.component.output_file import OutputFile
from wsgi_wasm.engine.runtime import (
    SMALL_MEMORY,
    Pool,
    check_address_space,
    engine_with_pool,
    new_config,
    runtime,
)
from wsgi_wasm.errors import Unavailable


def _rounded(count: int, least: int) -> int:
    """The next power of two, from `least` on."""
    size = least
    while size < count:
        size *= 2
    return size


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


@dataclass(frozen=True, slots=True)
class ComponentEngineKey:
    """What distinguishes engines for components."""

    features: frozenset[str]
    small: bool
    instances: int
    core_instances: int
    memories: int
    tables: int


class ComponentEngine(Pool[ComponentSlot]):
    """An engine with a pool for components."""

    def __init__(self, key: ComponentEngineKey) -> None:
        instances = key.instances
        check_address_space(instances * key.memories)
        pointer = engine_with_pool(
            new_config(key.features, components=True),
            instances,
            key.small,
            {
                "total_component_instances": instances,
                "max_core_instances_per_component": key.core_instances,
                "max_memories_per_component": key.memories,
                "max_tables_per_component": key.tables,
                "total_core_instances": instances * key.core_instances,
                "total_memories": instances * key.memories,
                "total_tables": instances * key.tables,
                "max_tables_per_module": key.tables,
                "max_memories_per_module": key.memories,
            },
        )
        super().__init__(pointer, [ComponentSlot() for _ in range(instances)])
        self.key = key
        self.linkers: dict[Any, int] = {}  # wasmtime_component_linker_t, by what is defined in them


def component_engine(features: frozenset[str], facts: ComponentFacts, instances: int) -> ComponentEngine:
    """The engine of this process for a component. Raises EngineError where its pool
    finds no place."""
    key = ComponentEngineKey(
        features,
        facts.memory_minimum <= SMALL_MEMORY,
        instances,
        _rounded(facts.core_instances, 8),
        _rounded(facts.memories, 2),
        _rounded(facts.tables, 4),
    )
    return runtime().made(key, ComponentEngine)
