"""Reads a component up to its last import, and copies into a writer what its imports may need:
types and aliases.

It stops at each import, so that whoever copies decides what stands for it: an import of the same
name in the component that is written, or something that is there already.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import dataclass

from wsgi_wasm.binary.component_types import TypeCopier, extern_name, skip_parts
from wsgi_wasm.binary.reader import (
    ALIAS,
    COMPONENT,
    COMPONENT_SORT,
    CORE_INSTANCE,
    CORE_MODULE,
    CORE_SORT,
    CORE_TYPE,
    CUSTOM,
    FUNC_SORT,
    IMPORT,
    INSTANCE,
    INSTANCE_SORT,
    SORT_NAMES,
    TYPE,
    TYPE_SORT,
    VALUE_SORT,
    Reader,
    malformed,
    sections,
)
from wsgi_wasm.binary.writer import Item, Writer
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import escaped

# Sections that may come before an import without meaning anything to it.
_PASSED_OVER = (CUSTOM, CORE_MODULE, CORE_INSTANCE, CORE_TYPE)


@dataclass(frozen=True, slots=True)
class PendingImport:
    """An import that the reading waits at. `form` is its encoded name, `description` what it is,
    for the writer.

    `members` are the exports of an instance, by name and sort; `type_at` is where its type stands
    in the source, None where that is no type of the component's own.
    """

    name: str
    sort: int
    form: bytes
    description: bytes
    members: list[tuple[str, int]]
    type_at: int | None

    def same_type(self) -> Item | None:
        """The type that stands for an import of a type that is there already: what `use` in
        a world makes."""
        if self.sort != TYPE_SORT or self.description[1] != 0:  # a resource, or no type
            return None
        return Item(TYPE_SORT, Reader(self.description, 2, len(self.description)).number())

    def check(self, item: Item) -> None:
        """Raises ModuleError where `item` cannot stand for this import."""
        if item.sort != self.sort:
            wanted, found = SORT_NAMES[self.sort], SORT_NAMES[item.sort]
            raise ModuleError(f"imports {escaped(self.name)}, which is a {found}, as a {wanted}")


class ImportCopy:
    """One component's imports being copied. `next` goes on to the next import, having been told
    what stands for the one before; None stands for nothing, and what depends on it is left out.
    `names` are all imports, in order.

    With `lenient`, an import whose type depends on something left out is left out itself, instead
    of being an error. With `functions`, interfaces come without functions of other names.
    """

    def __init__(
        self, source: bytes, writer: Writer, lenient: bool = False, functions: Collection[str] | None = None
    ) -> None:
        self.source = source
        self._writer = writer
        self._lenient = lenient
        self._spaces: dict[int, list[Item | None]] = {
            sort: [] for sort in (FUNC_SORT, VALUE_SORT, TYPE_SORT, COMPONENT_SORT, INSTANCE_SORT)
        }
        # place and members, by type index
        self._types: dict[int, tuple[int, list[tuple[str, int]]]] = {}
        self._sections = list(sections(source))
        self.copier = TypeCopier(self._spaces[TYPE_SORT], self._spaces[COMPONENT_SORT], functions)
        self.names = [name for section in self._sections if section.number == IMPORT for name in self._named(section)]
        self._steps = self._run()
        self._begun = False

    @property
    def asynchronous(self) -> str:
        """What was met so far that only WASI 0.3 has, in words, or ""."""
        return self.copier.asynchronous

    def next(self, item: Item | None) -> PendingImport | None:
        """The next import, None after the last. Raises ModuleError."""
        try:
            if self._begun:
                return self._steps.send(item)
            self._begun = True
            return next(self._steps)
        except StopIteration:
            return None

    def _named(self, section: tuple[int, int, int]) -> list[str]:
        reader, names = Reader(self.source, section[1], section[2]), []
        for _ in range(reader.count()):
            names.append(extern_name(reader)[1])
            TypeCopier.skip_description(reader)
        return names

    def _run(self) -> Generator[PendingImport, Item | None, None]:
        last = max(
            (position for position, section in enumerate(self._sections) if section.number == IMPORT), default=-1
        )
        readers = {TYPE: self._type, ALIAS: self._alias, INSTANCE: self._instance}
        for number, start, end in self._sections[: last + 1]:
            reader = Reader(self.source, start, end)
            if number == COMPONENT:
                self._spaces[COMPONENT_SORT].append(None)
            elif number == IMPORT:
                for _ in range(reader.count()):
                    yield from self._import(reader)
                reader.finish()
            elif number in readers:
                for _ in range(reader.count()):
                    readers[number](reader)
                reader.finish()
            elif number not in _PASSED_OVER:
                raise ModuleError(f"has imports after its definitions (section at byte {start}): not supported")

    def _type(self, reader: Reader) -> None:
        position = reader.position
        body = self.copier.definition(reader)
        types = self._spaces[TYPE_SORT]
        self._types[len(types)] = position, self.copier.exports
        types.append(None if body is None else self._writer.add_type(body))

    def _alias(self, reader: Reader) -> None:
        sort = reader.byte()
        if sort == CORE_SORT:
            reader.byte()
        target = reader.byte()
        if target == 2:
            raise malformed("an alias refers to something outside the component", reader.position)
        index, name = reader.number(), reader.name()
        if sort == CORE_SORT:
            return
        space = self._space(sort, reader)
        instances = self._spaces[INSTANCE_SORT]
        if target != 0 or index >= len(instances):
            raise malformed("an alias of an item that does not exist", reader.position)
        instance = instances[index]
        space.append(None if instance is None else self._writer.alias(sort, instance, name))

    def _instance(self, reader: Reader) -> None:
        # An instance made here: what it holds is not known, and an import that needs it cannot
        # be copied.
        form = reader.byte()
        if form == 0:
            reader.number()
        skip_parts(reader, named=form == 0)
        self._spaces[INSTANCE_SORT].append(None)

    def _import(self, reader: Reader) -> Generator[PendingImport, Item | None, None]:
        form, name = extern_name(reader)
        description, sort, mentioned = self.copier.description(reader)
        space = self._space(sort, reader)
        if description is None:
            if not self._lenient:
                raise ModuleError(
                    f"has an import, {escaped(name)}, whose type depends on its own definitions: not supported"
                )
            space.append(None)
            return
        position, members = self._types.get(-1 if mentioned is None else mentioned, (None, []))
        space.append((yield PendingImport(name, sort, form, description, members, position)))

    def _space(self, sort: int, reader: Reader) -> list[Item | None]:
        space = self._spaces.get(sort)
        if space is None:
            raise malformed(f"an unknown sort ({sort})", reader.position)
        return space
