"""The types of the component model, as values: what functions of the host take and give. Pure; a
leaf of the engine.

What a value of each type is in Python:

    bool, numbers         bool, int, float            char, string     str
    list of u8            bytes                       other lists      list
    tuple, record         tuple, a record's in the order of its fields
    variant, result       (case, value), where a case without a value has None; a result's cases
                          are "ok" and "err"
    enum                  the case's name             flags            a frozenset of names
    option                None or the value           own, borrow      the host's own object

Specification: WebAssembly/component-model, design/mvp/WIT.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Primitive:
    name: str


@dataclass(frozen=True, slots=True)
class ListType:
    element: Type


@dataclass(frozen=True, slots=True)
class OptionOf:
    some: Type


@dataclass(frozen=True, slots=True)
class ResultOf:
    ok: Type | None
    err: Type | None


@dataclass(frozen=True, slots=True)
class TupleOf:
    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class RecordOf:
    fields: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class VariantOf:
    cases: tuple[tuple[str, Type | None], ...]


@dataclass(frozen=True, slots=True)
class EnumOf:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlagsOf:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A resource type of the host. Two are the same only if they are one object."""

    name: str


@dataclass(frozen=True, slots=True)
class Own:
    resource: Resource


@dataclass(frozen=True, slots=True)
class Borrow:
    resource: Resource


Type: TypeAlias = (
    Primitive | ListType | OptionOf | ResultOf | TupleOf | RecordOf | VariantOf | EnumOf | FlagsOf | Own | Borrow
)

BOOL, CHAR, STRING = map(Primitive, ("bool", "char", "string"))
U8, U16, U32, U64 = map(Primitive, ("u8", "u16", "u32", "u64"))
S8, S16, S32, S64 = map(Primitive, ("s8", "s16", "s32", "s64"))
F32, F64 = map(Primitive, ("f32", "f64"))
BYTES = ListType(U8)
PRIMITIVES = frozenset(one.name for one in (BOOL, CHAR, STRING, U8, U16, U32, U64, S8, S16, S32, S64, F32, F64))


def tuple_of(*items: Type) -> TupleOf:
    return TupleOf(items)


def record(fields: Mapping[str, Type]) -> RecordOf:
    return RecordOf(tuple(fields.items()))


def variant(cases: Mapping[str, Type | None]) -> VariantOf:
    return VariantOf(tuple(cases.items()))
