"""A configuration that is replaced goes with its last request: nothing in it waits for the collector of cycles, which
would keep the connections of a dozen of them open on a server where little else is made and dropped."""

from __future__ import annotations

import gc
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from guests.build import component, guest
from hostapi import programs
from wsgi_wasm import Gateway
from wsgi_wasm.hostapi import keyvalue

SPIN = """spin_manifest_version = 2
[application]
name = "replaced"
[component.http]
source = "http.wasm"
key_value_stores = ["default"]
allowed_outbound_hosts = ["http://self", "http://program.spin.internal"]
[component.program]
source = "env.wasm"
[[trigger.http]]
component = "http"
route = "/..."
[[trigger.http]]
component = "program"
route = "/program"
executor = { type = "wagi" }
"""


def scripts(place: Path) -> Path:
    folder = place / "scripts"
    folder.mkdir()
    shutil.copyfile(guest("env"), folder / f"env{guest('env').suffix}")
    return folder


def spin(place: Path) -> Path:
    folder = place / "app"
    folder.mkdir()
    shutil.copyfile(component("http"), folder / "http.wasm")
    shutil.copyfile(guest("env"), folder / "env.wasm")
    (folder / "spin.toml").write_text(SPIN)
    return folder / "spin.toml"


def pairs(place: Path) -> Path:
    """A component that uses a store."""
    file = place / "pairs.wat"
    file.write_text(programs.program(keyvalue.SPIN, {1024: "default", 1100: "hits"}, programs.KEY_VALUE))
    return file


STORE = {"key_value": ["default"]}
KINDS: dict[str, tuple[Callable[[Path], dict[str, Any]], tuple[str, ...]]] = {
    "program": (lambda place: {"module": "hello"}, ("/x",)),
    "directory": (lambda place: {"directory": str(scripts(place))}, (f"/x/env{guest('env').suffix}",)),
    "component": (lambda place: {"module": str(pairs(place)), **STORE}, ("/x",)),
    "worker": (lambda place: {"module": "worker", "interface": "wws", **STORE}, ("/x?set=key",)),
    "Spin": (lambda place: {"spin": str(spin(place))}, ("/x/hello", "/x/program")),
}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Without the collector, which is made to keep what it would free when it is called."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def ours_in_cycles() -> set[str]:
    """The package's own classes of which objects are kept by cycles alone."""
    gc.collect()
    kinds = {type(one) for one in gc.garbage}
    return {kind.__qualname__ for kind in kinds if kind.__module__.startswith("wsgi_wasm.")}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("isolate", [False, "replaced"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_at_once(
    kind: str, isolate: Any, make_app: Callable[..., Gateway], tmp_path: Path, uncollected: None
) -> None:
    route, paths = KINDS[kind]
    made = {**route(tmp_path), "isolate": isolate}
    gateway = make_app({"/x": made}, reload=True, state_dir=str(tmp_path / "state"))
    client = Client(gateway)

    def ask() -> None:
        for path in paths:
            answer = client.get(path)
            assert answer.status_code < 300, answer.text

    def replace(text: str) -> None:
        (tmp_path / "site.yaml").write_text(text)
        gateway._look_at = 0.0
        ask()

    text = (tmp_path / "site.yaml").read_text()
    replace(text + "# first\n")  # from here on everything is there that is made once
    ours_in_cycles()
    gc.garbage.clear()
    held = descriptors()
    for turn in range(3):
        serving = weakref.ref(gateway._current())
        replace(f"{text}# {turn}\n")
        assert serving() is None
    assert ours_in_cycles() == set()
    assert descriptors() <= held


def test_it_stays_for_a_request_that_it_serves(
    make_app: Callable[..., Gateway], tmp_path: Path, uncollected: None
) -> None:
    gateway = make_app({"/x": {"module": "stream"}, "/y": {"module": "hello"}}, reload=True)
    client = Client(gateway)
    assert client.get("/y").status_code == 200
    serving = weakref.ref(gateway._current())
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(client.get("/x?lines=20&ms=50").text))
    thread.start()
    with (tmp_path / "site.yaml").open("a") as site:
        site.write("# changed\n")
    gateway._look_at = 0.0
    assert Client(gateway).get("/y").status_code == 200
    assert gateway._serving is not serving()
    thread.join(60)
    assert len(answers[0].splitlines()) == 20
    assert serving() is None
