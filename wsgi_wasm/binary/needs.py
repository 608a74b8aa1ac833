"""Counts what an instance of a component takes: core instances, memories, tables. Pools and limits
are set by it.

The same component may be instantiated several times inside another, so counts multiply;
each is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from wsgi_wasm.binary import limits
from wsgi_wasm.binary.component_types import TypeCopier, extern_name, skip_parts
from wsgi_wasm.binary.reader import (
    ALIAS,
    COMPONENT,
    COMPONENT_SORT,
    CORE_INSTANCE,
    CORE_MODULE,
    CORE_PREAMBLE,
    CORE_SORT,
    IMPORT,
    INSTANCE,
    Reader,
    malformed,
    sections,
)
from wsgi_wasm.binary.tables import read_tables
from wsgi_wasm.errors import ModuleError

PAGE = 65536
MAX_DEPTH = 32  # of components inside each other
SMALL_BOUND = 1 << 20  # bytes; a memory that can never grow past this counts with its own limit

_CORE_MODULE_SORT = 0x11


class Needs(NamedTuple):
    """What one instance takes; `component_instances` are those inside it. `minimum` is what its
    memories begin with, in bytes, and `largest` the most that one of them does; `bounded` is what
    the small ones can grow to, and `unbounded` the number of the others. `table_largest` is the
    most elements that a table begins with."""

    component_instances: int = 0
    core_instances: int = 0
    memories: int = 0
    tables: int = 0
    minimum: int = 0
    bounded: int = 0
    unbounded: int = 0
    largest: int = 0
    table_largest: int = 0

    def plus(self, other: Needs) -> Needs:
        """Both together."""
        sums = Needs._make(one + two for one, two in zip(self, other, strict=True))
        return sums._replace(
            largest=max(self.largest, other.largest), table_largest=max(self.table_largest, other.table_largest)
        )


@dataclass(slots=True)
class _Scope:
    """The index spaces of a component that matter here; None is what is not known, an
    import for one."""

    parent: _Scope | None
    modules: list[Needs | None] = field(default_factory=list)
    components: list[Needs | None] = field(default_factory=list)

    def outer(self, level: int) -> _Scope | None:
        scope: _Scope | None = self
        for _ in range(level):
            scope = scope.parent if scope is not None else None
        return scope


def needs(source: bytes) -> Needs:
    """What an instance of a component takes. Raises ModuleError for more than the
    engine should hold."""
    found = _component(source, 0, len(source), None, 0)
    limits.check_count(found.core_instances, limits.CORE_INSTANCES, "core instances")
    limits.check_count(found.component_instances, limits.COMPONENT_INSTANCES, "instances of components inside it")
    limits.check_count(found.memories, limits.MEMORIES, "memories")
    limits.check_count(found.tables, limits.TABLES, "tables")
    limits.check_table_elements(found.table_largest)
    limits.check_memory_size(found.largest)
    return found


def _component(source: bytes, start: int, end: int, parent: _Scope | None, depth: int) -> Needs:
    if depth > MAX_DEPTH:
        raise ModuleError(f"has components that are nested more than {MAX_DEPTH} levels deep")
    scope, total = _Scope(parent), Needs()
    for number, begin, stop in sections(source, start, end):
        reader = Reader(source, begin, stop)
        if number == CORE_MODULE:
            scope.modules.append(_core_module(source, begin, stop))
        elif number == COMPONENT:
            scope.components.append(_component(source, begin, stop, scope, depth + 1))
        elif number == CORE_INSTANCE:
            for _ in range(reader.count()):
                total = total.plus(_core_instance(reader, scope))
        elif number == INSTANCE:
            for _ in range(reader.count()):
                total = total.plus(_instance(reader, scope))
        elif number == ALIAS:
            for _ in range(reader.count()):
                _alias(reader, scope)
        elif number == IMPORT:
            _imports(reader, scope)
    return total


def _looked_up(known: list[Needs | None], index: int, reader: Reader) -> Needs:
    if index >= len(known):
        raise malformed(f"index {index} does not exist", reader.position)
    found = known[index]
    if found is None:
        raise ModuleError("instantiates a module or component that it imports, which is not supported")
    return found


def _core_instance(reader: Reader, scope: _Scope) -> Needs:
    form = reader.byte()
    if form == 0:
        taken = _looked_up(scope.modules, reader.number(), reader)
        for _ in range(reader.count()):
            reader.name()
            reader.byte()
            reader.number()
        return taken
    for _ in range(reader.count()):
        reader.name()
        reader.byte()
        reader.number()
    return Needs()


def _instance(reader: Reader, scope: _Scope) -> Needs:
    form = reader.byte()
    taken = Needs()
    if form == 0:
        taken = _looked_up(scope.components, reader.number(), reader).plus(Needs(component_instances=1))
    skip_parts(reader, named=form == 0)
    return taken


def _alias(reader: Reader, scope: _Scope) -> None:
    sort = reader.byte()
    core = reader.byte() if sort == CORE_SORT else -1
    target = reader.byte()
    known: Needs | None = None
    space = scope.modules if core == _CORE_MODULE_SORT else scope.components if sort == COMPONENT_SORT else None
    if target == 2:
        level, index = reader.number(), reader.number()
        outer = scope.outer(min(level, MAX_DEPTH + 1))
        if outer is not None and space is not None:
            there = outer.modules if space is scope.modules else outer.components
            known = there[index] if index < len(there) else None
    else:
        reader.number()
        reader.name()
    if space is not None:
        space.append(known)


def _imports(reader: Reader, scope: _Scope) -> None:
    # Only how many components and modules are imported matters: their indexes come before those of
    # the others.
    for _ in range(reader.count()):
        extern_name(reader)
        sort = reader.peek()
        if sort == COMPONENT_SORT:
            scope.components.append(None)
        elif sort == CORE_SORT:
            scope.modules.append(None)
        TypeCopier.skip_description(reader)


def _core_module(source: bytes, start: int, end: int) -> Needs:
    """A core module's own memories and tables. The core specification, 5.5."""
    if source[start : start + 8] != CORE_PREAMBLE:
        raise malformed("expected a core module", start)
    reader = Reader(source, start + 8, end)
    found = Needs(core_instances=1)
    while reader.position < end:
        number, size = reader.byte(), reader.number()
        if size > end - reader.position:
            raise malformed("a core module is truncated", reader.position)
        section = Reader(source, reader.position, reader.position + size)
        if number == 5:
            for _ in range(section.count()):
                found = found.plus(_memory(section))
        elif number == 4:
            count, largest = read_tables(section)
            found = found.plus(Needs(tables=count, table_largest=largest))
        reader.position += size
    return found


def _memory(reader: Reader) -> Needs:
    flags = reader.byte()
    minimum = reader.wide_number() * PAGE
    maximum = reader.wide_number() * PAGE if flags & 1 else None
    if flags & 8:
        reader.number()  # a page size of its own
    if maximum is not None and maximum <= SMALL_BOUND:
        return Needs(memories=1, minimum=minimum, bounded=maximum, largest=minimum)
    return Needs(memories=1, minimum=minimum, unbounded=1, largest=minimum)
