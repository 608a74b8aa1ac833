"""Components that call any function of the host's own APIs, with any values and any handles, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import wasmtime

from fuzz.hostapis import value_of
from fuzz.target import Draw, Target, temporary
from hostapi.driver import Driver, plain
from wsgi_wasm.config.granted import Database, KeyValueStore, Variable
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.interface import Function
from wsgi_wasm.hostapi import keyvalue, sqlite, variables

NAMES = ("default", "other", "a", "", "x" * 5000, "\0", "é")
SQL = (
    "SELECT 1",
    "CREATE TABLE IF NOT EXISTS t (a)",
    "INSERT INTO t VALUES (?)",
    "SELECT * FROM t",
    "BEGIN",
    "ROLLBACK",
)
MOST_CALLS = 12

AnyFunction = Function[Any]


@cache
def driven() -> Sequence[tuple[Driver[Any], Any]]:
    """Each API's driver, and what a route grants."""
    folder = temporary()
    store = KeyValueStore(name="default", path=folder / "kv.db", redis=None, prefix="", max_size=1 << 20)
    return (
        (Driver(keyvalue.API), keyvalue.stores({"default": store})),
        (Driver(sqlite.API, sqlite.SPIN), {"default": Database(path=folder / "a.db", max_size=1 << 20)}),
        (Driver(sqlite.API, sqlite.SPIN_3), {"default": Database(path=folder / "b.db", max_size=1 << 20)}),
        (Driver(variables.API, variables.API.interfaces[0]), {"a": Variable(value="b", file=None)}),
    )


Handles = dict[str, list[int]]  # that were given out, by the resource's name


def a_value(draw: Draw, kind: wit.Type, known: Handles) -> Any:
    """As `value_of`, with texts that mean something, and mostly with handles that were given out."""
    if isinstance(kind, wit.Own | wit.Borrow):
        given = known.get(kind.resource.name)
        return draw.one_of(given) if given and draw.byte() & 15 else draw.byte()
    if kind == wit.STRING and draw.byte() & 3:
        return draw.one_of([*NAMES, *SQL])
    if isinstance(kind, wit.ListType) and kind.element == wit.STRING:
        return [draw.one_of(NAMES) for _ in range(draw.upto(4))]
    return value_of(draw, plain(kind))


def keep(function: AnyFunction | None, result: Any, known: Handles) -> None:
    """Remember a handle that was given out."""
    kind = None if function is None else function.result
    if isinstance(kind, wit.ResultOf) and isinstance(kind.ok, wit.Own) and result[0] == "ok":
        known.setdefault(kind.ok.resource.name, []).append(result[1])


def check(data: bytes) -> None:
    draw = Draw(data)
    driver, granted = draw.one_of(driven())
    functions = {name: function for interface in driver.interfaces for name, function in interface.functions.items()}
    known: Handles = {}
    with driver.guest(granted, seconds=5) as guest:
        for name, function in functions.items():
            if function.parameters == (wit.STRING,):
                keep(function, guest.call(name, "default"), known)
        for _ in range(MOST_CALLS):
            if not draw.left:
                break
            name = draw.one_of([*driver.calls])
            dropped = wit.Own(wit.Resource(name.removeprefix("[drop]")))
            parameters = functions[name].parameters if name in functions else (dropped,)
            arguments = [a_value(draw, kind, known) for kind in parameters]
            try:
                keep(functions.get(name), guest.call(name, *arguments), known)
            except (wasmtime.WasmtimeError, wasmtime.Trap):
                return  # a handle that was never given out, say: the engine ends such a guest
            for given in known.values() if name not in functions else ():
                given[:] = [handle for handle in given if handle != arguments[0]]


def seeds() -> list[bytes]:
    found = []
    for api in range(4):
        for name in range(16):
            found.append(bytes([api, 0, 1, 0, name, 1, 0, 2, 1, name, 0, 1, 0, 1, 2]))
            found.append(bytes([api, name, 1, 0, 0, 0, 0]))
    return found


TARGETS = (
    Target(
        "host-calls",
        "a component calls any functions of the key-value, SQLite and variables APIs: a value, an error of the "
        "interface, or the guest's end",
        check,
        seeds,
        (b"\0\1\0", b"\1", b"\2", b"\xff", b"\0" * 8, b"\xc3\xa9"),
        tries=400,
        longest=300,
    ),
)
