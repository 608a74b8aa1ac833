"""A configuration that is replaced goes with its last request: nothing in it waits for the collector of cycles, which
would keep the connections of a dozen of them open on a server where little else is made and dropped."""

from __future__ import annotations

import gc
import io
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, create_environ

from benchmarks.soak.alone import BrokenOff, Leaving
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
    gc.disable()
    freed()
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def freed() -> None:
    """All cycles that there are."""
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)


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
    freed()
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


def asked(gateway: Gateway, method: str, path: str, body: Any = b"", *, leaves: bool = False) -> str:
    """The status, and what was raised, of a request as a server makes it."""
    statuses: list[str] = []
    source = io.BytesIO(body) if isinstance(body, bytes) else body
    length = {"CONTENT_LENGTH": str(len(body) if isinstance(body, bytes) else 1000)} if method == "POST" else {}
    environ = {**create_environ(path, method=method), "wsgi.input": source, **length}

    def start(status: str, fields: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], None]:
        statuses.append(status[:3])
        return Leaving() if leaves else lambda data: None

    try:
        b"".join(gateway(environ, start))
    except Exception as error:
        return f"{''.join(statuses)} {type(error).__name__}"
    return statuses[0]


SHORT = {"timeout": "200ms", "max_output": "200kB"}
FLOOD = "/flood?bytes=9000000"
ENDS: dict[str, tuple[str, Callable[[Gateway], str]]] = {
    "trap": ("502", lambda gateway: asked(gateway, "GET", "/trap?kind=oob")),
    "broken head": ("502", lambda gateway: asked(gateway, "GET", "/nonce?head=broken")),
    "timeout": ("504", lambda gateway: asked(gateway, "GET", "/loop")),
    "too much output": ("200", lambda gateway: asked(gateway, "GET", FLOOD)),
    "component traps": ("502", lambda gateway: asked(gateway, "GET", "/component/trap")),
    "component's timeout": ("504", lambda gateway: asked(gateway, "GET", "/component/loop")),
    "component's handles": ("502", lambda gateway: asked(gateway, "GET", "/component/handles-forever")),
    "many files": ("200", lambda gateway: asked(gateway, "GET", "/files?path=/data/file")),
    "client leaves": ("200", lambda gateway: asked(gateway, "GET", "/stream?lines=500&ms=2", leaves=True)),
    "body too large": ("413", lambda gateway: asked(gateway, "POST", "/small", bytes(2000))),
    "body breaks off": ("400", lambda gateway: asked(gateway, "POST", "/nonce?id=1&lines=1", BrokenOff())),
    "streamed body": ("200", lambda gateway: asked(gateway, "POST", "/streamed?id=1&lines=1", bytes(2000))),
    "streamed body breaks off": ("400", lambda gateway: asked(gateway, "POST", "/streamed?id=1", BrokenOff())),
    "component's streamed body": ("201", lambda gateway: asked(gateway, "POST", "/fed/echo", bytes(2000))),
    "component's body breaks off": ("400", lambda gateway: asked(gateway, "POST", "/fed/echo", BrokenOff())),
}


@pytest.fixture(params=[False, "ends"])
def every_end(
    request: pytest.FixtureRequest, make_app: Callable[..., Gateway], tmp_path: Path, uncollected: None
) -> Gateway:
    """A gateway whose guests end in every way, each of which has happened once."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    http = str(component("http"))
    routes: dict[str, dict[str, Any]] = {
        "/trap": {"module": "trap"},
        "/nonce": {"module": "nonce"},
        "/loop": {"module": "loop", **SHORT},
        "/flood": {"module": "flood", **SHORT},
        "/component": {"module": http, "memory": "16MiB", **SHORT},
        "/files": {"module": "manyfds", "dirs": {"/data": str(tmp_path / "data")}},
        "/stream": {"module": "stream"},
        "/small": {"module": "nonce", "max_body": "1000B"},
        "/streamed": {"module": "nonce", "stream_request": True},
        "/fed": {"module": http, "stream_request": True},
    }
    gateway = make_app({path: {**route, "isolate": request.param} for path, route in routes.items()})
    for _, ask in ENDS.values():
        ask(gateway)
    freed()
    return gateway


def test_no_end_of_a_request_leaves_a_cycle(every_end: Gateway) -> None:
    """What a cycle keeps is all of the request: its body, its answer, the configuration that served it."""
    kept = {}
    for name, (status, ask) in ENDS.items():
        assert ask(every_end).startswith(status), name
        gc.collect()
        if gc.garbage:
            kept[name] = sorted({type(one).__name__ for one in gc.garbage})
            freed()
    assert kept == {}
