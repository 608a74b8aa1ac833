"""Spin applications behind every server: raw targets, mounts and addresses come from the server, each its own way."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guests.printed import variables
from spin.components import EXAMPLES, HERE, component
from spin.conftest import write_app

from .apache import give_to_server
from .client import get_compiled
from .fixtures import APACHES, serve
from .fixtures import open_tmp as open_tmp
from .fixtures import server_name as server_name


def test_what_a_program_is_told(server_name: str, open_tmp: Path) -> None:
    write_app(open_tmp / "app")
    (open_tmp / "site.yaml").write_text("routes: {/shop: {spin: app/spin.toml}}")
    mount = "/site" if server_name in APACHES else "/"
    base = f"{mount.rstrip('/')}/shop"
    with serve(server_name, open_tmp / "site.yaml", open_tmp, mount=mount) as server:
        answer = get_compiled(server.address, f"{base}/env/a%20b/c%2Dd/?q=%20")
    host = f"{server.address[0]}:{server.address[1]}"
    told = variables(answer.text)
    address, _, port = told["X_CLIENT_ADDR"].rpartition(":")
    assert (address, port.isdigit()) == ("127.0.0.1", True)
    assert {name: told[name] for name in told if name.startswith("X_") and name != "X_CLIENT_ADDR"} == {
        "X_FULL_URL": f"http://{host}{base}/env/a%20b/c%2Dd/?q=%20",
        "X_MATCHED_ROUTE": f"{base}/env/:id/...",
        "X_BASE_PATH": base,
        "X_RAW_COMPONENT_ROUTE": "/env/:id/...",
        "X_COMPONENT_ROUTE": "/env/:id",
        "X_RAW_PATH_INFO": "/c%2Dd/",
        "X_PATH_MATCH_ID": "a%20b",
    }
    assert (told["SCRIPT_NAME"], told["PATH_INFO"]) == (f"{base}/env/a b", "/c-d/")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["gunicorn-gthread", "mod_wsgi-daemon"])
def test_conformance(name: str, open_tmp: Path) -> None:
    app = open_tmp / "app"
    app.mkdir()
    shutil.copyfile(component("conformance"), app / "app.wasm")
    shutil.copyfile(HERE / "conformance" / "spin.toml", app / "spin.toml")
    state = open_tmp / "state"
    state.mkdir()
    if name in APACHES:
        give_to_server(state)
    (open_tmp / "site.yaml").write_text("routes: {/: {spin: {manifest: app/spin.toml, state_dir: state}}}")
    with serve(name, open_tmp / "site.yaml", open_tmp, workers=1) as server:
        host = f"{server.address[0]}:{server.address[1]}"
        fields = {"X-Expected-Host": host, "X-Expected-Base": "/", "User-Agent": "x", "Spin-Base-Path": "spoofed"}
        answers = {
            path.partition("?")[0]: (answer.status, answer.text)
            for path in ("/base/path/end/rest?key=value", "/key-value", "/sqlite", "/variables", "/sqlite-denied")
            for answer in [get_compiled(server.address, path, fields=fields)]
        }
    assert answers == {
        "/base/path/end/rest": (200, ""),
        "/key-value": (200, ""),
        "/sqlite": (200, ""),
        "/variables": (200, ""),
        "/sqlite-denied": (500, "Error::AccessDenied"),
    }


@pytest.mark.timeout(600)
def test_workers_share_a_database(open_tmp: Path) -> None:
    """Every row that a worker was told to be in is there, and none twice."""
    app = open_tmp / "app"
    shutil.copytree(EXAMPLES / "spin-python", app, ignore=shutil.ignore_patterns(".spin", "*.wasm"))
    shutil.copyfile(component("spin-python", EXAMPLES), app / "app.wasm")
    (open_tmp / "site.yaml").write_text("routes: {/: {spin: app/spin.toml}}")
    with serve("gunicorn-gthread", open_tmp / "site.yaml", open_tmp, workers=2, threads=4) as server:
        get_compiled(server.address, "/")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: get_compiled(server.address, f"/log?{number}"), range(40)))
        assert {answer.status for answer in answers} == {200}, server.log()[-4000:]
        whole = get_compiled(server.address, "/log?last").text.split("\n")
    assert sorted(line.partition(" ")[2] for line in whole if line) == sorted([*map(str, range(40)), "last"])
