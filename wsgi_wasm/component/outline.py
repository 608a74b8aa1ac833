"""What a component says of itself: imports with what each holds, exports, and whether it is of the WASI 0.3 generation.

Imports are copied as they are read (`Imports.copy`): each definition that an import may need goes into the component
that is written, in order, so nothing recurses and nothing is looked for later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wsgi_wasm.component.reader import (
    ALIAS,
    COMPONENT,
    COMPONENT_SORT,
    CORE_INSTANCE,
    CORE_MODULE,
    CORE_SORT,
    CORE_TYPE,
    CUSTOM,
    EXPORT,
    FUNC_SORT,
    IMPORT,
    INSTANCE,
    INSTANCE_SORT,
    TYPE,
    TYPE_SORT,
    VALUE_SORT,
    Reader,
    Section,
    malformed,
    sections,
)
from wsgi_wasm.component.types import TypeCopier, extern_name
from wsgi_wasm.component.writer import Item, Writer
from wsgi_wasm.errors import ModuleError

# Sections that may come before an import without meaning anything to it.
_PASSED_OVER = (CUSTOM, CORE_MODULE, CORE_INSTANCE, CORE_TYPE)

Supply = Callable[[str], Item | None]


@dataclass(slots=True)
class Import:
    """One import: its name, its sort, what it holds if it is an instance, and the item that stands for it in the
    component that was written."""

    name: str
    sort: int
    exports: list[tuple[str, int]]
    item: Item


@dataclass(slots=True)
class Outline:
    """A component's imports, its exports by name and sort, and what it has of WASI 0.3, in words, or ""."""

    imports: list[Import] = field(default_factory=list)
    exports: dict[str, int] = field(default_factory=dict)
    asynchronous: str = ""


class _Reading:
    """Copies the imports of one component into a writer, with the types and aliases before them."""

    def __init__(self, source: bytes, writer: Writer, supply: Supply) -> None:
        self.source = source
        self.writer = writer
        self.supply = supply
        self.outline = Outline()
        self.spaces: dict[int, list[Item | None]] = {
            sort: [] for sort in (FUNC_SORT, VALUE_SORT, TYPE_SORT, COMPONENT_SORT, INSTANCE_SORT)
        }
        self.members: dict[int, list[tuple[str, int]]] = {}  # of instance types, by type index
        self.copier = TypeCopier(self.spaces[TYPE_SORT], self.spaces[COMPONENT_SORT])

    def section(self, section: Section) -> None:
        reader = Reader(self.source, section.start, section.end)
        read = {TYPE: self._type, ALIAS: self._alias, IMPORT: self._import, INSTANCE: self._instance}.get(
            section.number
        )
        if section.number == COMPONENT:
            self.spaces[COMPONENT_SORT].append(None)
        elif read is not None:
            for _ in range(reader.count()):
                read(reader)
            reader.finish()
        elif section.number not in _PASSED_OVER:
            raise ModuleError(f"has imports after its definitions (section at byte {section.start}): not supported")

    def _type(self, reader: Reader) -> None:
        body = self.copier.definition(reader)
        types = self.spaces[TYPE_SORT]
        self.members[len(types)] = self.copier.exports
        types.append(None if body is None else self.writer.add_type(body))

    def _alias(self, reader: Reader) -> None:
        sort = reader.byte()
        if sort == CORE_SORT:
            reader.byte()
        target = reader.byte()
        if target == 2:
            raise malformed("an alias reaches outside of the component", reader.position)
        index, name = reader.number(), reader.name()
        if sort == CORE_SORT:
            return
        space = self._space(sort, reader)
        instances = self.spaces[INSTANCE_SORT]
        if target != 0 or index >= len(instances):
            raise malformed("an alias of what is not there", reader.position)
        instance = instances[index]
        space.append(None if instance is None else self.writer.alias(sort, instance, name))

    def _instance(self, reader: Reader) -> None:
        # An instance made here: what it holds is not known, and an import that needs it cannot be copied.
        form = reader.byte()
        if form == 0:
            reader.number()
        for _ in range(reader.count()):
            if form == 0:
                reader.name()
            else:
                extern_name(reader)
            if reader.byte() == CORE_SORT:
                reader.byte()
            reader.number()
        self.spaces[INSTANCE_SORT].append(None)

    def _import(self, reader: Reader) -> None:
        form, name = extern_name(reader)
        description, sort, mentioned = self.copier.description(reader)
        if description is None:
            raise ModuleError(f"has an import, {name}, whose type depends on its own definitions: not supported")
        item = self.supply(name)
        if item is None:
            item = self.writer.add_import(form, description, sort)
        elif item.sort != sort:
            raise ModuleError(f"imports {name}, which is of another kind than what is offered under that name")
        self._space(sort, reader).append(item)
        members = self.members.get(mentioned, []) if sort == INSTANCE_SORT and mentioned is not None else []
        self.outline.imports.append(Import(name, sort, members, item))

    def _space(self, sort: int, reader: Reader) -> list[Item | None]:
        space = self.spaces.get(sort)
        if space is None:
            raise malformed(f"an unknown sort ({sort})", reader.position)
        return space


def copy_imports(source: bytes, writer: Writer, supply: Supply = lambda name: None) -> Outline:
    """Copy a component's imports into `writer`, except those for which `supply` has an item; and its outline.

    Raises ModuleError for what is malformed, and for imports that come after definitions of the component's own.
    """
    found = list(sections(source))
    last = max((position for position, section in enumerate(found) if section.number == IMPORT), default=-1)
    reading = _Reading(source, writer, supply)
    for section in found[: last + 1]:
        reading.section(section)
    outline = reading.outline
    outline.asynchronous = reading.copier.asynchronous
    for section in found:
        if section.number == EXPORT:
            _read_exports(Reader(source, section.start, section.end), outline)
    return outline


def _read_exports(reader: Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        _, name = extern_name(reader)
        sort = reader.byte()
        if sort == CORE_SORT:
            reader.byte()
        reader.number()
        outline.exports[name] = sort
        if reader.byte():  # a type is ascribed
            TypeCopier.skip_description(reader)
    reader.finish()


def outline(source: bytes) -> Outline:
    """What a component says of itself. Raises ModuleError."""
    return copy_imports(source, Writer())
