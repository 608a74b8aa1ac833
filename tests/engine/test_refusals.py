"""What a component imports is read as it is, compared with the host's interfaces, and refused where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime
from wasmtime import component

from engine.echoes import MEMORY, Run, Written, address, api_of, engine, function_of, imported, load
from engine.test_host_resources import DESKS, OFFICE
from engine.test_hostcalls import COLOUR, VALUES, caller_text
from wsgi_wasm import hostapi
from wsgi_wasm.engine.hostcalls import refusals, wit
from wsgi_wasm.engine.hostcalls.host_api import AnyApi, interfaces_of
from wsgi_wasm.engine.hostcalls.imports import difference, imports
from wsgi_wasm.engine.hostcalls.interface import Interface
from wsgi_wasm.engine.hostcalls.linker import define
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.engine.run import current
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.logs import Seldom, package_log

KINDS = list(dict(VALUES))


def importing(result: wit.Type) -> component.Component:
    """A component that imports `f` with this result and does nothing."""
    types = Written()
    function = types.function("f", (), result)
    return load(f'(component (import "test:call/f" (instance {" ".join([*types.lines, function])})))')


def interface_of(result: wit.Type | None, *parameters: wit.Type, name: str = "f") -> Interface[None]:
    return Interface("test:call/f", {name: function_of(parameters, result, lambda *_: None)})


def read(loaded: component.Component) -> dict[str, Any]:
    return imports(address(engine()), address(loaded))


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


def linked(text: str, *apis: AnyApi) -> tuple[component.Component, component.Linker]:
    """A component, and a linker with these APIs and refusals of its other imports."""
    loaded = load(text)
    linker = component.Linker(engine())
    imported = read(loaded)
    interfaces = interfaces_of(apis)
    refusals.check(interfaces, imported)
    for api in apis:
        for interface in api.interfaces:
            define(address(linker), api, interface)
    for name, instance in imported.items():
        if name not in interfaces:
            refusals.refuse(address(linker), name, instance)
    return loaded, linker


def test_an_interface_of_the_same_name_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ModuleError, match=r"test:call/f has f, but with another type"):
        linked(caller_text(wit.STRING), api_of("test:call/f", f=function_of((), wit.U8, lambda _: 1)))


# Refusals --------------------------------------------------------------------------------------------------------


def cases(*plain: str, **others: wit.Type) -> wit.VariantOf:
    return wit.variant({**dict.fromkeys(plain), **{name.replace("_", "-"): kind for name, kind in others.items()}})


TEXT = "test:call/f f is not supported"
DENIALS: list[tuple[wit.Type | None, Any]] = [
    (wit.ResultOf(wit.U8, cases("no-such-store", "access-denied", other=wit.STRING)), ("access-denied", None)),
    (wit.ResultOf(None, cases("invalid-address", other=wit.STRING)), ("other", TEXT)),
    (wit.ResultOf(None, cases("invalid-address", "other")), ("invalid-address", None)),
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
    assert refusals.denial(result, TEXT) == error


@pytest.mark.parametrize(("result", "error"), DENIALS)
def test_a_refusal_is_an_error_or_says_what_is_not_offered(result: wit.Type | None, error: Any) -> None:
    loaded, linker = linked(caller_text(result))
    ended, answer = called(loaded, linker, "run")
    if error is None:
        assert isinstance(ended.failure, Stop)
        assert ended.failure.detail == "called test:call/f f, which is not supported"
    else:
        assert ended.failure is None
        assert answer == 1


def test_a_refusal_is_logged_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_seldom", Seldom(package_log("guest")))
    for _ in range(3):
        loaded, linker = linked(caller_text(wit.ResultOf(None, wit.STRING)))
        assert called(loaded, linker, "run")[1] == 1
    lines = [record.getMessage() for record in caplog.records if "not supported" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].endswith(" called test:call/f f, which is not supported")


def called(loaded: component.Component, linker: component.Linker, name: str) -> tuple[Run, Any]:
    store = wasmtime.Store(engine())
    run = Run()
    current.run = run  # type: ignore[assignment]
    try:
        function = linker.instantiate(store, loaded).get_func(store, name)
        assert function is not None
        return run, function(store)
    except wasmtime.WasmtimeError:
        return run, None
    finally:
        current.run = None
        store.close()
        linker.close()


def test_a_linker_that_another_component_shares() -> None:
    """It has the same names and other types: what was made for the first must not harm."""
    first, linker = linked(caller_text(wit.ResultOf(None, wit.STRING)))
    for result in (None, wit.STRING, wit.ResultOf(None, COLOUR), wit.tuple_of(wit.U64, wit.U64)):
        store = wasmtime.Store(engine())
        function = linker.instantiate(store, load(caller_text(result))).get_func(store, "run")
        assert function is not None
        current.run = Run()  # type: ignore[assignment]
        with pytest.raises(wasmtime.WasmtimeError):
            function(store)
        current.run = None
        store.close()
    assert called(first, linker, "run")[1] == 1


def test_a_refused_resource_can_be_imported() -> None:
    loaded, linker = linked(OFFICE)
    ended, _ = called(loaded, linker, "keep")
    assert isinstance(ended.failure, Stop)


def test_the_hosts_interfaces_are_what_a_component_declares() -> None:
    """A component that imports all interfaces as they are declared finds them, and finds no difference."""
    known: dict[wit.Resource, str] = {}
    parts: list[str] = []
    for number, interface in enumerate(interfaces_of(hostapi.APIS).values()):
        parts += imported(interface, f"$i{number}", known)
    loaded, linker = linked(f"(component {' '.join(parts)} {MEMORY})", *hostapi.APIS)
    linker.instantiate(wasmtime.Store(engine()), loaded)
    linker.close()
