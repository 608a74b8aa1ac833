"""Values on their way between a child and the gateway: whatever a type has, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.hostapi import APIS
from wsgi_wasm.isolation.calls import numbered
from wsgi_wasm.isolation.values import Malformed, ValueReader, codec

FILE = wit.Resource("file")


class Table:
    """Objects by number, as a run keeps them."""

    def __init__(self) -> None:
        self.objects: dict[int, Any] = {}

    def number(self, value: Any, _resource: wit.Resource) -> int:
        self.objects[len(self.objects)] = value
        return len(self.objects) - 1

    def object(self, number: int, resource: wit.Resource, _owned: bool) -> Any:
        if number not in self.objects:
            raise Malformed(f"there is no {resource.name} {number}")
        return self.objects[number]


def written(kind: wit.Type, value: Any, table: Table) -> bytes:
    parts: list[bytes] = []
    codec(kind).write(value, parts, table)
    return b"".join(parts)


def read(kind: wit.Type, data: bytes, table: Table) -> Any:
    source = ValueReader(data)
    value = codec(kind).read(source, table)
    source.end()
    return value


VALUES: list[tuple[wit.Type, Any]] = [
    (wit.BOOL, True),
    (wit.BOOL, False),
    (wit.U8, 255),
    (wit.S64, -(1 << 63)),
    (wit.U64, (1 << 64) - 1),
    (wit.F64, -0.5),
    (wit.STRING, "grüße\n\0"),
    (wit.CHAR, "ß"),
    (wit.BYTES, b"\0\xff" * 1000),
    (wit.ListType(wit.STRING), ["", "a"]),
    (wit.ListType(wit.ListType(wit.U16)), [[1, 2], [], [3]]),
    (wit.OptionOf(wit.U32), None),
    (wit.OptionOf(wit.U32), 0),
    (wit.ResultOf(wit.U32, None), ("ok", 7)),
    (wit.ResultOf(wit.U32, None), ("err", None)),
    (wit.tuple_of(wit.BOOL, wit.STRING), (True, "x")),
    (wit.record({"a": wit.U8, "b": wit.BYTES}), (1, b"two")),
    (wit.variant({"none": None, "some": wit.STRING}), ("none", None)),
    (wit.variant({"none": None, "some": wit.STRING}), ("some", "thing")),
    (wit.EnumOf(("red", "green")), "green"),
    (wit.FlagsOf(("r", "w", "x")), frozenset({"r", "x"})),
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_there_and_back(kind: wit.Type, value: Any) -> None:
    table = Table()
    assert read(kind, written(kind, value, table), table) == value


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_what_is_cut_off_is_no_value(kind: wit.Type, value: Any) -> None:
    table = Table()
    data = written(kind, value, table)
    for end in range(len(data) if len(data) < 100 else 100):
        with pytest.raises(Malformed):
            read(kind, data[:end], table)


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_what_goes_on_is_none_either(kind: wit.Type, value: Any) -> None:
    table = Table()
    with pytest.raises(Malformed, match="goes on"):
        read(kind, written(kind, value, table) + b"\0", table)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (wit.BOOL, b"\2"),
        (wit.STRING, b"\1\0\0\0\xff"),
        (wit.STRING, b"\xff\xff\xff\xff"),
        (wit.EnumOf(("red", "green")), b"\2\0\0\0"),
        (wit.ResultOf(wit.U8, wit.U8), b"\2\0\0\0\0"),
        (wit.OptionOf(wit.U8), b"\2\0"),
        (wit.FlagsOf(("r",)), b"\2"),
        (wit.Own(FILE), b"\7\0\0\0"),
        (wit.Borrow(FILE), b"\7\0\0\0"),
    ],
)
def test_what_is_no_value(kind: wit.Type, data: bytes) -> None:
    with pytest.raises(Malformed):
        read(kind, data, Table())


def test_handles_are_numbers() -> None:
    table, thing = Table(), object()
    assert read(wit.Borrow(FILE), written(wit.Own(FILE), thing, table), table) is thing


def test_a_million_elements_are_refused() -> None:
    """Each byte would become an object of Python's, and there may be many in one frame."""
    kind = wit.ListType(wit.BOOL)
    count = (1 << 20) + 1
    with pytest.raises(Malformed, match="elements"):
        read(kind, count.to_bytes(4, "little") + bytes(count), Table())


@given(st.integers(0, len(numbered(APIS)) - 1), st.binary(max_size=200))
def test_bytes_of_a_child_are_a_value_or_malformed(number: int, data: bytes) -> None:
    """Of the parameters of every function that the host has: nothing else is raised."""
    source, table = ValueReader(data), Table()
    try:
        for parameter in numbered(APIS)[number].parameters:
            parameter.read(source, table)
        source.end()
    except Malformed:
        pass
