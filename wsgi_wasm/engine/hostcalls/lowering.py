"""From Python to `wasmtime_component_val_t`: what the host gives to a guest. A lowerer is made once
for each type.

Wasmtime itself compares a result with the type that the component imports. What it does not survive
is text that is not UTF-8, so that lone surrogates become question marks here. Values that the host
gets wrong (a number out of its range) raise, and leak what was made before them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from ctypes import memmove
from itertools import repeat
from typing import Any, Protocol, TypeAlias

from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.lifting import FLOATS, NUMBERS, PIECE, STEP
from wsgi_wasm.messages import escaped

Words: TypeAlias = tuple[int, int, int, int]


class Scratch:
    """Places that C functions write to, for one thread at a time."""

    __slots__ = ("at", "value", "value_at", "words")

    def __init__(self) -> None:
        self.words = (ctypes.c_uint64 * 2)()  # a vector: size, data
        self.at = ctypes.addressof(self.words)
        self.value = ctypes.create_string_buffer(v.VAL.size)
        self.value_at = ctypes.addressof(self.value)


class NewHandles(Protocol):
    """The handles that the guest gets from the call that is served."""

    scratch: Scratch

    def give(self, value: Any, resource: wit.Resource) -> int:
        """A `wasmtime_component_resource_any_t` for `value`, which the guest owns from then on."""

    def look(self) -> None:
        """Raises Stop where the run must end."""


Lowerer: TypeAlias = Callable[[Any, NewHandles], Words]

pack = v.VAL.pack
_pack_into = v.VAL.pack_into
_SIZE = v.VAL.size
_pack_name = v.NAME.pack
_BLANK = bytearray(pack(v.U8, 0, 0, 0) * PIECE)
_U64 = (1 << 64) - 1


def boxed(words: Words, scratch: Scratch) -> int:
    """Address of a value of its own, for what holds it by a pointer."""
    _pack_into(scratch.value, 0, *words)
    address: int = v.val_new(scratch.value_at)
    return address


def _made(parts: Iterable[tuple[Lowerer, Any]], handles: NewHandles) -> list[bytes]:
    """The values of all parts. Where one cannot be made, those before it are freed."""
    made: list[bytes] = []
    try:
        for one, item in parts:
            made.append(pack(*one(item, handles)))
    except BaseException:
        for value in made:
            memmove(handles.scratch.value_at, value, _SIZE)
            v.val_delete(v.val_new(handles.scratch.value_at))
        raise
    return made


def _in_steps(values: Sequence[Any], handles: NewHandles) -> Iterator[Any]:
    """Many values, with a look at the clock between some of them and the next."""
    for start in range(0, len(values), STEP):
        handles.look()
        yield from values[start : start + STEP]


def _name(data: bytes, scratch: Scratch) -> tuple[int, int]:
    v.byte_vec_new(scratch.at, len(data), data)
    return len(data), scratch.words[1]


def _lower_string(value: str, handles: NewHandles) -> Words:
    data = value.encode("utf-8", "replace")
    scratch = handles.scratch
    v.byte_vec_new(scratch.at, len(data), data)
    return v.STRING, len(data), scratch.words[1], 0


def _lower_bool(value: bool, _handles: NewHandles) -> Words:
    return v.BOOL, 1 if value else 0, 0, 0


def _lower_char(value: str, _handles: NewHandles) -> Words:
    code = ord(value)
    if 0xD800 <= code < 0xE000:
        raise ValueError("a surrogate is not a character")
    return v.CHAR, code, 0, 0


def _lower_bytes(value: bytes, handles: NewHandles) -> Words:
    scratch = handles.scratch
    size = len(value)
    if size <= PIECE:
        values = _BLANK[: _SIZE * size]
        values[8::_SIZE] = value
        v.list_new(scratch.at, size, bytes(values))
        return v.LIST, size, scratch.words[1], 0
    v.list_new_uninit(scratch.at, size)
    data = scratch.words[1]
    for start in range(0, size, PIECE):
        piece = value[start : start + PIECE]
        values = _BLANK[: _SIZE * len(piece)]
        values[8::_SIZE] = piece
        memmove(data + _SIZE * start, bytes(values), len(values))
    return v.LIST, size, data, 0


def _number_lowerer(name: str) -> Lowerer:
    kind, bits, signed = NUMBERS[name]
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def lower(value: int, _handles: NewHandles) -> Words:
        if not least <= value <= most:
            raise ValueError(f"{value} is not a {escaped(name)}")
        return kind, value & _U64, 0, 0

    return lower


def _float_lowerer(name: str) -> Lowerer:
    kind, real, raw = FLOATS[name]

    def lower(value: float, _handles: NewHandles) -> Words:
        return kind, raw.unpack(real.pack(value))[0], 0, 0

    return lower


def _list_lowerer(element: wit.Type) -> Lowerer:
    inner = lowerer(element)

    def lower(value: Sequence[Any], handles: NewHandles) -> Words:
        scratch = handles.scratch
        count = len(value)
        items = value if count <= STEP else _in_steps(value, handles)
        v.list_new(scratch.at, count, b"".join(_made(zip(repeat(inner), items), handles)))
        return v.LIST, count, scratch.words[1], 0

    return lower


def _tuple_lowerer(items: Sequence[wit.Type]) -> Lowerer:
    inner = [lowerer(item) for item in items]
    count = len(inner)

    def lower(value: Sequence[Any], handles: NewHandles) -> Words:
        scratch = handles.scratch
        v.tuple_new(scratch.at, count, b"".join(_made(zip(inner, value, strict=True), handles)))
        return v.TUPLE, count, scratch.words[1], 0

    return lower


def _record_lowerer(fields: Sequence[tuple[str, wit.Type]]) -> Lowerer:
    names, inner = [name.encode() for name, _ in fields], [lowerer(kind) for _, kind in fields]
    count = len(inner)

    def lower(value: Sequence[Any], handles: NewHandles) -> Words:
        scratch = handles.scratch
        made = _made(zip(inner, value, strict=True), handles)
        entries = [_pack_name(*_name(name, scratch)) + one for name, one in zip(names, made, strict=True)]
        v.record_new(scratch.at, count, b"".join(entries))
        return v.RECORD, count, scratch.words[1], 0

    return lower


def _variant_lowerer(cases: Sequence[tuple[str, wit.Type | None]]) -> Lowerer:
    inner = {name: (name.encode(), None if kind is None else lowerer(kind)) for name, kind in cases}

    def lower(value: tuple[str, Any], handles: NewHandles) -> Words:
        data, one = inner[value[0]]
        scratch = handles.scratch
        box = 0 if one is None else boxed(one(value[1], handles), scratch)
        v.byte_vec_new(scratch.at, len(data), data)
        return v.VARIANT, len(data), scratch.words[1], box

    return lower


def _enum_lowerer(names: Sequence[str]) -> Lowerer:
    known = {name: name.encode() for name in names}

    def lower(value: str, handles: NewHandles) -> Words:
        return v.ENUM, *_name(known[value], handles.scratch), 0

    return lower


def _flags_lowerer(names: Sequence[str]) -> Lowerer:
    known = {name: name.encode() for name in names}

    def lower(value: frozenset[str], handles: NewHandles) -> Words:
        scratch = handles.scratch
        entries = b"".join([_pack_name(*_name(known[name], scratch)) for name in value])
        v.flags_new(scratch.at, len(value), entries)
        return v.FLAGS, len(value), scratch.words[1], 0

    return lower


def _option_lowerer(some: wit.Type) -> Lowerer:
    if isinstance(some, wit.OptionOf):
        raise TypeError("an option of an option has no equivalent in Python")
    inner = lowerer(some)

    def lower(value: Any, handles: NewHandles) -> Words:
        return v.OPTION, 0 if value is None else boxed(inner(value, handles), handles.scratch), 0, 0

    return lower


def _result_lowerer(ok: wit.Type | None, err: wit.Type | None) -> Lowerer:
    inner = {"ok": (1, None if ok is None else lowerer(ok)), "err": (0, None if err is None else lowerer(err))}

    def lower(value: tuple[str, Any], handles: NewHandles) -> Words:
        is_ok, one = inner[value[0]]
        return v.RESULT, is_ok, 0 if one is None else boxed(one(value[1], handles), handles.scratch), 0

    return lower


def _handle_lowerer(resource: wit.Resource) -> Lowerer:
    def lower(value: Any, handles: NewHandles) -> Words:
        return v.RESOURCE, handles.give(value, resource), 0, 0

    return lower


def lowerer(kind: wit.Type) -> Lowerer:
    """What makes values of this type. A value of another type raises TypeError,
    ValueError or KeyError."""
    match kind:
        case wit.Primitive("string"):
            return _lower_string
        case wit.Primitive("bool"):
            return _lower_bool
        case wit.Primitive("char"):
            return _lower_char
        case wit.Primitive(name):
            return _number_lowerer(name) if name in NUMBERS else _float_lowerer(name)
        case wit.ListType(element):
            return _lower_bytes if element == wit.U8 else _list_lowerer(element)
        case wit.TupleOf(items):
            return _tuple_lowerer(items)
        case wit.RecordOf(fields):
            return _record_lowerer(fields)
        case wit.VariantOf(cases):
            return _variant_lowerer(cases)
        case wit.EnumOf(names):
            return _enum_lowerer(names)
        case wit.FlagsOf(names):
            return _flags_lowerer(names)
        case wit.OptionOf(some):
            return _option_lowerer(some)
        case wit.ResultOf(ok, err):
            return _result_lowerer(ok, err)
        case wit.Own(resource):
            return _handle_lowerer(resource)
        case wit.Borrow():
            raise TypeError("a host function cannot return a borrowed handle")
