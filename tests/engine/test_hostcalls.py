"""Values cross between Python and real components unchanged, whatever their type, and no type confuses the host."""

from __future__ import annotations

import ctypes
import math
from itertools import product
from typing import Any

import pytest
import wasmtime

from engine.echoes import MEMORY, PADDING, Run, Written, api_of, call, echo_text, function_of, load
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostApi
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.engine.hostcalls.lifting import PIECE, Mismatch

bindings = pytest.importorskip("wasmtime._bindings")

COLOUR = wit.EnumOf(("red", "green", "dark-blue"))
SHAPE = wit.variant(
    {"none": None, "circle": wit.F64, "named": wit.STRING, "path": wit.ListType(wit.tuple_of(wit.S32, wit.S32))}
)
PERSON = wit.record({"name": wit.STRING, "age": wit.U8, "photo": wit.OptionOf(wit.BYTES)})
RIGHTS = wit.FlagsOf(tuple(f"f{i}" for i in range(32)))

VALUES: list[tuple[wit.Type, list[Any]]] = [
    (wit.BOOL, [True, False]),
    *((wit.Primitive(f"u{bits}"), [0, 1, (1 << bits) - 1]) for bits in (8, 16, 32, 64)),
    *((wit.Primitive(f"s{bits}"), [0, -1, 1, (1 << bits - 1) - 1, -(1 << bits - 1)]) for bits in (8, 16, 32, 64)),
    (wit.F32, [0.0, 1.5, -2.25, math.inf]),
    (wit.F64, [0.1, -1e300, math.inf, -math.inf]),
    (wit.CHAR, ["a", "\0", "ß", "\U0010ffff"]),
    (wit.STRING, ["", "text", "äöü €", "\0", "\U0001f600" * 1000]),
    (wit.BYTES, [b"", b"\0", bytes(range(256)), b"\xff\0" * PIECE, b"\xff\0" * 40_000]),
    (wit.BYTES, [b"x" * n for n in (PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - 1)]),
    (wit.ListType(wit.STRING), [[], ["a", "", "ccc"], ["x"] * 5000]),
    (wit.ListType(wit.U16), [[], [0, 65535]]),
    (wit.ListType(wit.S8), [[], [-128, 127]]),
    (wit.ListType(wit.BYTES), [[], [b"", b"ab"]]),
    (wit.tuple_of(wit.STRING, wit.U8, wit.BYTES), [("a", 1, b"b")]),
    (COLOUR, ["red", "dark-blue"]),
    (RIGHTS, [frozenset(), frozenset({"f0", "f31"}), frozenset(f"f{i}" for i in range(32))]),
    (SHAPE, [("none", None), ("circle", 0.5), ("named", "ü"), ("path", [(1, -1), (2, -2)]), ("path", [])]),
    (PERSON, [("Ada", 36, None), ("", 0, b"\x89PNG")]),
    (wit.OptionOf(wit.STRING), [None, "", "text"]),
    (wit.OptionOf(wit.U8), [None, 0, 255]),
    (wit.ResultOf(wit.STRING, COLOUR), [("ok", "x"), ("err", "green")]),
    (wit.ResultOf(None, wit.STRING), [("ok", None), ("err", "bad")]),
    (wit.ResultOf(wit.U8, None), [("ok", 3), ("err", None)]),
    (wit.ResultOf(None, None), [("ok", None), ("err", None)]),
    (wit.OptionOf(wit.ListType(wit.OptionOf(PERSON))), [None, [], [None, ("B", 1, b"")]]),
    (wit.ListType(wit.record({"values": wit.ListType(SHAPE)})), [[], [([("none", None), ("named", "z")],), ([],)]]),
]  # fmt: skip

MARK = (0,) * len(PADDING)


class Echo:
    """Gives one value and keeps what it is given."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.taken: list[Any] = []

    def api(self, kind: wit.Type, taken_as: wit.Type | None = None, *resources: wit.Resource) -> HostApi[None, Echo]:
        functions: dict[str, Function[Echo]] = {
            "give": function_of((), wit.tuple_of(kind, *PADDING), lambda _: (self.value, *MARK)),
            "take": function_of(
                (wit.tuple_of(taken_as or kind, *PADDING), *PADDING),
                None,
                lambda _, whole, *_rest: self.taken.append(whole[0]),
            ),
        }
        interface = Interface("test:echo/values", functions, resources)
        return HostApi("echo", (interface,), lambda host, _: self)


@pytest.mark.parametrize(
    ("kind", "values"), VALUES, ids=lambda item: "" if isinstance(item, list) else type(item).__name__
)
def test_round_trip(kind: wit.Type, values: list[Any]) -> None:
    loaded = load(echo_text(kind))
    for value in values:
        echo = Echo(value)
        call(loaded, "run", [echo.api(kind)], Run())
        assert echo.taken == [value]
        assert type(echo.taken[0]) is type(value)


def test_not_a_number_stays_one() -> None:
    echo = Echo(math.nan)
    call(load(echo_text(wit.F64)), "run", [echo.api(wit.F64)], Run())
    assert math.isnan(echo.taken[0])


def test_text_that_is_no_unicode_is_mended() -> None:
    """Wasmtime aborts the process over a string that is not UTF-8."""
    echo = Echo("a\udcffb")
    call(load(echo_text(wit.STRING)), "run", [echo.api(wit.STRING)], Run())
    assert echo.taken == ["a?b"]


WRONG = [
    (wit.U8, 256), (wit.U8, -1), (wit.S8, 128), (wit.S64, 1 << 63), (wit.U64, -1), (wit.STRING, b"x"), (wit.BYTES, "x"),
    (wit.CHAR, "ab"), (wit.CHAR, "\ud800"), (COLOUR, "black"), (SHAPE, ("square", None)), (PERSON, ("Ada",)),
    (wit.ListType(wit.STRING), [1]), (RIGHTS, frozenset({"f32"})),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), WRONG, ids=str)
def test_a_value_that_the_host_gets_wrong_stops_the_guest(kind: wit.Type, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)):
        call(load(echo_text(kind)), "run", [Echo(value).api(kind)], Run())


def test_a_component_cannot_lie_about_types() -> None:
    """Wasmtime takes whatever type a component gives to a function of the host; numbers must not become addresses."""
    kinds = list(dict(VALUES).items())
    components = {kind: load(echo_text(kind)) for kind, _ in kinds}
    for (given, values), (expected, _) in product(kinds, kinds):
        echo = Echo(values[-1])
        if given == expected:
            continue
        try:
            call(components[given], "run", [echo.api(given, expected)], Run())
        except Mismatch:
            assert not echo.taken
        else:
            # A type may look like another as long as nothing of it is there: an empty list, an error without value.
            assert echo.taken[0] in ([], b"", None, ("ok", None), ("err", None), "red", frozenset()), (given, expected)


LIES = {
    "fewer parameters": ((), None),
    "more parameters": ((wit.U64,) * 3, None),
    "a result": ((wit.U64,), wit.STRING),
}


@pytest.mark.parametrize(("parameters", "result"), LIES.values(), ids=LIES)
def test_a_component_cannot_lie_about_counts(parameters: tuple[wit.Type, ...], result: wit.Type | None) -> None:
    count = len(parameters)
    pushes = " ".join(["(i64.const 1)"] * count) + (" (i32.const 64)" if result else "")
    signature = " ".join(["i64"] * count + (["i32"] if result else []))
    types = " ".join(f'(param "p{i}" u64)' for i in range(count)) + (" (result string)" if result else "")
    text = f"""(component
 (import "test:lie/counts" (instance $i (export "f" (func {types}))))
 {MEMORY}
 (core func $f (canon lower (func $i "f") (memory $memory) (realloc $realloc)))
 (core module $code (import "i" "f" (func $f (param {signature})))
  (func (export "run") (call $f {pushes})))
 (core instance $fs (export "f" (func $f)))
 (core instance $c (instantiate $code (with "i" (instance $fs))))
 (func (export "run") (canon lift (core func $c "run"))))"""
    called: list[Any] = []
    function = function_of((wit.U64,), None, lambda *values: called.append(values))
    api = api_of("test:lie/counts", f=function)
    with pytest.raises(Mismatch):
        call(load(text), "run", [api], Run())
    assert not called


# Errors ----------------------------------------------------------------------------------------------------------


def caller_text(result: wit.Type | None) -> str:
    """A component whose `run` calls `f` once; results stay in its memory."""
    types = Written()
    function = types.function("f", (), result)
    lines = " ".join([*types.lines, function])
    if result == wit.ResultOf(None, None):  # one number
        signature, call = "(result i32)", "(i32.store8 (i32.const 64) (call $f))"
    else:
        signature, call = ("(param i32)", "(call $f (i32.const 64))") if result else ("", "(call $f)")
    return f"""(component (import "test:call/f" (instance $i {lines})) {MEMORY}
 (core func $f (canon lower (func $i "f") (memory $memory) (realloc $realloc)))
 (core module $code (import "i" "f" (func $f {signature})) (import "m" "memory" (memory 0))
  (func (export "run") (result i32) {call} (i32.load8_u (i32.const 64))))
 (core instance $fs (export "f" (func $f)))
 (core instance $c (instantiate $code (with "i" (instance $fs)) (with "m" (instance $m))))
 (func (export "run") (result u8) (canon lift (core func $c "run"))))"""


ERRORS: list[tuple[wit.Type, HostError]] = [
    (wit.variant({"access-denied": None, "other": wit.STRING}), HostError("access-denied")),
    (wit.variant({"access-denied": None, "other": wit.STRING}), HostError("other", "why")),
    (wit.STRING, HostError("", "why")),
]


@pytest.mark.parametrize(("err", "error"), ERRORS, ids=lambda item: str(item) if isinstance(item, HostError) else "")
def test_an_error_is_the_interfaces_own(err: wit.Type, error: HostError) -> None:
    result = wit.ResultOf(wit.STRING, err)

    def fail(_: Any) -> str:
        raise error

    run = Run()
    api = api_of("test:call/f", f=function_of((), result, fail))
    assert call(load(caller_text(result)), "run", [api], run) == 1
    assert run.failure is None


@pytest.mark.parametrize("failure", [RuntimeError("ours"), KeyboardInterrupt(), SystemExit(3), HostError("no-such")])
def test_no_exception_crosses(failure: BaseException) -> None:
    def fail(_: Any) -> None:
        raise failure

    run = Run()
    api = api_of("test:call/f", f=function_of((), None, fail))
    with pytest.raises(type(failure)) as caught:
        call(load(caller_text(None)), "run", [api], run)
    assert caught.value is failure is run.failure


def test_huge_lists_are_the_engines_to_refuse() -> None:
    """Wasmtime bounds what a guest may pass in one call, at 128 MiB in its own representation."""
    echo = Echo(b"x" * (5 << 20))
    with pytest.raises(wasmtime.WasmtimeError, match="fuel"):
        call(load(echo_text(wit.BYTES)), "run", [echo.api(wit.BYTES)], Run())
    assert not echo.taken


# Declarations ----------------------------------------------------------------------------------------------------


def test_kinds_and_layout() -> None:
    from wasmtime import _ffi

    for name in ("BOOL", "S8", "U8", "S16", "U16", "S32", "U32", "S64", "U64", "F32", "F64", "CHAR", "STRING", "LIST",
                 "RECORD", "TUPLE", "VARIANT", "ENUM", "OPTION", "RESULT", "FLAGS", "RESOURCE"):  # fmt: skip
        assert getattr(v, name) == getattr(_ffi, f"WASMTIME_COMPONENT_{name}").value
    for number, name in enumerate(v.TYPE_KINDS[:-1]):
        constant = name.upper().replace("-", "_")
        assert getattr(_ffi, f"WASMTIME_COMPONENT_VALTYPE_{constant}").value == number
    value, entry = bindings.wasmtime_component_val, bindings.wasmtime_component_valrecord_entry
    assert ctypes.sizeof(value) == v.VAL.size
    assert value.of.offset == 8
    assert ctypes.sizeof(entry) == v.ENTRY_SIZE
    assert bindings.wasmtime_component_valvariant.val.offset == 16
    assert bindings.wasmtime_component_valresult.val.offset == 8
    assert ctypes.sizeof(bindings.wasmtime_component_item_t) == ctypes.sizeof(v.Typed)
    assert v.NAME.size == ctypes.sizeof(bindings.wasm_byte_vec_t)
