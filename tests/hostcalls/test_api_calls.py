"""No function of a host API outruns its guest's limits, whatever it is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from hostapi.driver import Driver, Guest
from hostcalls.apis import BYTES, CAS, HANDLE, ROWS, functions, granted
from hostcalls.resident import peak_of
from wsgi_wasm.engine.hostcalls.host_api import AnyApi
from wsgi_wasm.engine.hostcalls.interface import AnyInterface
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.hostapi import APIS
from wsgi_wasm.hostapi.limits import MAX_HANDLES

SECONDS = 0.5
CASES = [
    pytest.param(api, interface, name, row, id=f"{interface.name} {name} {row}")
    for api in APIS
    for interface in api.interfaces
    for name in interface.functions
    for row in range(len(ROWS.get((api.name, name), ())))
]


def test_every_function_has_a_row() -> None:
    assert set(ROWS) == functions()


@cache
def driver(api: AnyApi, interface: AnyInterface) -> Driver[Any]:
    # Stores have one API under several names, which belong together; others have the same names once more.
    return Driver(api) if api.name == "key_value" else Driver(api, interface)


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], int]]:
    folder: Path = tmp_path_factory.mktemp("state")
    with granted(folder) as found:
        store = next(api for api in APIS if api.name == "key_value")
        with driver(store, store.interfaces[0]).guest(found[0]["key_value"]) as guest:
            guest.ok("[method]store.set", guest.ok("[static]store.open", "default"), "large", BYTES)
        yield found


def opened(guest: Guest, api: AnyApi, name: str, port: int) -> Any:
    """A handle of the kind that the function takes."""
    if api.name == "key_value":
        return guest.ok("[static]store.open" if name.startswith("[method]store") else "open", "default")
    return guest.ok("[static]connection.open", "default" if api.name == "sqlite" else f"redis://127.0.0.1:{port}")


@pytest.mark.parametrize(("api", "interface", "name", "row"), CASES)
def test_it_ends_in_time(
    bound: tuple[dict[str, Any], int], api: AnyApi, interface: AnyInterface, name: str, row: int
) -> None:
    bindings, port = bound
    with driver(api, interface).guest(bindings[api.name]) as guest:
        arguments = [
            one.replace("PORT", str(port)) if isinstance(one, str) else one for one in ROWS[api.name, name][row]
        ]
        if HANDLE in arguments:
            arguments[arguments.index(HANDLE)] = opened(guest, api, name, port)
        bucket = guest.ok("open", "default") if CAS in arguments else None
        began = time.monotonic()
        guest.run.deadline, guest.run.cpu_end = began + SECONDS, time.thread_time() + SECONDS

        def again() -> None:
            # What ends the guest is fine, too: too large an argument, or its limit.
            with suppress(Stop, ModuleError, wasmtime.WasmtimeError):
                while time.monotonic() < began + SECONDS:
                    guest.call(
                        name,
                        *(guest.ok("[static]cas.new", bucket, "large") if one is CAS else one for one in arguments),
                    )

        _, grown = peak_of(again)
    # What it takes above the limit tells a call that looks at the clock from one that does not.
    assert time.monotonic() - began < SECONDS + 20
    # docs/security.md; the test's own arguments are a few dozen MiB more
    assert grown < 240 + 64


def test_handles_hold_no_values(bound: tuple[dict[str, Any], int]) -> None:
    """A guest keeps as many handles as it can for a large value; the values count for nobody while they lie there."""
    api, interface = next((api, one) for api in APIS for one in api.interfaces if "[static]cas.new" in one.functions)
    with driver(api, interface).guest(bound[0][api.name]) as guest:
        bucket = guest.ok("open", "default")
        held: list[Any] = []

        def hold() -> None:
            held.extend(guest.ok("[static]cas.new", bucket, "large") for _ in range(MAX_HANDLES))

        _, grown = peak_of(hold)
    assert grown < len(BYTES) * MAX_HANDLES / 4 / (1 << 20)
