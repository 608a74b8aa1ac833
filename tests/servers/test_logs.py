"""The package's log behind each server: at its own levels, each line with its program, in the chosen form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from .apache import put
from .client import get, wait_compiled
from .command import serving
from .fixtures import serve
from .process import ServerError, wait_for
from .server import Server

SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon", "mod_wsgi-embedded", "serve")

# Prints a line to standard error and an answer, or traps at once.
LOUD = r"""
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\20\00\00\00\11\00\00\00\40\00\00\00\1c\00\00\00")
  (data (i32.const 32) "a \22caf\c3\a9\22 %s %n\\\n")
  (data (i32.const 64) "Content-Type: text/plain\n\nok")
  (func (export "_start")
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 24)))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 24)))))
"""
TRAP = '(module (memory (export "memory") 1) (func (export "_start") unreachable))'

SITE = """
routes:
  /env: {module: loud.wasm}
  /trap: {module: trap.wasm}
  /scripts: {directory: scripts}
"""

# What each request leaves in the log: its level, and a pattern for the rest of the line.
EXPECTED = {
    "/env": ("warning", r"/env loud\.wasm \[(\w|[-+/])+\] a \"caf.*\" %s %n"),
    "/trap": ("error", r"/trap trap\.wasm \[(\w|[-+/@])+\] 502: the guest trapped: unreachable"),
    "/scripts/none.wasm": ("info", r"/scripts \[(\w|[-+/@])+\] 404: no /none\.wasm in .*scripts"),
}
STATUS = {"/env": 200, "/trap": 502, "/scripts/none.wasm": 404}

APACHE_LEVELS = {"warning": "warn"}


def site(tmp: Path, text: str) -> Path:
    put(tmp / "loud.wasm", bytes(wat2wasm(LOUD)))
    put(tmp / "trap.wasm", bytes(wat2wasm(TRAP)))
    (tmp / "scripts").mkdir(exist_ok=True)
    path = tmp / "site.yaml"
    put(path, f"{text}{SITE}".encode())
    return path


@pytest.fixture(scope="module", params=[(name, form) for form in ("text", "json") for name in SERVERS], ids="-".join)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[tuple[Server, str]]:
    name, form = request.param
    place = open_module_tmp / f"{name}-{form}"
    place.mkdir()
    with serving(name, site(place, f"log: {{level: info, format: {form}}}"), place) as running:
        wait_compiled(running.address, "/env", "/trap")
        yield running, form


@pytest.mark.parametrize("target", EXPECTED)
def test_each_line_has_its_level_and_its_program(server: tuple[Server, str], target: str) -> None:
    running, form = server
    assert get(running.address, target).status == STATUS[target]
    level, pattern = EXPECTED[target]
    if form == "json":
        running.wait_for_log(f'"level": "{level}"')
        assert [one for one in objects(running) if one["level"] == level and re.search(pattern, one["message"])]
        return
    if running.name.startswith("mod_wsgi"):
        pattern = rf"\[wsgi:{APACHE_LEVELS.get(level, level)}\] .*{pattern}"
    else:
        pattern = rf"\[{level.upper()}\] .*{pattern}"
    running.wait_for_log("404: " if STATUS[target] == 404 else target)
    assert re.search(pattern, running.log()), running.log()[-3000:]


def objects(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]


def test_json_has_what_it_is_about(server: tuple[Server, str]) -> None:
    running, form = server
    if form != "json":
        assert not objects(running)
        return
    answer = get(running.address, "/trap")
    identity = answer.field("X-Request-ID")
    running.wait_for_log(f'"request_id": "{identity}"')
    (one,) = [one for one in objects(running) if one.get("request_id") == identity]
    assert one["message"].startswith(f"/trap trap.wasm [{identity}] 502: the guest trapped")
    expected = {"level": "error", "logger": "wsgi_wasm.gateway", "route": "/trap", "program": "trap.wasm"}
    assert {**one, **expected, "status": 502, "outcome": "BadGateway"} == one
    assert one["pid"] in running.everyone()


def test_apaches_own_level_applies(open_tmp: Path) -> None:
    """`LogLevel` hides what is below it."""
    with serve("mod_wsgi-daemon", site(open_tmp, ""), open_tmp, apache_text="LogLevel warn", ready="/env") as running:
        wait_compiled(running.address, "/env")
        get(running.address, "/scripts/none.wasm")
        get(running.address, "/env")
        running.wait_for_log("caf")
        assert "404: " not in running.log()


def test_a_host_with_a_log_of_its_own(open_tmp: Path) -> None:
    """A process group that is defined in a virtual host logs there."""
    script = open_tmp / "own.wsgi"
    config = site(open_tmp, "")
    put(script, f"from wsgi_wasm.mod_wsgi import application as application\n# {config}\n".encode())
    text = f"""
<VirtualHost *:*>
    ServerName own.example
    ErrorLog "{open_tmp}/own.log"
    WSGIDaemonProcess own processes=1 threads=2 python-home=${{SERVER_PYTHON_HOME}}
    WSGIScriptAlias / "{script}" process-group=own application-group=%{{GLOBAL}}
    <Directory "{open_tmp}">
        Require all granted
    </Directory>
</VirtualHost>
"""
    with serve("mod_wsgi-daemon", config, open_tmp, apache_text=text, ready="/env") as running:
        wait_compiled(running.address, "/env")
        own = open_tmp / "own.log"
        assert re.search(r"\[wsgi:warn\] .*/env loud\.wasm", own.read_text("utf-8"))


@pytest.mark.parametrize(
    ("variable", "shown", "hidden"),
    [("error", "502: ", "caf"), ("json info", '"status": 404', "[ERROR] "), ("debug,text", "404: ", '"level"')],
)
def test_the_variable_overrides_the_file(open_tmp: Path, variable: str, shown: str, hidden: str) -> None:
    config = site(open_tmp, "log: {level: error, format: json}")
    env = {"WSGI_WASM_LOG": variable}
    with serve("gunicorn-sync", config, open_tmp, env=env, workers=1, ready="/env") as running:
        wait_compiled(running.address, "/env", "/trap")
        for target in EXPECTED:
            get(running.address, target)
        running.wait_for_log(shown)
        assert hidden not in running.log()


def test_a_word_that_it_cannot_be(open_tmp: Path) -> None:
    config, env = site(open_tmp, ""), {"WSGI_WASM_LOG": "warn"}
    said = r"WSGI_WASM_LOG: 'warn' is none of .*; did you mean 'warning'\?"
    with pytest.raises(ServerError, match=said), serve("gunicorn-sync", config, open_tmp, env=env, ready="/env"):
        pass


def test_a_reload_changes_level_and_form(open_tmp: Path) -> None:
    config = site(open_tmp, "log: error\nreload: true\n")
    with serve("gunicorn-sync", config, open_tmp, workers=1, ready="/env") as running:
        wait_compiled(running.address, "/env")
        assert "caf" not in running.log()
        site(open_tmp, "log: {format: json}\nreload: true\n")

        def said() -> bool:
            get(running.address, "/env")
            return "caf" in running.log()

        wait_for("the new form", said)
        assert [one for one in objects(running) if "caf" in one["message"]]


@pytest.mark.parametrize("name", ["gunicorn-sync", "mod_wsgi-daemon"])
def test_the_log_of_isolated_guests(open_tmp: Path, name: str) -> None:
    """What starts their processes writes in the same form."""
    config = site(open_tmp, "log: {format: json}\ndefaults: {isolate: true}\n")
    with serve(name, config, open_tmp, ready="/env") as running:
        wait_compiled(running.address, "/env", "/trap")
        running.wait_for_log('"logger": "wsgi_wasm.guest"')
    assert [one for one in objects(running) if one["logger"] == "wsgi_wasm.guest"]
    plain = re.compile(r"^[^{].*wsgi_wasm\.(gateway|engine|guest|isolation)\b", re.MULTILINE)
    assert not plain.search(running.log()), running.log()[-3000:]
