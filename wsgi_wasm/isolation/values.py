"""Values of the component model as bytes, by their types: parameters and results of host functions
on their way between a child and the gateway.

A codec is made once for each type. Reading looks at every byte: what a child sends is either a
value of the type or raises `Malformed`. Handles go as numbers, which the gateway looks up in the
run's own table.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from wsgi_wasm.engine.hostcalls import wit

_U32 = struct.Struct("<I")
_NUMBERS = {
    "u8": "B", "u16": "H", "u32": "I", "u64": "Q", "s8": "b", "s16": "h", "s32": "i", "s64": "q",
    "f32": "f", "f64": "d",
}  # fmt: skip
_MAX_DEPTH = 64  # of types; those of the host's interfaces have fewer than ten
_MAX_ELEMENTS = 1 << 20  # of all lists of a message: each becomes an object of Python's


class Malformed(ValueError):
    """Bytes that are no value of their type."""


class Handles(Protocol):
    """How one side names objects of the host's."""

    def number(self, value: Any, resource: wit.Resource) -> int:
        """The number that stands for an object that goes to the other side."""

    def object(self, number: int, resource: wit.Resource, owned: bool) -> Any:
        """The object behind a number. Raises Malformed for one that is not there."""


class ValueReader:
    """A cursor over one message."""

    __slots__ = ("_at", "_data", "_elements")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._elements = _MAX_ELEMENTS

    def take(self, size: int) -> bytes:
        """The next bytes. Raises Malformed where there are fewer."""
        begin, end = self._at, self._at + size
        if end > len(self._data):
            raise Malformed("the message ends in the middle of a value")
        self._at = end
        return self._data[begin:end]

    def count(self) -> int:
        """A number of bytes or elements: no more than the bytes that are left."""
        (count,) = _U32.unpack(self.take(4))
        if count > len(self._data) - self._at:
            raise Malformed("a length is larger than the message")
        return int(count)

    def elements(self) -> range:
        """The elements of a list, counted."""
        count = self.count()
        self._elements -= count
        if self._elements < 0:
            raise Malformed(f"lists with more than {_MAX_ELEMENTS} elements")
        return range(count)

    def index(self, most: int) -> int:
        """A number below `most`."""
        (number,) = _U32.unpack(self.take(4))
        if number >= most:
            raise Malformed(f"there is no case {number}")
        return int(number)

    def end(self) -> None:
        """Raises Malformed where something is left."""
        if self._at != len(self._data):
            raise Malformed("the message goes on after its values")


Write: TypeAlias = Callable[[Any, list[bytes], Handles], None]
Read: TypeAlias = Callable[[ValueReader, Handles], Any]


class Codec(NamedTuple):
    """`write` appends a value's bytes to a list; `read` takes one from a reader."""

    write: Write
    read: Read


def _number(name: str) -> Codec:
    form = struct.Struct(f"<{_NUMBERS[name]}")

    def write(value: Any, out: list[bytes], _handles: Handles) -> None:
        out.append(form.pack(value))

    return Codec(write, lambda source, _handles: form.unpack(source.take(form.size))[0])


def _flag() -> Codec:
    def read(source: ValueReader, _handles: Handles) -> bool:
        byte = source.take(1)
        if byte not in (b"\0", b"\1"):
            raise Malformed("a flag is neither 0 nor 1")
        return byte == b"\1"

    return Codec(lambda value, out, _handles: out.append(b"\1" if value else b"\0"), read)


def _octets() -> Codec:
    def write(value: Any, out: list[bytes], _handles: Handles) -> None:
        out += (_U32.pack(len(value)), bytes(value))

    return Codec(write, lambda source, _handles: source.take(source.count()))


def _text() -> Codec:
    def write(value: str, out: list[bytes], _handles: Handles) -> None:
        data = value.encode("utf-8", "replace")
        out += (_U32.pack(len(data)), data)

    def read(source: ValueReader, _handles: Handles) -> str:
        try:
            return source.take(source.count()).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    return Codec(write, read)


def _list(element: Codec) -> Codec:
    def write(value: Sequence[Any], out: list[bytes], handles: Handles) -> None:
        out.append(_U32.pack(len(value)))
        for item in value:
            element.write(item, out, handles)

    return Codec(write, lambda source, handles: [element.read(source, handles) for _ in source.elements()])


def _fields(codecs: Sequence[Codec]) -> Codec:
    def write(value: Sequence[Any], out: list[bytes], handles: Handles) -> None:
        for one, item in zip(codecs, value, strict=True):
            one.write(item, out, handles)

    return Codec(write, lambda source, handles: tuple(one.read(source, handles) for one in codecs))


def _cases(cases: Sequence[tuple[str, Codec | None]]) -> Codec:
    """Of variants and results."""
    numbers = {name: (_U32.pack(nth), codec) for nth, (name, codec) in enumerate(cases)}

    def write(value: tuple[str, Any], out: list[bytes], handles: Handles) -> None:
        number, codec = numbers[value[0]]
        out.append(number)
        if codec is not None:
            codec.write(value[1], out, handles)

    def read(source: ValueReader, handles: Handles) -> tuple[str, Any]:
        name, codec = cases[source.index(len(cases))]
        return name, None if codec is None else codec.read(source, handles)

    return Codec(write, read)


def _names(names: Sequence[str]) -> Codec:
    numbers = {name: _U32.pack(nth) for nth, name in enumerate(names)}

    def write(value: str, out: list[bytes], _handles: Handles) -> None:
        out.append(numbers[value])

    return Codec(write, lambda source, _handles: names[source.index(len(names))])


def _flags(names: Sequence[str]) -> Codec:
    flags = [_flag() for _ in names]

    def write(value: frozenset[str], out: list[bytes], handles: Handles) -> None:
        for name, one in zip(names, flags, strict=True):
            one.write(name in value, out, handles)

    def read(source: ValueReader, handles: Handles) -> frozenset[str]:
        return frozenset(name for name, one in zip(names, flags, strict=True) if one.read(source, handles))

    return Codec(write, read)


def _option(some: Codec) -> Codec:
    flag = _flag()

    def write(value: Any, out: list[bytes], handles: Handles) -> None:
        flag.write(value is not None, out, handles)
        if value is not None:
            some.write(value, out, handles)

    return Codec(write, lambda source, handles: some.read(source, handles) if flag.read(source, handles) else None)


def _handle(resource: wit.Resource, owned: bool) -> Codec:
    def write(value: Any, out: list[bytes], handles: Handles) -> None:
        out.append(_U32.pack(handles.number(value, resource)))

    def read(source: ValueReader, handles: Handles) -> Any:
        return handles.object(_U32.unpack(source.take(4))[0], resource, owned)

    return Codec(write, read)


def codec(kind: wit.Type, depth: int = 0) -> Codec:
    """The codec of a type."""
    assert depth < _MAX_DEPTH

    def inner(of: wit.Type) -> Codec:
        return codec(of, depth + 1)

    def maybe(of: wit.Type | None) -> Codec | None:
        return None if of is None else inner(of)

    match kind:
        case wit.Primitive("string") | wit.Primitive("char"):
            return _text()
        case wit.Primitive("bool"):
            return _flag()
        case wit.Primitive(name):
            return _number(name)
        case wit.ListType(element):
            return _octets() if element == wit.U8 else _list(inner(element))
        case wit.TupleOf(items):
            return _fields([inner(item) for item in items])
        case wit.RecordOf(fields):
            return _fields([inner(item) for _, item in fields])
        case wit.VariantOf(cases):
            return _cases([(name, maybe(of)) for name, of in cases])
        case wit.ResultOf(ok, err):
            return _cases([("ok", maybe(ok)), ("err", maybe(err))])
        case wit.EnumOf(names):
            return _names(names)
        case wit.FlagsOf(names):
            return _flags(names)
        case wit.OptionOf(some):
            return _option(inner(some))
        case wit.Own(resource):
            return _handle(resource, True)
        case wit.Borrow(resource):
            return _handle(resource, False)
