"""Resources of the host: handles that guests hold, give back, drop, forge, and leave behind."""

from __future__ import annotations

import gc
import weakref

import pytest
import wasmtime

from engine.echoes import Run, call, function_of, load
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostApi, HostState
from wsgi_wasm.engine.hostcalls.interface import Function, Interface
from wsgi_wasm.engine.hostcalls.lifting import Mismatch

bindings = pytest.importorskip("wasmtime._bindings")

DESK = wit.Resource("desk")
LAMP = wit.Resource("lamp")


class Desk:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def close(self) -> None:
        self.log.append("closed")


RESOURCES = """(component
 (import "test:office/desks" (instance $i (export "desk" (type $d (sub resource)))
  (export "open" (func (result (own $d)))) (export "use" (func (param "self" (borrow $d)) (result u32)))
  (export "take" (func (param "d" (own $d))))))
 (alias export $i "desk" (type $desk))
 (core func $drop (canon resource.drop $desk))
 (core func $open (canon lower (func $i "open"))) (core func $use (canon lower (func $i "use")))
 (core func $take (canon lower (func $i "take")))
 (core module $code
  (import "i" "open" (func $open (result i32))) (import "i" "use" (func $use (param i32) (result i32)))
  (import "i" "take" (func $take (param i32))) (import "i" "drop" (func $drop (param i32)))
  (func (export "all") (param $n i32) (result i32) (local $h i32) (local $sum i32)
   (loop $l (local.set $h (call $open)) (local.set $sum (i32.add (local.get $sum) (call $use (local.get $h))))
    (call $drop (local.get $h)) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
   (local.get $sum))
  (func (export "keep") (drop (call $open)))
  (func (export "trap") (drop (call $open)) unreachable)
  (func (export "give-up") (call $take (call $open)))
  (func (export "after-drop") (local $h i32) (local.set $h (call $open)) (call $drop (local.get $h))
   (drop (call $use (local.get $h))))
  (func (export "after-take") (local $h i32) (local.set $h (call $open)) (call $take (local.get $h))
   (drop (call $use (local.get $h))))
  (func (export "forged") (drop (call $use (i32.const 7)))))
 (core instance $fs (export "open" (func $open)) (export "use" (func $use)) (export "take" (func $take))
  (export "drop" (func $drop)))
 (core instance $c (instantiate $code (with "i" (instance $fs))))
 (func (export "all") (param "n" u32) (result u32) (canon lift (core func $c "all")))
 EXPORTS)"""
PLAIN = ("keep", "trap", "give-up", "after-drop", "after-take", "forged")
OFFICE = RESOURCES.replace(
    "EXPORTS", "\n".join(f'(func (export "{name}") (canon lift (core func $c "{name}")))' for name in PLAIN)
)


class Office:
    def __init__(self, host: HostState, _binding: None) -> None:
        self.host_state = host
        self.log: list[str] = LOG

    def close(self) -> None:
        self.log.append("office closed")


LOG: list[str] = []
OFFICE_FUNCTIONS: dict[str, Function[Office]] = {
    "open": function_of((), wit.Own(DESK), lambda office: Desk(office.log)),
    "use": function_of((wit.Borrow(DESK),), wit.U32, lambda office, desk: office.host_state.count(DESK)),
    "take": function_of((wit.Own(DESK),), None, lambda office, desk: office.log.append("taken")),
}
DESKS = Interface("test:office/desks", OFFICE_FUNCTIONS, (DESK,))
API = HostApi("office", (DESKS,), Office)

ENDS = {
    "keep": ["closed", "office closed"],
    "trap": ["closed", "office closed"],
    "give-up": ["taken", "office closed"],
    "after-drop": ["closed", "office closed"],
    "after-take": ["taken", "office closed"],
    "forged": [],
}
TRAPS = {"trap", "after-drop", "after-take", "forged"}


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_run_holds_goes_with_it(name: str) -> None:
    LOG.clear()
    loaded = load(OFFICE)
    if name in TRAPS:
        with pytest.raises(wasmtime.WasmtimeError):
            call(loaded, name, [API], Run())
    else:
        call(loaded, name, [API], Run())
    assert ENDS[name] == LOG


def test_a_run_is_freed_at_once() -> None:
    """A cycle would leave each request to the garbage collector."""
    run = Run()
    seen = weakref.ref(run.host_state.of(API))
    call(load(OFFICE), "keep", [API], run)
    ended = weakref.ref(run)
    gc.disable()
    try:
        del run
        assert ended() is None
        assert seen() is None
    finally:
        gc.enable()


def test_dropped_handles_are_forgotten() -> None:
    LOG.clear()
    run = Run()
    assert call(load(OFFICE), "all", [API], run, 1000) == 1000
    assert run.host_state.count(DESK) == 0
    assert len(LOG) == 1001


def test_a_handle_of_another_type_is_refused() -> None:
    """A component that imports two interfaces can pass a resource of one where the other wants its own."""
    functions = {**OFFICE_FUNCTIONS, "use": function_of((wit.Borrow(LAMP),), wit.U32, lambda office, lamp: 1)}
    with pytest.raises(Mismatch):
        call(load(OFFICE), "all", [HostApi("o", (Interface(DESKS.name, functions, (DESK,)),), Office)], Run(), 1)


def test_what_cannot_be_closed_keeps_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Office):
        def close(self) -> None:
            raise OSError("stuck")

    LOG.clear()
    run = Run()
    call(load(OFFICE), "keep", [HostApi("office", (DESKS,), Stuck)], run)
    assert LOG == ["closed"]
    assert "stuck" in caplog.text
