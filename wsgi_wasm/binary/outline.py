"""What a component says of itself: imports with what each holds, exports, and whether it is of the
WASI 0.3 generation.

Imports are copied into the component that is written as they are read: each definition that an
import may need goes there in order, so nothing recurses and nothing is looked for later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from wsgi_wasm.binary.component_imports import ImportCopy, PendingImport
from wsgi_wasm.binary.component_types import TypeCopier, extern_name
from wsgi_wasm.binary.reader import CORE_SORT, EXPORT, INSTANCE_SORT, Reader, sections
from wsgi_wasm.binary.writer import Item, Writer

Provider = Callable[[str], Item | None]


@dataclass(slots=True)
class CopiedImport:
    """One import: its name, its sort, what it holds if it is an instance, and the item that stands
    for it in the component that was written."""

    name: str
    sort: int
    exports: list[tuple[str, int]]
    item: Item


@dataclass(slots=True)
class Outline:
    """A component's imports, its exports by name and sort, and what it has of WASI 0.3, in
    words, or "".

    `used_types` are what `use` in a world makes: types of imported interfaces, imported once more
    under names of their own, with what stands for them.
    """

    imports: list[CopiedImport] = field(default_factory=list)
    used_types: list[tuple[str, Item]] = field(default_factory=list)
    exports: dict[str, int] = field(default_factory=dict)
    asynchronous: str = ""

    def arguments(self) -> list[tuple[str, Item]]:
        """What an instance of the component is given."""
        return [*((one.name, one.item) for one in self.imports), *self.used_types]


def copy_imports(
    source: bytes, writer: Writer, provide: Provider = lambda name: None, functions: Collection[str] | None = None
) -> Outline:
    """Copy a component's imports into `writer`, except those for which `provide` has an item;
    and its outline.

    With `functions`, interfaces come without functions of other names. Raises ModuleError for what
    is malformed, and for imports that come after definitions of the component's own.
    """
    reading = ImportCopy(source, writer, functions=functions)
    found = Outline(exports=dict(_exports(source)))
    pending = reading.next(None)
    while pending is not None:
        item = pending.same_type()
        if item is not None:
            found.used_types.append((pending.name, item))
            pending = reading.next(item)
            continue
        item = provide(pending.name)
        if item is None:
            item = writer.add_import(pending.form, pending.description, pending.sort)
        found.imports.append(imported(pending, item))
        pending = reading.next(item)
    found.asynchronous = reading.asynchronous
    return found


def imported(pending: PendingImport, item: Item) -> CopiedImport:
    """An import, now that it is known what stands for it. Raises ModuleError where that is
    of another kind."""
    pending.check(item)
    return CopiedImport(pending.name, pending.sort, pending.members if pending.sort == INSTANCE_SORT else [], item)


def outline(source: bytes) -> Outline:
    """What a component says of itself. Raises ModuleError."""
    return copy_imports(source, Writer())


def _exports(source: bytes) -> Iterator[tuple[str, int]]:
    for number, start, end in sections(source):
        if number != EXPORT:
            continue
        reader = Reader(source, start, end)
        for _ in range(reader.count()):
            _, name = extern_name(reader)
            sort = reader.byte()
            if sort == CORE_SORT:
                reader.byte()
            reader.number()
            if reader.byte():  # a type is ascribed
                TypeCopier.skip_description(reader)
            yield name, sort
        reader.finish()
