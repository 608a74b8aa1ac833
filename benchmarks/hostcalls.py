"""What a call of a host function costs a component, against the `wasmtime` package's own `add_func`.

`python benchmarks/hostcalls.py [--rounds N]`; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import component

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))

from engine.echoes import MEMORY, Run, Written, address, engine, load  # noqa: E402
from hostapi.driver import _Call  # noqa: E402
from wsgi_wasm.config.granted import KeyValueStore  # noqa: E402
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS, Binding, HostApi  # noqa: E402
from wsgi_wasm.engine.hostcalls.interface import Function, Interface  # noqa: E402
from wsgi_wasm.engine.hostcalls.linker import define  # noqa: E402
from wsgi_wasm.engine.run import current  # noqa: E402
from wsgi_wasm.hostapi import keyvalue  # noqa: E402

NAMES = {"exists": "[method]store.exists", "get": "[method]store.get", "set": "[method]store.set"}
CALLS = {
    "exists": "(local.get $h) (i32.const 1031) (i32.const 3) (i32.const 64)",
    "get": "(local.get $h) (i32.const 1031) (i32.const 3) (i32.const 64)",
    "set": "(local.get $h) (i32.const 1031) (i32.const 3) (i32.const 4096) (local.get $size) (i32.const 64)",
}
MEASURED = [("exists", 0), ("get", 7), ("set", 7), ("get", 1000), ("set", 1000), ("get", 100_000), ("set", 100_000)]

Loop = Callable[[str, int, int], float]


def looping() -> str:
    """A component that calls one function of `fermyon:spin/key-value` many times."""
    types = Written()
    functions = keyvalue.SPIN.functions
    wanted = {"open": "[static]store.open", **NAMES}
    lines = [types.function(name, functions[name].parameters, functions[name].result) for name in wanted.values()]
    lowered, imports, code = [], [], []
    for short, name in wanted.items():
        lowered.append(f'(core func ${short} (canon lower (func $i "{name}") (memory $memory) (realloc $realloc)))')
        imports.append(f'(import "f" "{short}" (func ${short} {_Call(0, functions[name]).signature()}))')
    for short, arguments in CALLS.items():
        code.append(f"""(func (export "{short}") (param $n i32) (param $size i32) (local $h i32)
  (call $open (i32.const 1024) (i32.const 7) (i32.const 64)) (local.set $h (i32.load (i32.const 68)))
  (loop $again (call $reset) (call ${short} {arguments})
   (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (call $drop (local.get $h)))""")
    exports = " ".join(f'(export "{short}" (func ${short}))' for short in (*wanted, "drop"))
    lifts = [
        f'(func (export "{short}") (param "n" u32) (param "size" u32) (canon lift (core func $c "{short}")))'
        for short in CALLS
    ]
    memory = MEMORY.replace(
        '(func (export "realloc")',
        '(func (export "reset") (global.set $next (i32.const 262144)))\n  (func (export "realloc")',
    )
    return f"""(component (import "{keyvalue.SPIN.name}" (instance $i {" ".join([*types.lines, *lines])})) {memory}
 (alias export $i "store" (type $store)) (core func $drop (canon resource.drop $store)) {" ".join(lowered)}
 (core module $code (import "m" "memory" (memory 0)) (import "m" "reset" (func $reset))
  (import "f" "drop" (func $drop (param i32))) {" ".join(imports)}
  (data (i32.const 1024) "defaultkey") {" ".join(code)})
 (core instance $fs {exports})
 (core instance $c (instantiate $code (with "f" (instance $fs)) (with "m" (instance $m)))) {" ".join(lifts)})"""


LOADED = load(looping())


def timed(linker: component.Linker, run: Run | None, name: str, count: int, size: int) -> float:
    """CPU microseconds of one call."""
    store = wasmtime.Store(engine())
    function = linker.instantiate(store, LOADED).get_func(store, name)
    assert function is not None
    current.run = run  # type: ignore[assignment]
    before = time.thread_time()
    function(store, count, size)
    spent = time.thread_time() - before
    current.run = None
    store.close()
    if run is not None:
        run.host_state.close()
    return spent / count * 1e6


def ours(api: HostApi[Binding, Any], binding: Binding) -> Loop:
    linker = component.Linker(engine())
    define(address(linker), api, api.interfaces[0])
    bindings = NO_BINDINGS.with_binding(api, binding)
    return lambda name, count, size: timed(linker, Run(bindings), name, count, size)


class InMemory:
    """A store that does nothing but hold one value, so that the call is what is measured."""

    def __init__(self, value: bytes) -> None:
        self.value = value


def declared() -> HostApi[bytes, InMemory]:
    calls: dict[str, Callable[..., Any]] = {
        "[static]store.open": lambda api, label: api,
        NAMES["exists"]: lambda api, store, key: True,
        NAMES["get"]: lambda api, store, key: api.value,
        NAMES["set"]: lambda api, store, key, value: None,
    }
    spin = keyvalue.SPIN
    functions: dict[str, Function[InMemory]] = {
        name: Function(one.parameters, one.result, calls.get(name, one.call)) for name, one in spin.functions.items()
    }
    interface = Interface(spin.name, functions, spin.resources)
    return HostApi("key_value", (interface,), lambda _host, value: InMemory(value))


def theirs(value: bytes) -> Loop:
    linker = component.Linker(engine())
    with linker.root() as root, root.add_instance(keyvalue.SPIN.name) as instance:
        instance.add_resource("store", component.ResourceType.host(1 << 30), lambda *_: None)
        own = component.ResourceHost.own

        def seen(call: Callable[..., Any]) -> Callable[..., Any]:
            # Each handle must be looked at, or the call fails when it returns.
            return lambda store, handle, *rest: (handle.to_host(store), call(*rest))[1]

        instance.add_func("[static]store.open", lambda store, label: own(1, 1 << 30).to_any(store))
        instance.add_func(NAMES["exists"], seen(lambda key: True))
        instance.add_func(NAMES["get"], seen(lambda key: value))
        instance.add_func(NAMES["set"], seen(lambda key, value: None))
    return lambda name, count, size: timed(linker, None, name, count, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print("CPU microseconds a call, the least of interleaved rounds")
    print(f"{'call':<22}{'add_func':>10}{'ours':>10}{'ratio':>8}")
    for name, size in MEASURED:
        value = b"x" * size
        contenders = {"add_func": theirs(value), "ours": ours(declared(), value)}
        count = max(5, 20_000 // (1 + size // 10))
        least = {
            who: min(loop(name, max(3, count // (20 if who == "add_func" else 1)), size) for _ in range(rounds))
            for who, loop in contenders.items()
        }
        label = f"{name}, {size} bytes" if size else name
        print(f"{label:<22}{least['add_func']:>10.1f}{least['ours']:>10.1f}{least['add_func'] / least['ours']:>7.1f}x")
    with tempfile.TemporaryDirectory() as directory:
        store = KeyValueStore(name="default", path=Path(directory) / "kv.db", redis=None, prefix="", max_size=1 << 24)
        loop = ours(keyvalue.API, keyvalue.stores({"default": store}))
        for name in ("set", "get", "exists"):
            print(f"{'SQLite store: ' + name:<22}{'':>10}{min(loop(name, 5000, 7) for _ in range(rounds)):>10.1f}")


if __name__ == "__main__":
    main()
