"""From `wasmtime_component_val_t` to Python: what a guest passes to the host. A lifter is made once
for each type.

A value in C is four numbers, `(kind, a, b, c)`: see `_component_values`. A lifter looks at the kind
of everything that it reads, because Wasmtime lets a component import a function of the host with
whatever type it likes, and a number that is taken for an address would read the host's memory. A
list's elements are of one type: the first one speaks for all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from ctypes import string_at
from typing import Any, Protocol, TypeAlias

from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.messages import escaped


class Mismatch(Exception):
    """A component imports a function of the host with a type that it does not have."""


class PassedHandles(Protocol):
    """The handles that the guest passes in the call that is served."""

    def resolve(self, pointer: int, resource: wit.Resource, owned: bool) -> Any:
        """The host's object behind a handle; with `owned` the guest gives it up."""

    def admit(self, count: int) -> None:
        """A list of so many values follows. Raises Stop where there are too many."""

    def look(self) -> None:
        """Raises Stop where the run must end."""


Lifter: TypeAlias = Callable[[PassedHandles, int, int, int, int], Any]

NUMBERS = {  # name: kind, bits, whether signed
    "u8": (v.U8, 8, False), "u16": (v.U16, 16, False), "u32": (v.U32, 32, False), "u64": (v.U64, 64, False),
    "s8": (v.S8, 8, True), "s16": (v.S16, 16, True), "s32": (v.S32, 32, True), "s64": (v.S64, 64, True),
}  # fmt: skip
FLOATS = {  # name: kind, the number, the same bits as an integer
    "f32": (v.F32, struct.Struct("<f"), struct.Struct("<I")),
    "f64": (v.F64, struct.Struct("<d"), struct.Struct("<Q")),
}

_unpack, _iter_unpack = v.VAL.unpack, v.VAL.iter_unpack
_SIZE = v.VAL.size
_iter_names = v.NAME.iter_unpack
_iter_entries = struct.Struct("<2QB7x3Q").iter_unpack


def _wrong(kind: int) -> Mismatch:
    return Mismatch(f"a value of kind {kind} where the interface has another")


# A byte of a list takes a whole value, 32 bytes. Slicing with a stride is the fastest way that
# Python has from one to the other; a few thousand at a time, so that the copies stay in the
# processor's cache.
PIECE = 2048
STEP = 1024  # values of a list between two looks at the clock


def bytes_at(size: int, data: int) -> bytes:
    """The content of a list of u8 whose kinds have been looked at."""
    if size <= PIECE:
        return string_at(data, _SIZE * size)[8::_SIZE]
    pieces = []
    for start in range(0, size, PIECE):
        count = min(PIECE, size - start)
        pieces.append(string_at(data + _SIZE * start, _SIZE * count)[8::_SIZE])
    return b"".join(pieces)


def _lift_bytes(_handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> bytes:
    if kind != v.LIST:
        raise _wrong(kind)
    if not a:
        return b""
    if string_at(b, 1)[0] != v.U8:
        raise _wrong(string_at(b, 1)[0])
    return bytes_at(a, b)


# bytes; Wasmtime takes 128 MiB, and a list of bytes of 2.6
MAX_TEXT = 4 << 20


def _lift_string(_handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> str:
    if kind != v.STRING:
        raise _wrong(kind)
    if a > MAX_TEXT:
        raise Stop(End.STOPPED, f"passed a text of more than {MAX_TEXT >> 20} MiB in a call of the host")
    return string_at(b, a).decode()


def _lift_bool(_handles: PassedHandles, kind: int, a: int, _b: int, _c: int) -> bool:
    if kind != v.BOOL:
        raise _wrong(kind)
    return bool(a & 1)


def _lift_char(_handles: PassedHandles, kind: int, a: int, _b: int, _c: int) -> str:
    if kind != v.CHAR:
        raise _wrong(kind)
    return chr(a & 0xFFFFFFFF)


def _number_lifter(name: str) -> Lifter:
    expected, bits, signed = NUMBERS[name]
    mask, sign = (1 << bits) - 1, 1 << (bits - 1) if signed else 0

    def lift(_handles: PassedHandles, kind: int, a: int, _b: int, _c: int) -> int:
        if kind != expected:
            raise _wrong(kind)
        return ((a & mask) ^ sign) - sign

    return lift


def _float_lifter(name: str) -> Lifter:
    expected, real, raw = FLOATS[name]
    mask = (1 << 8 * raw.size) - 1

    def lift(_handles: PassedHandles, kind: int, a: int, _b: int, _c: int) -> float:
        if kind != expected:
            raise _wrong(kind)
        number: float = real.unpack(raw.pack(a & mask))[0]
        return number

    return lift


def _list_lifter(element: wit.Type) -> Lifter:
    inner = lifter(element)

    def lift(handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> list[Any]:
        if kind != v.LIST:
            raise _wrong(kind)
        handles.admit(a)
        if a <= STEP:
            return [inner(handles, *words) for words in _iter_unpack(string_at(b, _SIZE * a))] if a else []
        values: list[Any] = []
        for start in range(0, a, STEP):
            handles.look()
            some = string_at(b + _SIZE * start, _SIZE * min(STEP, a - start))
            values += [inner(handles, *words) for words in _iter_unpack(some)]
        return values

    return lift


def _tuple_lifter(items: Sequence[wit.Type]) -> Lifter:
    inner = [lifter(item) for item in items]
    count = len(inner)

    def lift(handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> tuple[Any, ...]:
        if kind != v.TUPLE or a != count:
            raise _wrong(kind)
        values = _iter_unpack(string_at(b, _SIZE * a))
        return tuple(one(handles, *words) for one, words in zip(inner, values, strict=True))

    return lift


def _record_lifter(fields: Sequence[tuple[str, wit.Type]]) -> Lifter:
    inner = [(name.encode(), lifter(kind)) for name, kind in fields]
    count = len(inner)

    def lift(handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> tuple[Any, ...]:
        if kind != v.RECORD or a != count:
            raise _wrong(kind)
        values = []
        entries = _iter_entries(string_at(b, v.ENTRY_SIZE * a))
        for (name, one), (size, data, *words) in zip(inner, entries, strict=True):
            if string_at(data, size) != name:
                raise Mismatch(f"a record without the field {escaped(name.decode())}")
            values.append(one(handles, *words))
        return tuple(values)

    return lift


def _variant_lifter(cases: Sequence[tuple[str, wit.Type | None]]) -> Lifter:
    inner = {name.encode(): (name, None if kind is None else lifter(kind)) for name, kind in cases}

    def lift(handles: PassedHandles, kind: int, a: int, b: int, c: int) -> tuple[str, Any]:
        if kind != v.VARIANT:
            raise _wrong(kind)
        found = inner.get(string_at(b, a))
        if found is None or (found[1] is None) != (not c):
            raise Mismatch("a variant with another case")
        name, one = found
        return name, None if one is None else one(handles, *_unpack(string_at(c, _SIZE)))

    return lift


def _enum_lifter(names: Sequence[str]) -> Lifter:
    known = {name.encode(): name for name in names}

    def lift(_handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> str:
        name = known.get(string_at(b, a)) if kind == v.ENUM else None
        if name is None:
            raise _wrong(kind)
        return name

    return lift


def _flags_lifter(names: Sequence[str]) -> Lifter:
    known = {name.encode(): name for name in names}

    def lift(_handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> frozenset[str]:
        if kind != v.FLAGS:
            raise _wrong(kind)
        try:
            found = _iter_names(string_at(b, v.NAME.size * a))
            return frozenset([known[string_at(data, size)] for size, data in found])
        except KeyError:
            raise Mismatch("other flags") from None

    return lift


def _option_lifter(some: wit.Type) -> Lifter:
    if isinstance(some, wit.OptionOf):
        raise TypeError("an option of an option has no equivalent in Python")
    inner = lifter(some)

    def lift(handles: PassedHandles, kind: int, a: int, _b: int, _c: int) -> Any:
        if kind != v.OPTION:
            raise _wrong(kind)
        return inner(handles, *_unpack(string_at(a, _SIZE))) if a else None

    return lift


def _result_lifter(ok: wit.Type | None, err: wit.Type | None) -> Lifter:
    cases = {1: ("ok", None if ok is None else lifter(ok)), 0: ("err", None if err is None else lifter(err))}

    def lift(handles: PassedHandles, kind: int, a: int, b: int, _c: int) -> tuple[str, Any]:
        if kind != v.RESULT:
            raise _wrong(kind)
        name, one = cases[a & 1]
        if (one is None) != (not b):
            raise Mismatch("a result with another value")
        return name, None if one is None else one(handles, *_unpack(string_at(b, _SIZE)))

    return lift


def _handle_lifter(resource: wit.Resource, owned: bool) -> Lifter:
    def lift(handles: PassedHandles, kind: int, a: int, _b: int, _c: int) -> Any:
        if kind != v.RESOURCE:
            raise _wrong(kind)
        return handles.resolve(a, resource, owned)

    return lift


def lifter(kind: wit.Type) -> Lifter:
    """What reads values of this type. It raises Mismatch for one of another type."""
    match kind:
        case wit.Primitive("string"):
            return _lift_string
        case wit.Primitive("bool"):
            return _lift_bool
        case wit.Primitive("char"):
            return _lift_char
        case wit.Primitive(name):
            return _number_lifter(name) if name in NUMBERS else _float_lifter(name)
        case wit.ListType(element):
            return _lift_bytes if element == wit.U8 else _list_lifter(element)
        case wit.TupleOf(items):
            return _tuple_lifter(items)
        case wit.RecordOf(fields):
            return _record_lifter(fields)
        case wit.VariantOf(cases):
            return _variant_lifter(cases)
        case wit.EnumOf(names):
            return _enum_lifter(names)
        case wit.FlagsOf(names):
            return _flags_lifter(names)
        case wit.OptionOf(some):
            return _option_lifter(some)
        case wit.ResultOf(ok, err):
            return _result_lifter(ok, err)
        case wit.Own(resource) | wit.Borrow(resource):
            return _handle_lifter(resource, isinstance(kind, wit.Own))
