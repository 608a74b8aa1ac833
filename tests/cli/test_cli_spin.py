"""A manifest on the command line: `serve`, `check`, `run` and `compile` take it as they take a site."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from servers.client import get
from servers.process import ServerProcess, free_port, wait_for, wait_until_answering
from servers.server import Server
from spin.components import HERE, component
from spin.conftest import MANIFEST, write_app

from .conftest import Command, command_line


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app")


def test_run(wsgi_wasm: Command, app: Path) -> None:
    assert wsgi_wasm("run", "--body", "app/spin.toml", "/args?a").text == "2\n[args.wasm]\n[a]\n"


def test_check(wsgi_wasm: Command, app: Path) -> None:
    (app / "spin.toml").write_text(MANIFEST + '[component.unused]\nsource = "unused.wasm"\n')
    done = wsgi_wasm("check", "app/spin.toml")
    assert done.status == 0
    lines = done.text.splitlines()
    rows = {line.split()[1]: " ".join(line.split()[2:5]) for line in lines if line.startswith("*  ")}
    assert rows["/"] == "Spin application app/spin.toml"
    assert rows["/[env]"] == "core module env.wasm"
    assert any("component unused: no HTTP trigger uses it" in line for line in lines)

    routes = json.loads(wsgi_wasm("check", "--json", "app/spin.toml").text)["routes"]
    assert [route["path"] for route in routes] == ["/", "/[env]", "/[args]", "/[args]", "/[files]"]
    assert routes[0]["spin"] == "app/spin.toml"
    assert [entry["guest"] for entry in routes[4]["dirs"]] == ["/"]


def test_check_says_what_is_wrong(wsgi_wasm: Command, app: Path) -> None:
    (app / "args.wasm").unlink()
    done = wsgi_wasm("check", "app/spin.toml")
    assert done.status == 1
    assert "args.wasm: No such file or directory" in done.text
    (app / "spin.toml").write_text(MANIFEST.replace("[component.env]", "[component.env]\nsorce = 1"))
    done = wsgi_wasm("check", "app/spin.toml")
    assert (done.status, done.err) == (1, "app/spin.toml: component.env: unknown key 'sorce'; did you mean 'source'?\n")
    (problem,) = json.loads(wsgi_wasm("check", "--json", "app/spin.toml").text)["problems"]
    assert problem["file"] == "app/spin.toml"
    assert wsgi_wasm("serve", "app/spin.toml").status == 1
    assert (
        wsgi_wasm("check", "nothing/spin.toml").err == "nothing/spin.toml: cannot be read: No such file or directory\n"
    )


def test_check_knows_what_a_component_imports(wsgi_wasm: Command, app: Path) -> None:
    """Spin's SDK for Python imports all of Spin's interfaces, used or not."""
    shutil.copyfile(component("conformance"), app / "app.wasm")
    shutil.copyfile(HERE / "conformance" / "spin.toml", app / "spin.toml")
    done = wsgi_wasm("check", "--json", "app/spin.toml")
    assert done.status == 0
    routes = {route["path"]: route for route in json.loads(done.text)["routes"]}
    (warning,) = routes["/[granted]"]["warnings"]
    missing = set(warning.partition("are refused: ")[2].split(", "))
    assert {"fermyon:spin/llm@2.0.0", "fermyon:spin/mqtt@2.0.0"} <= missing
    offered = ("key-value", "sqlite", "variables", "redis")
    assert not missing & {f"fermyon:spin/{name}@2.0.0" for name in offered}


def test_check_knows_what_an_executor_runs(wsgi_wasm: Command, app: Path) -> None:
    (app / "spin.toml").write_text(MANIFEST.replace('{ type = "wagi" }', '{ type = "http" }'))
    done = wsgi_wasm("check", "app/spin.toml")
    assert done.status == 1
    assert "`interface` is http, but " in done.text


def test_compile(wsgi_wasm: Command, app: Path) -> None:
    lines = wsgi_wasm("compile", "app/spin.toml", "--cache", "cache").text.splitlines()
    (copy,) = (app.parent / "cache" / "files").iterdir()
    assert (copy / "data" / "seen.txt").read_text() == "seen.txt"
    assert [line.partition(":")[0] for line in lines] == ["app/env.wasm", "app/args.wasm", "app/files.wasm"]


def test_serve(app: Path, tmp_path: Path) -> None:
    port = free_port()
    argv = command_line("serve", app / "spin.toml", "--bind", f"127.0.0.1:{port}", "--workers", 1, "--reload")
    process = ServerProcess(argv, output=tmp_path / "log", cwd=tmp_path)
    with Server("serve", process, port) as server:
        wait_until_answering(process, server.address, None, 60)
        assert get(server.address, "/args?a").text == "2\n[args.wasm]\n[a]\n"
        found = get(server.address, "/env/1/x%20y?q").text
        assert "X_RAW_PATH_INFO=/x%20y\n" in found
        assert f"X_FULL_URL=http://127.0.0.1:{port}/env/1/x%20y?q\n" in found
        assert "X_CLIENT_ADDR=127.0.0.1:" in found
        (app / "spin.toml").write_text(MANIFEST.replace("Disallow", "Allow"))
        wait_for("the manifest to be read anew", lambda: get(server.address, "/robots.txt").text == "Allow: ä\n")
        (app / "spin.toml").write_text("broken")

        def refused() -> bool:
            assert get(server.address, "/robots.txt").text == "Allow: ä\n"
            return "the current configuration stays in use" in server.log()

        wait_for("the broken one to be refused", refused)
