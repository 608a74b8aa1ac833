"""Real programs in C, built from Debian's sources by their own build systems, and asked through the gateway."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import SiteMaker
from wsgi_wasm.toolchain.debian import fetch_source
from wsgi_wasm.toolchain.wrappers import tools

from .page import PAGE, programs, updated

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "legacy"
TESTED = [one for one in programs() if one.get("requests")]


def test_the_page_is_what_the_data_says() -> None:
    assert PAGE.read_text("utf-8") == updated(PAGE.read_text("utf-8"))


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Where `wsgi-wasm` is the one that is tested."""
    return {**os.environ, "PATH": f"{tools()}:{os.environ['PATH']}"}


def built(one: dict[str, Any], environment: dict[str, str]) -> Path:
    """The program's module, from what an earlier run has built where it has."""
    folder = BUILT / one["package"]
    if not folder.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        work = BUILT / f".{one['package']}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        source = fetch_source(one["package"], work)
        for command in next(other for other in TESTED if other["package"] == one["package"])["commands"]:
            done = subprocess.run(
                command, shell=True, cwd=source, env=environment, capture_output=True, text=True, errors="replace"
            )
            assert done.returncode == 0, f"{command}\n{(done.stdout + done.stderr)[-3000:]}"
        source.rename(folder)
        shutil.rmtree(work)
    module: Path = folder / one["module"]
    return module


@pytest.mark.corpus
@pytest.mark.timeout(1800)  # what is compiled takes minutes
@pytest.mark.parametrize("one", TESTED, ids=[one["name"] for one in TESTED])
def test_program(one: dict[str, Any], environment: dict[str, str], tmp_path: Path, make_client: SiteMaker) -> None:
    module = tmp_path / "program.wasm"
    shutil.copy(built(one, environment), module)
    dirs: dict[str, str] = {}
    for guest, files in one.get("dirs", {}).items():
        host = tmp_path / f"dir{len(dirs)}"
        host.mkdir()
        for name, text in files.items():
            (host / name).write_text(text)
        dirs[guest] = str(host)
    path = "/x"
    route: dict[str, Any] = {**one.get("route", {}), "dirs": dirs, "queue_timeout": "60s"}
    if "script" in one:
        suffix, text = one["script"]
        (tmp_path / "cgi-bin").mkdir()
        (tmp_path / "cgi-bin" / f"page{suffix}").write_text(text)
        interpreter = {"module": str(module), "args": one["args"]} if "args" in one else str(module)
        route |= {"directory": str(tmp_path / "cgi-bin"), "interpreters": {suffix: interpreter}}
        path = f"/x/page{suffix}"
    else:
        route["module"] = str(module)
    client = make_client({"/x": route})
    for request in one["requests"]:
        url = f"{path}?{request['query']}" if request.get("query") else path
        response = client.post(url, data=request["body"]) if "body" in request else client.get(url)
        assert response.status_code == request.get("status", 200), response.text
        assert request["has"] in response.text
