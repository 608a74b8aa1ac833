"""What a component imports is read as it is, compared with what the host offers, and refused where that is nothing."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime
from wasmtime import component

from engine.echoes import ENGINE, MEMORY, Run, Written, address, load
from engine.test_hostcalls import COLOUR, DESK, DESKS, OFFICE, VALUES, caller_text
from wsgi_wasm import hostapi
from wsgi_wasm.engine import supply, wit
from wsgi_wasm.engine.hostcalls import Function, Interface
from wsgi_wasm.engine.imports import difference, imports
from wsgi_wasm.engine.run import Stop, current
from wsgi_wasm.errors import ModuleError

KINDS = list(dict(VALUES))


def importing(result: wit.Type) -> component.Component:
    """A component that imports `f` with this result and does nothing."""
    types = Written()
    function = types.function("f", (), result)
    return load(f'(component (import "test:call/f" (instance {" ".join([*types.lines, function])})))')


def interface_of(result: wit.Type | None, *parameters: wit.Type, name: str = "f") -> Interface:
    return Interface("test:call/f", "f", lambda held: None, {name: Function(parameters, result, lambda *_: None)})


def read(loaded: component.Component) -> dict[str, Any]:
    return imports(address(ENGINE), address(loaded))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_types_are_read_as_they_are(kind: wit.Type) -> None:
    found = read(importing(kind))["test:call/f"].functions["f"]
    assert found.parameters == ()
    assert found.result == kind
    assert not found.is_async


def test_resources_are_told_apart() -> None:
    text = """(component (import "test:two/kinds" (instance $i
      (export "a" (type $a (sub resource))) (export "b" (type $b (sub resource)))
      (export "f" (func (param "x" (borrow $a)) (param "y" (own $b)) (result (own $a))))))
     (alias export $i "a" (type $outer))
     (import "test:two/more" (instance
      (alias outer 1 $outer (type $ao)) (export "a" (type $a (eq $ao)))
      (export "g" (func (param "x" (borrow $a)))))))"""
    found = read(load(text))
    one, more = found["test:two/kinds"], found["test:two/more"]
    a, b = one.resources["a"], one.resources["b"]
    assert a is not b
    assert one.functions["f"].parameters == (wit.Borrow(a), wit.Own(b))
    assert one.functions["f"].result == wit.Own(a)
    assert more.functions["g"].parameters == (wit.Borrow(a),)


def test_what_fits_has_no_difference() -> None:
    for kind in KINDS:
        instance = read(importing(kind))["test:call/f"]
        assert difference(interface_of(kind), instance) is None
        others = [other for other in KINDS if other != kind]
        assert all("another type" in str(difference(interface_of(other), instance)) for other in others)
        assert "another type" in str(difference(interface_of(kind, wit.U8), instance))
        assert "no function f" in str(difference(interface_of(kind, name="g"), instance))
    assert difference(DESKS, read(load(OFFICE))["test:office/desks"]) is None


def linked(text: str, offered: dict[str, Interface], refused: Any = lambda name: False) -> Any:
    """A component's linker with what it imports, and what must be kept with it."""
    loaded = load(text)
    linker = component.Linker(ENGINE)
    kept = supply.supply(address(ENGINE), address(linker), address(loaded), offered, refused)
    return loaded, linker, kept


def test_an_interface_of_the_same_name_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ModuleError, match=r"test:call/f has f with another type"):
        linked(caller_text(wit.STRING), {"test:call/f": interface_of(wit.U8)})


# Refusals --------------------------------------------------------------------------------------------------------


def cases(*plain: str, **others: wit.Type) -> wit.VariantOf:
    return wit.variant({**dict.fromkeys(plain), **{name.replace("_", "-"): kind for name, kind in others.items()}})


TEXT = "test:call/f#f is not offered here"
DENIALS: list[tuple[wit.Type | None, Any]] = [
    (wit.ResultOf(wit.U8, cases("no-such-store", "access-denied", other=wit.STRING)), ("access-denied", None)),
    (wit.ResultOf(None, cases("invalid-address", other=wit.STRING)), ("invalid-address", None)),
    (wit.ResultOf(None, cases(connection_failed=wit.STRING, other=wit.STRING)), ("connection-failed", TEXT)),
    (wit.ResultOf(None, cases("model-not-supported", runtime_error=wit.STRING)), ("runtime-error", TEXT)),
    (wit.ResultOf(None, cases("timeout")), None),
    (wit.ResultOf(None, wit.EnumOf(("success", "access-denied"))), "access-denied"),
    (wit.ResultOf(None, COLOUR), None),
    (wit.ResultOf(None, wit.STRING), TEXT),
    (wit.ResultOf(None, None), None),
    (wit.STRING, None),
    (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("result", "error"), DENIALS)
def test_the_error_that_fits(result: wit.Type | None, error: Any) -> None:
    assert supply.denial(result, TEXT) == error


def run(text: str, refused: Any) -> tuple[Run, Any]:
    loaded, linker, kept = linked(text, {}, refused)
    store = wasmtime.Store(ENGINE)
    run = Run()
    current.run = run  # type: ignore[assignment]
    try:
        function = linker.instantiate(store, loaded).get_func(store, "run")
        return run, function(store)
    except wasmtime.WasmtimeError:
        return run, None
    finally:
        current.run = None
        store.close()
        del kept


@pytest.mark.parametrize(("result", "error"), DENIALS)
def test_a_refusal_is_an_error_or_says_what_is_not_offered(result: wit.Type | None, error: Any) -> None:
    ended, answer = run(caller_text(result), lambda name: name == "test:call/f")
    if error is None:
        assert isinstance(ended.failure, Stop)
        assert ended.failure.detail == TEXT
    elif isinstance(result, wit.ResultOf):
        assert ended.failure is None
        assert answer == 1


def test_a_refused_resource_can_be_imported() -> None:
    _, linker, kept = linked(OFFICE, {}, lambda name: True)
    store = wasmtime.Store(ENGINE)
    function = linker.instantiate(store, load(OFFICE)).get_func(store, "keep")
    with pytest.raises(wasmtime.WasmtimeError):
        function(store)
    assert DESK.name == "desk"
    store.close()
    del kept


def test_nothing_else_is_touched() -> None:
    loaded, linker, _ = linked(caller_text(None), {}, lambda name: False)
    with pytest.raises(wasmtime.WasmtimeError, match="test:call/f"):
        linker.instantiate(wasmtime.Store(ENGINE), loaded)


def test_names_that_are_refused() -> None:
    for name in (
        *("fermyon:spin/llm@2.0.0", "fermyon:spin/rdbms-types@2.0.0", "spin:postgres/postgres@4.2.0"),
        *("wasi:keyvalue/store@0.3.0", "wasi:config/store@0.1.0"),
    ):
        assert hostapi.is_refused(name)
        assert hostapi.granted_by(name) is None
    for name in ("wasi:http/types@0.2.0", "wasi:io/poll@0.2.0", "my:own/api@1.0.0", "spinning:wheel/x@1.0.0"):
        assert not hostapi.is_refused(name)
    for name in hostapi.INTERFACES:
        assert not hostapi.is_refused(name)
        assert hostapi.granted_by(name) in hostapi.APIS


def test_what_is_offered_is_what_a_component_declares() -> None:
    """A component that imports all interfaces as they are declared finds them, and finds no difference."""
    known: dict[wit.Resource, str] = {}
    parts = []
    for number, interface in enumerate(hostapi.INTERFACES.values()):
        types = Written(foreign=dict(known))
        lines = [types.function(name, one.parameters, one.result) for name, one in interface.functions.items()]
        parts.append(f'(import "{interface.name}" (instance $i{number} {" ".join([*types.lines, *lines])}))')
        for resource in interface.resources:
            known[resource] = f"$x{len(known)}"
            parts.append(f'(alias export $i{number} "{resource.name}" (type {known[resource]}))')
    loaded, linker, _ = linked(f"(component {' '.join(parts)} {MEMORY})", dict(hostapi.INTERFACES), hostapi.is_refused)
    linker.instantiate(wasmtime.Store(ENGINE), loaded)
