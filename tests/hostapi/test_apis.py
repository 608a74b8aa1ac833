"""The host's APIs as a whole: listed once, handed to whoever links components, and loaded for components alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from threading import Event

import pytest
import yaml

from conftest import SiteMaker
from guests.build import component_text
from wsgi_wasm import hostapi
from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS, Bindings
from wsgi_wasm.engine.hostcalls.interface import Function, Interface
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.outbound import Within

CALLER = component_text("caller")

PROGRAM = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\1a\\00\\00\\00") (data (i32.const 16) "Content-Type: text/plain\\n\\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""

ASKING = PROGRAM.replace(
    "(memory", '(import "wsgi_wasm_host_1" "call" (func (param i32 i32 i32 i32 i32 i32) (result i32))) (memory', 1
)


def test_each_grant_has_its_api() -> None:
    granted = {field.name for field in fields(Grants)} - {"of_manifest"}  # which says where the others come from
    # of the channel; mail is a program among those of `commands`
    services = {service.name for service in hostapi.channel.SERVICES} | {"mail"}
    assert {api.name for api in hostapi.APIS} - {"channel"} == granted - services


def test_sites_of_one_process_have_their_own_apis(
    make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All link the same component on the same engine: a linker of one must not serve the other."""
    calls: list[str] = []

    def api(binding: str) -> GrantedApi[str, str]:
        return GrantedApi(
            name="call",
            interfaces=(Interface[str]("test:call/f", {"f": Function((), None, calls.append)}),),
            begin=lambda host, binding: binding,
            bind=lambda grants: binding,
            describe=lambda grants: {},
        )

    (tmp_path / "caller.wat").write_text(CALLER)
    routes = {"/x": {"module": str(tmp_path / "caller.wat")}}
    original, clients = hostapi.APIS, []
    for added in ([], [api("first")], [api("second")]):
        monkeypatch.setattr(hostapi, "APIS", (*original, *added))
        clients.append(make_client(routes))
        clients[-1].get("/x")
    assert calls == ["first", "second"]
    for client in clients:
        client.get("/x")
    assert calls == ["first", "second"] * 2
    assert caplog.text.count("called test:call/f f, which is not supported") == 2


def test_a_function_under_the_name_of_an_interface(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = hostapi.APIS[0].interfaces[0].name
    (tmp_path / "caller.wat").write_text(CALLER.replace("(component", f'(component (import "{name}" (func))', 1))
    assert make_client({"/x": {"module": str(tmp_path / "caller.wat")}}).get("/x").status_code == 503
    assert f"has unsupported imports: {name}" in caplog.text


def test_a_routes_grants_are_bound_once(
    make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its first requests come together: what is counted for a route must be counted in one place."""
    bound: list[Grants] = []
    twice = Event()

    def bind(grants: Grants, within: Within | None = None) -> Bindings:
        bound.append(grants)
        if len(bound) > 1:
            twice.set()
        twice.wait(0.5)
        return NO_BINDINGS

    monkeypatch.setattr(hostapi, "bind", bind)
    paths = [f"/x/{name}.wat" for name in ("one", "two")]
    for path in paths:
        (tmp_path / Path(path).name).write_text(CALLER)
    client = make_client({"/x": {"directory": str(tmp_path)}})
    with ThreadPoolExecutor(len(paths)) as threads:
        list(threads.map(client.get, paths))
    assert len(bound) == 1


HOSTAPI, CHANNEL = "wsgi_wasm.hostapi", "wsgi_wasm.engine.program.channel"


@pytest.mark.parametrize(
    ("text", "status", "loaded"),
    [(PROGRAM, 200, set()), (ASKING, 200, {HOSTAPI, CHANNEL}), (CALLER, 502, {HOSTAPI})],
    ids=["program", "program with the channel", "component"],
)
def test_a_process_loads_what_its_guests_may_call(tmp_path: Path, text: str, status: int, loaded: set[str]) -> None:
    (tmp_path / "guest.wat").write_text(text)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"routes": {"/x": {"module": str(tmp_path / "guest.wat")}}}))
    code = """
import sys
from werkzeug.test import Client
from wsgi_wasm import create_app
answer = Client(create_app(sys.argv[1])).get("/x")
print(answer.status_code, *(name for name in sys.argv[2:] if name in sys.modules))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "site.yaml"), HOSTAPI, CHANNEL]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {str(status), *loaded}
