"""`wsgi-wasm check`: everything that is wrong is named, and the exit status says whether there is anything."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

from guests.build import component, component_text, guest
from wsgi_wasm.engine.advisories import ADVISORIES, NOT_ON_PYPI, concerning
from wsgi_wasm.engine.program.preview1 import PREVIEW1_FUNCTIONS
from wsgi_wasm.engine.runtime import wat_to_wasm

from .conftest import Command
from .programs import PLAIN, importing, printing

SiteWriter = Callable[[str], Path]


def test_a_good_site(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    for name in ("in", "out", "scripts"):
        (tmp_path / name).mkdir()
    (tmp_path / "scripts" / "one.wat").write_text(printing(PLAIN))
    (tmp_path / "scripts" / ".hidden.wat").write_text("broken")
    (tmp_path / "scripts" / "notes.txt").write_text("not served")
    site(
        """
        routes:
          /x: {module: x.wat, timeout: 3s, memory: 1MiB, concurrency: 4, env: {SECRET: hunter2}, pass_env: [APP_X],
               dirs: {/in: ./in, /out: {path: ./out, writable: true}}}
          /s: {directory: scripts}
        hosts: {shop.example: {routes: {/: {module: x.wat}}}}
        """
    )
    done = wsgi_wasm("check", "site.yaml")
    assert (done.status, done.err) == (0, "")
    lines = [line.split() for line in done.text.splitlines()]
    assert ["*", "/x", "core", "module", "x.wat", "3s", "10s", "1MiB", "4", "ok"] in lines
    assert ["*", "/s", "directory", "scripts", "25s", "10s", "128MiB", "64", "ok"] in lines
    assert ["shop.example", "/", "core", "module", "x.wat", "25s", "10s", "128MiB", "64", "ok"] in lines
    assert ["scripts", "one.wat"] in lines
    assert ["imports", "fd_write"] in lines
    assert ["env", "SECRET"] in lines
    assert ["pass_env", "APP_X"] in lines
    assert ["dirs", "/in", "=", f"{tmp_path}/in", "(ro)"] in lines
    assert ["/out", "=", f"{tmp_path}/out", "(rw)"] in lines
    assert "per process" in done.text
    assert "hunter2" not in done.text
    assert "\x1b" not in done.text
    assert "(trusted, writable)" in done.text
    assert lines[-1] == ["site.yaml:", "3", "routes,", "0", "errors,", "0", "warnings"]


def test_a_directory_of_several_routes(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    (tmp_path / "out").mkdir()
    site(
        """
        routes:
          /a: {module: x.wat, dirs: {/out: {path: ./out, writable: true}}}
          /b: {module: x.wat, dirs: {/in: ./out/}}
        """
    )
    done = wsgi_wasm("check", "site.yaml")
    assert done.status == 0
    assert f"{tmp_path}/out can be written by guests of route /a; route /b can read it" in done.text


def test_what_is_granted(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    (tmp_path / "token").write_text("hunter2")
    site(
        """
        key_value: {sessions: {redis: "redis://:hunter2@cache.example/1"}}
        state_dir: state
        routes:
          /x: {module: x.wat, key_value: [default, sessions], sqlite: [default], redis: ["[::1]"], postgres: [db],
               mysql: [db], variables: {greeting: hunter2, token: {file: token}}}
          /y: {module: x.wat, variables: {token: {file: missing}}, sqlite: [odd]}
        sqlite: {odd: x.wat/odd.db}
        """
    )
    done = wsgi_wasm("check", "site.yaml")
    assert done.status == 0
    lines = [line.split() for line in done.text.splitlines()]
    assert ["key_value", "default", "=", f"{tmp_path}/state/sqlite_key_value.db"] in lines
    assert ["sessions", "=", "redis://cache.example/1,", "keys", "sessions:*"] in lines
    assert ["sqlite", "default", "=", f"{tmp_path}/state/sqlite_db.db"] in lines
    assert ["variables", "greeting"] in lines
    assert ["token", "=", f"{tmp_path}/token"] in lines
    assert ["redis", "[::1]:6379"] in lines
    assert ["postgres", "db:5432"] in lines
    assert ["mysql", "db:3306"] in lines
    assert f"warning  variable token: {tmp_path}/missing cannot be read" in done.text
    assert f"warning  {tmp_path}/x.wat/odd.db cannot be made" in done.text
    assert lines[-1][-2:] == ["2", "warnings"]
    as_json = wsgi_wasm("check", "site.yaml", "--json")
    found = json.loads(as_json.out)["routes"][0]["grants"]
    assert found["redis"] == {"[::1]:6379": "allowed"}
    assert "hunter2" not in done.text + as_json.text


def test_what_a_component_is_and_may(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    for name in ("app", "greeter"):
        (tmp_path / f"{name}.wat").write_text(component_text(name))
    (tmp_path / "odd.wat").write_text(
        """(component (import "a:b/c@1.0.0" (instance (export "f" (func))))
           (core module $m (func (export "run") (result i32) (i32.const 0)))
           (core instance $i (instantiate $m))
           (func $run (result (result)) (canon lift (core func $i "run")))
           (instance $r (export "run" (func $run))) (export "wasi:cli/run@0.2.0" (instance $r)))"""
    )
    (tmp_path / "empty.wat").write_text(
        """(component (component $e) (instance $i (instantiate $e)) (export "wasi:cli/run@0.2.0" (instance $i)))"""
    )
    site(
        f"""
        routes:
          /app: {{module: app.wat}}
          /handler: {{module: {component("http")}, allowed_outbound_hosts: ["https://*.example", "*://10.0.0.0/8:80..90"]}}
          /cgi: {{module: {component("http")}, interface: cgi}}
          /memory: {{module: {component("http")}, memory: 128KiB}}
          /odd: {{module: odd.wat}}
          /empty: {{module: empty.wat}}
          /core: {{module: {guest("hello")}, interface: http}}
        compose: {{app.wat: {{greeter: greeter.wat}}}}
        """
    )
    done = wsgi_wasm("check", "site.yaml", "--json")
    assert done.status == 1
    routes = {route["path"]: route for route in json.loads(done.out)["routes"]}
    assert routes["/app"]["kind"] == "component, cgi"
    assert routes["/app"]["composed"] == {"greeter": f"{tmp_path}/greeter.wat"}
    assert "wasi:cli/environment@0.2.3" in routes["/app"]["imports"]
    assert "demo:api/greeter@1.0.0" not in routes["/app"]["imports"]
    assert routes["/handler"]["kind"] == "component, http"
    assert routes["/handler"]["grants"]["outbound"] == {
        "https://*.example:443": "allowed",
        "*://10.0.0.0/8:80..90": "allowed",
    }
    assert "wasi:http/types@0.2.12" in routes["/handler"]["imports"]
    assert any("the interface of this component is http" in text for text in routes["/cgi"]["errors"])
    assert any("`memory` allows only 128 KiB" in text for text in routes["/memory"]["errors"])
    assert any("has unsupported imports" in text and "a:b/c@1.0.0" in text for text in routes["/odd"]["warnings"])
    assert any("a core module" in text for text in routes["/core"]["errors"])
    assert any("its wasi:cli/run is not that of WASI 0.2" in text for text in routes["/empty"]["errors"])
    assert routes["/core"]["interface"] is None
    assert [routes[path]["errors"] for path in ("/app", "/handler", "/odd")] == [[], [], []]
    text = wsgi_wasm("check", "site.yaml").text
    assert f"composed greeter = {tmp_path}/greeter.wat" in text


def test_everything_that_is_broken_is_named(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN, memory=40))
    (tmp_path / "bad.wat").write_text(importing("fd_sing", "fd_write_more"))
    (tmp_path / "foreign.wat").write_text('(module (import "env" "launch" (func)) (import "x" "y" (global i32)))')
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "two.wat").write_text("(module")
    site(
        f"""
        routes:
          /missing: {{module: missing.wasm}}
          /broken: {{module: {guest("broken")}}}
          /unknown: {{module: bad.wat}}
          /foreign: {{module: foreign.wat}}
          /both: {{module: {guest("unknown_import")}}}
          /memory: {{module: x.wat, memory: 1MiB}}
          /dirs: {{module: x.wat, dirs: {{/data: ./nowhere, /file: ./x.wat}}}}
          /gone: {{directory: gone}}
          /scripts: {{directory: scripts, interpreters: {{.py: {{module: python.wasm}}}}}}
        """
    )
    done = wsgi_wasm("check", "site.yaml", "--json")
    assert done.status == 1
    found = json.loads(done.out)
    assert not found["ok"]
    errors = {route["name"]: route["errors"] for route in found["routes"]}
    assert errors["/missing"] == ["missing.wasm: No such file or directory"]
    assert "type mismatch" in errors["/broken"][0]
    unknown = "bad.wat: has unsupported imports: wasi_snapshot_preview1.fd_sing, wasi_snapshot_preview1.fd_write_more"
    assert errors["/unknown"] == [unknown]
    assert errors["/foreign"][0].startswith("foreign.wat: has unsupported imports: env.launch, x.y; exports no _start")
    assert "env.launch_missiles" in errors["/both"][0]
    assert "wasi_snapshot_preview1.fd_teleport" in errors["/both"][0]
    assert errors["/memory"] == [
        "x.wat: starts with 2560 KiB of memory, but `memory` allows only 1024 KiB: set `memory: 3MiB` or more"
    ]
    assert errors["/dirs"] == [
        f"dirs: /data: {tmp_path}/nowhere: does not exist",
        f"dirs: /file: {tmp_path}/x.wat: is not a directory",
    ]
    assert errors["/gone"] == [f"directory {tmp_path}/gone: does not exist"]
    assert errors["/scripts"][0] == "interpreter of .py: python.wasm: No such file or directory"
    assert errors["/scripts"][1].startswith("two.wat: ")
    text = wsgi_wasm("check", "site.yaml")
    assert text.status == 1
    assert all(error in text.text for of_route in errors.values() for error in of_route)


def test_no_compile(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}{tmp_path.name}"))
    cache = tmp_path / "cache"
    done = wsgi_wasm("check", "x.wat", "--no-compile", cache=cache)
    assert done.status == 0
    assert "not compiled" in done.text
    assert not list(cache.glob("*.cwasm"))
    assert wsgi_wasm("check", "x.wat", cache=cache).status == 0
    assert "not compiled" not in wsgi_wasm("check", "x.wat", "--no-compile", cache=cache).text


def test_a_cache_that_is_not_trusted(wsgi_wasm: Command, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(loose.stat().st_mode | stat.S_IWOTH)
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    done = wsgi_wasm("check", "x.wat", cache=loose)
    assert done.status == 0
    assert f"not used: {loose} can be written by its group or by others" in done.text
    state = json.loads(wsgi_wasm("check", "x.wat", "--json", cache=loose).out)["cache"]
    assert (state["trusted"], state["writable"]) == (False, False)


def test_mistakes_as_json(wsgi_wasm: Command, site: SiteWriter) -> None:
    site("routes:\n  /a: {modul: x.wasm}\n")
    done = wsgi_wasm("check", "site.yaml", "--json")
    assert (done.status, done.err) == (1, "")
    problems = json.loads(done.out)["problems"]
    assert problems[0]["file"] == "site.yaml"
    assert problems[0]["line"] == 2


def test_a_long_directory_is_listed_in_part(wsgi_wasm: Command, tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}.wat").write_text(printing(PLAIN))
    found = json.loads(wsgi_wasm("check", "programs", "--json").out)["routes"][0]
    assert found["scripts"] == [f"{number:02}.wat" for number in range(50)]
    assert found["more_scripts"]


def test_what_tells_programs_is_listed(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    folder = tmp_path / "cgi-bin"
    (folder / "lib").mkdir(parents=True)
    module = wat_to_wasm(printing(PLAIN).encode())
    contents = {"a.wat": printing(PLAIN).encode(), "counter.cgi": module, "run": b"#!/usr/bin/env python3\n",
                "style.css": b"", "lib/__init__.py": b"", "lib/settings.py": b"", "form.PY": b""}  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    (tmp_path / "python.wasm").write_bytes(module)
    site(
        """
        defaults: {interpreters: {.py: ./python.wasm, python3: ./python.wasm}}
        routes:
          /all: {directory: cgi-bin, programs: [suffix, magic, shebang]}
          /x: {directory: cgi-bin, executable: true}
        """
    )
    everything, executable = json.loads(wsgi_wasm("check", "site.yaml", "--json").out)["routes"]
    assert {one["file"]: one["by"] for one in everything["programs"]} == {
        "a.wat": "suffix", "counter.cgi": "magic, a core module", "form.PY": "suffix", "run": "shebang, python",
    }  # fmt: skip
    why = {one["file"]: one["why"] for one in everything["others"]}
    assert why["style.css"] == "is not a program by its suffix, its first bytes and its #! line"
    assert why["lib/settings.py"].startswith("is a part of a Python package")
    assert len({one["why"] for one in executable["others"]}) == 1
    text = wsgi_wasm("check", "site.yaml").text
    assert "counter.cgi (magic, a core module)" in text
    assert "(is not a program by its suffix, its first bytes and its #! line)" in text


def test_files_of_authors(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    for folder, text in {"a": "timeout: 1s\nenv: {X: 1}\n", "b": "timeout: 1h\n"}.items():
        (tmp_path / "cgi-bin" / folder).mkdir(parents=True)
        for name, content in {"x.wat": printing(PLAIN), "wsgi_wasm.yaml": text}.items():
            (tmp_path / "cgi-bin" / folder / name).write_text(content)
            (tmp_path / "cgi-bin" / folder / name).chmod(0o644)
    site("routes: {/s: {directory: cgi-bin, local: [timeout, env]}, /none: {directory: cgi-bin}}")
    done = wsgi_wasm("check", "site.yaml")
    assert done.status == 1
    assert "local    a/wsgi_wasm.yaml: timeout, env" in done.text
    assert "b/wsgi_wasm.yaml:1:1: timeout: is more than the 25s of the route" in done.text
    none = json.loads(wsgi_wasm("check", "site.yaml", "--json").out)["routes"][1]
    assert none["warnings"] == [f"{name}/wsgi_wasm.yaml is not used: the route has no `local`" for name in "ab"]
    assert none["errors"] == []


def test_a_link_out_of_the_directory_is_not_listed(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "outside.wat").write_text(printing(PLAIN))
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "link.wat").symlink_to(tmp_path / "outside.wat")
    found = json.loads(wsgi_wasm("check", "programs", "--json").out)["routes"][0]
    assert found["scripts"] == []
    assert "contains no file that would be served" in found["warnings"][0]


def test_times_that_gunicorn_cuts_short(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    site("routes: {/slow: {module: x.wat, timeout: 2m}}")
    done = wsgi_wasm("check", "site.yaml")
    assert done.status == 0
    assert "route /slow may take 125 s" in done.text


def test_each_function_of_preview1_is_offered(wsgi_wasm: Command, tmp_path: Path) -> None:
    # With wrong types: Wasmtime then complains of the type, and would complain of a name it does not have.
    for name in sorted(PREVIEW1_FUNCTIONS - {"sched_yield"}):
        (tmp_path / f"{name}.wat").write_text(importing(name))
    done = wsgi_wasm("check", tmp_path)
    assert done.text.count("incompatible import type") == len(PREVIEW1_FUNCTIONS) - 1
    assert "unknown import" not in done.text


def test_advisories_go_by_version_and_features() -> None:
    plain = {advisory.identity for advisory in concerning("50.0.1", ())}
    with_gc = {advisory.identity for advisory in concerning("50.0.1", ("gc",))}
    assert plain < with_gc
    assert concerning("50.0.1", ("exceptions",)) == concerning("50.0.1", ("gc",))
    assert concerning("1.0.0", ()) == ()
    assert all(advisory.fixed_in not in ADVISORIES for known in ADVISORIES.values() for advisory in known)
    assert NOT_ON_PYPI.isdisjoint(ADVISORIES)
