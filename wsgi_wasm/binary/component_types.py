"""Copies type definitions between components, where the types that they name have other indexes.

Below the top level (inside a component or instance type) indexes are that type's own and stay as
they are; only an outer alias of the top level is renumbered. Component Model, Binary.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from wsgi_wasm.binary.reader import COMPONENT_SORT, CORE_SORT, FUNC_SORT, INSTANCE_SORT, TYPE_SORT, Reader, malformed
from wsgi_wasm.binary.writer import Item, text, type_index, unsigned
from wsgi_wasm.errors import ModuleError

MAX_DEPTH = 32  # of types inside each other

_STREAM, _FUTURE, _ERROR_CONTEXT, _ASYNC_FUNCTION = 0x66, 0x65, 0x64, 0x43

ASYNCHRONOUS = {_STREAM: "a stream", _FUTURE: "a future", _ERROR_CONTEXT: "an error-context"}


class TypeCopier:
    """Reads type definitions from `reader`; each call gives the bytes of its counterpart.

    `types` and `components` map the source's indexes to items, None for what cannot be named in the
    target; a definition that names one of these comes out as None. `exports` are names and sorts of
    the last instance type. `asynchronous` is what was met that only WASI 0.3 has, in words. With
    `functions`, those of other names are left out of instance types.
    """

    def __init__(
        self,
        types: Sequence[Item | None],
        components: Sequence[Item | None],
        functions: Collection[str] | None = None,
    ) -> None:
        self._types = types
        self._components = components
        self._functions = functions
        self._missing = False
        self._local: Sequence[int] | None = None
        self.exports: list[tuple[str, int]] = []
        self.asynchronous = ""

    def definition(self, reader: Reader) -> bytes | None:
        """One type at the top level."""
        self._missing = False
        self.exports = []
        body = self._defined(reader, 0)
        return None if self._missing else body

    def description(self, reader: Reader) -> tuple[bytes | None, int, int | None]:
        """What an import or export is: bytes, sort, and the source's index of its type, if any."""
        self._missing = False
        start = reader.position
        body, sort = self._external(reader, 0)
        mentioned = None
        if sort != TYPE_SORT or reader.source[start + 1] == 0:
            again = Reader(reader.source, start + (2 if sort == TYPE_SORT else 1), reader.end)
            mentioned = again.number()
        return None if self._missing else body, sort, mentioned

    # --- the declarations of one instance type, whose own types get other indexes ---

    @contextmanager
    def inside(self, local: Sequence[int]) -> Iterator[Self]:
        """For a while, look up indexes one level down in `local`, which may grow meanwhile."""
        self._local = local
        try:
            yield self
        finally:
            self._local = None

    def nested_definition(self, reader: Reader) -> bytes:
        """A type definition one level down."""
        return self._found(self._defined(reader, 1))

    def nested_alias(self, reader: Reader) -> tuple[bytes, int]:
        """An alias one level down, and its sort."""
        sort = reader.peek()
        return self._found(self._alias(reader, 1)), sort

    def nested_description(self, reader: Reader) -> tuple[bytes, int]:
        """What an export one level down is, and its sort."""
        body, sort = self._external(reader, 1)
        return self._found(body), sort

    def _found(self, body: bytes) -> bytes:
        if self._missing:
            self._missing = False
            raise ModuleError("has an import whose type depends on a type that is not imported")
        return body

    @staticmethod
    def skip_description(reader: Reader) -> None:
        """Pass over what an import is, without copying it."""
        sort = reader.byte()
        if sort == CORE_SORT:
            reader.byte()
        if sort == TYPE_SORT and reader.byte() == 1:
            return
        reader.number()

    # --- one kind of definition each ---

    def _defined(self, reader: Reader, depth: int) -> bytes:
        if depth > MAX_DEPTH:
            raise malformed(f"types are nested more than {MAX_DEPTH} levels deep", reader.position)
        kind = reader.byte()
        copy = _DEFINITIONS.get(kind)
        if copy is None and not 0x64 <= kind <= 0x7F:
            raise malformed(f"an unknown kind of type (0x{kind:02x})", reader.position - 1)
        if kind in ASYNCHRONOUS:
            self.asynchronous = self.asynchronous or ASYNCHRONOUS[kind]
        elif kind == _ASYNC_FUNCTION:
            self.asynchronous = self.asynchronous or "an async function"
        return bytes([kind]) + (copy(self, reader, depth) if copy else b"")

    def _value(self, reader: Reader, depth: int) -> bytes:
        """A value type: a primitive one, or the index of a defined one."""
        first = reader.peek()
        if 0x64 <= first <= 0x7F:
            if first in ASYNCHRONOUS:
                self.asynchronous = self.asynchronous or ASYNCHRONOUS[first]
            return bytes([reader.byte()])
        if 0x40 <= first < 0x64:  # a negative number that stands for no type
            raise malformed(f"an unknown value type (0x{first:02x})", reader.position)
        return type_index(self._renumbered(reader.number(), reader, depth))

    def _renumbered(self, index: int, reader: Reader, depth: int) -> int:
        if depth == 0:
            return self._lookup(self._types, index, reader)
        if self._local is None:
            return index
        if depth > 1:
            raise ModuleError("has types inside an imported interface's types, which cannot be merged")
        if index >= len(self._local):
            raise malformed(f"index {index} does not exist", reader.position)
        return self._local[index]

    def _lookup(self, items: Sequence[Item | None], index: int, reader: Reader) -> int:
        if index >= len(items):
            raise malformed(f"index {index} does not exist", reader.position)
        item = items[index]
        if item is None:
            self._missing = True
            return 0
        return item.index

    def _index(self, reader: Reader, depth: int) -> bytes:
        return unsigned(self._renumbered(reader.number(), reader, depth))

    def _optional(self, reader: Reader, depth: int) -> bytes:
        flag = reader.byte()
        return bytes([flag]) + (self._value(reader, depth) if flag else b"")

    def _several(self, reader: Reader, one: Callable[[Reader], bytes]) -> bytes:
        count = reader.count()
        return unsigned(count) + b"".join([one(reader) for _ in range(count)])

    def _named_values(self, reader: Reader, depth: int) -> bytes:
        return self._several(reader, lambda r: text(r.name()) + self._value(r, depth))

    def _names(self, reader: Reader, depth: int) -> bytes:
        return self._several(reader, lambda r: text(r.name()))

    def _function(self, reader: Reader, depth: int) -> bytes:
        out = self._named_values(reader, depth)
        form = reader.byte()
        return out + bytes([form]) + (self._value(reader, depth) if form == 0 else bytes([reader.byte()]))

    def _variant(self, reader: Reader, depth: int) -> bytes:
        return self._several(reader, lambda r: text(r.name()) + self._optional(r, depth) + bytes([r.byte()]))

    def _fixed_list(self, reader: Reader, depth: int) -> bytes:
        return self._value(reader, depth) + unsigned(reader.number())

    def _pair(self, reader: Reader, depth: int) -> bytes:
        return self._value(reader, depth) + self._value(reader, depth)

    def _tuple(self, reader: Reader, depth: int) -> bytes:
        return self._several(reader, lambda r: self._value(r, depth))

    def _result(self, reader: Reader, depth: int) -> bytes:
        return self._optional(reader, depth) + self._optional(reader, depth)

    def _resource(self, reader: Reader, depth: int) -> bytes:
        raise ModuleError("defines a resource before its imports end, which cannot be composed")

    def _component(self, reader: Reader, depth: int) -> bytes:
        return self._several(reader, lambda r: self._declaration(r, depth + 1, imports=True))

    def _instance(self, reader: Reader, depth: int) -> bytes:
        if depth > 0:
            return self._several(reader, lambda r: self._declaration(r, depth + 1, imports=False))
        self.exports = []
        declarations = []
        for _ in range(reader.count()):
            before = len(self.exports)
            body = self._declaration(reader, 1, imports=False)
            if self._is_wanted(self.exports[before:]):
                declarations.append(body)
            else:
                self.exports.pop()
        return unsigned(len(declarations)) + b"".join(declarations)

    def _is_wanted(self, exports: list[tuple[str, int]]) -> bool:
        # A function's name takes no index, so nothing after it is numbered otherwise without it.
        return self._functions is None or not exports or exports[0][1] != FUNC_SORT or exports[0][0] in self._functions

    # --- declarations of component and instance types ---

    def _declaration(self, reader: Reader, depth: int, imports: bool) -> bytes:
        kind = reader.byte()
        if kind == 1:
            return b"\1" + self._defined(reader, depth)
        if kind == 2:
            return b"\2" + self._alias(reader, depth)
        if kind == 4 or (kind == 3 and imports):
            form, name = extern_name(reader)
            body, sort = self._external(reader, depth)
            if depth == 1 and not imports:
                self.exports.append((name, sort))
            return bytes([kind]) + form + body
        raise malformed(f"an unknown declaration (0x{kind:02x}) in a type", reader.position - 1)

    def _alias(self, reader: Reader, depth: int) -> bytes:
        sort, target = reader.byte(), 0
        if sort == CORE_SORT:
            raise ModuleError("has a core alias inside a type, which cannot be composed")
        target = reader.byte()
        if target == 0:
            return bytes([sort, target]) + unsigned(reader.number()) + text(reader.name())
        if target != 2:
            raise malformed(f"an unknown alias (0x{target:02x})", reader.position - 1)
        level, index = reader.number(), reader.number()
        if level > depth:
            raise malformed("an alias refers to something outside the component", reader.position)
        if level == depth:
            spaces = {TYPE_SORT: self._types, COMPONENT_SORT: self._components}
            if sort not in spaces:
                raise malformed("an outer alias of something that is not a type", reader.position)
            index = self._lookup(spaces[sort], index, reader)
        return bytes([sort, target]) + unsigned(level) + unsigned(index)

    def _external(self, reader: Reader, depth: int) -> tuple[bytes, int]:
        sort = reader.byte()
        if sort == TYPE_SORT:
            bound = reader.byte()
            return bytes([sort, bound]) + (self._index(reader, depth) if bound == 0 else b""), sort
        if sort in (FUNC_SORT, COMPONENT_SORT, INSTANCE_SORT):
            return bytes([sort]) + self._index(reader, depth), sort
        what = "a core module" if sort == CORE_SORT else f"something of sort {sort}"
        raise ModuleError(f"imports or exports {what}, which is not supported")


def extern_name(reader: Reader) -> tuple[bytes, str]:
    """The name of an import or export: its bytes with the form before it, and its text."""
    form = reader.byte()
    if form not in (0, 1):
        raise malformed(f"a name of an unknown form ({form})", reader.position - 1)
    name = reader.name()
    return bytes([form]) + text(name), name


def skip_parts(reader: Reader, named: bool) -> None:
    """Pass over the parts of an instance: a component's arguments (`named`), or named items."""
    for _ in range(reader.count()):
        if named:
            reader.name()
        else:
            extern_name(reader)
        if reader.byte() == CORE_SORT:
            reader.byte()
        reader.number()


_DEFINITIONS: dict[int, Callable[[TypeCopier, Reader, int], bytes]] = {
    0x40: TypeCopier._function,
    0x43: TypeCopier._function,
    0x41: TypeCopier._component,
    0x42: TypeCopier._instance,
    0x3F: TypeCopier._resource,
    0x72: TypeCopier._named_values,  # record
    0x71: TypeCopier._variant,
    0x70: TypeCopier._value,  # list
    0x67: TypeCopier._fixed_list,
    0x63: TypeCopier._pair,  # map
    0x6F: TypeCopier._tuple,
    0x6E: TypeCopier._names,  # flags
    0x6D: TypeCopier._names,  # enum
    0x6B: TypeCopier._value,  # option
    0x6A: TypeCopier._result,
    0x69: TypeCopier._index,  # own
    0x68: TypeCopier._index,  # borrow
    0x66: TypeCopier._optional,  # stream
    0x65: TypeCopier._optional,  # future
}
