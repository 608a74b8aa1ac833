"""Writes components: the encoding of numbers, names and sections, and a component that grows
item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsgi_wasm.binary.reader import (
    ALIAS,
    COMPONENT,
    COMPONENT_SORT,
    EXPORT,
    FUNC_SORT,
    IMPORT,
    INSTANCE,
    INSTANCE_SORT,
    PREAMBLE,
    TYPE,
    TYPE_SORT,
    VALUE_SORT,
)


def unsigned(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def type_index(value: int) -> bytes:
    """A type index where a primitive type could stand too: signed LEB128, as those
    are negative numbers."""
    out = bytearray()
    while value >= 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: str) -> bytes:
    """A name."""
    data = value.encode()
    return unsigned(len(data)) + data


def plain_name(value: str) -> bytes:
    """The name of an import or export (form 0)."""
    return b"\0" + text(value)


@dataclass(frozen=True, slots=True)
class Item:
    """Something with an index in the component that is written."""

    sort: int
    index: int


class Writer:
    """A component under construction. Each `add` appends one section and gives the
    new item's index."""

    def __init__(self) -> None:
        self._parts: list[bytes] = [PREAMBLE]
        self._counts = {FUNC_SORT: 0, VALUE_SORT: 0, TYPE_SORT: 0, COMPONENT_SORT: 0, INSTANCE_SORT: 0}

    def whole(self) -> bytes:
        """The component so far."""
        return b"".join(self._parts)

    def _section(self, number: int, body: bytes) -> None:
        self._parts += (bytes([number]), unsigned(len(body)), body)

    def _next(self, sort: int) -> Item:
        self._counts[sort] += 1
        return Item(sort, self._counts[sort] - 1)

    def add_type(self, body: bytes) -> Item:
        """A type definition, encoded."""
        self._section(TYPE, b"\1" + body)
        return self._next(TYPE_SORT)

    def add_import(self, name: bytes, description: bytes, sort: int) -> Item:
        """An import; `name` with its form and `description` are encoded."""
        self._section(IMPORT, b"\1" + name + description)
        return self._next(sort)

    def add_component(self, body: bytes) -> Item:
        """A component inside, whole."""
        self._section(COMPONENT, body)
        return self._next(COMPONENT_SORT)

    def alias(self, sort: int, instance: Item, name: str) -> Item:
        """An export of an instance."""
        self._section(ALIAS, b"\1" + bytes([sort, 0]) + unsigned(instance.index) + text(name))
        return self._next(sort)

    def instantiate(self, component: Item, arguments: Sequence[tuple[str, Item]]) -> Item:
        """An instance of a component inside."""
        given = b"".join(text(name) + bytes([item.sort]) + unsigned(item.index) for name, item in arguments)
        self._section(INSTANCE, b"\1\0" + unsigned(component.index) + unsigned(len(arguments)) + given)
        return self._next(INSTANCE_SORT)

    def bundle(self, exports: Sequence[tuple[str, Item]]) -> Item:
        """An instance made of items that are here."""
        given = b"".join(plain_name(name) + bytes([item.sort]) + unsigned(item.index) for name, item in exports)
        self._section(INSTANCE, b"\1\1" + unsigned(len(exports)) + given)
        return self._next(INSTANCE_SORT)

    def export(self, name: str, item: Item, kind: Item | None = None) -> None:
        """An export, which takes an index of its own. `kind` is a type that it must have, which
        Wasmtime checks before it compiles."""
        ascribed = b"\0" if kind is None else b"\1" + bytes([item.sort]) + unsigned(kind.index)
        self._section(EXPORT, b"\1" + plain_name(name) + bytes([item.sort]) + unsigned(item.index) + ascribed)
        self._next(item.sort)
