"""Lua scripts, run by the interpreter that `wsgi-wasm interpreter build lua` makes of Debian's sources."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import SiteMaker

pytestmark = [pytest.mark.corpus]

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "scripts.yaml").read_text("utf-8"))
NATIVE = shutil.which("lua5.4") or shutil.which("lua")


@pytest.fixture(scope="session")
def lua_cache() -> Path:
    cache = Path(os.environ.get("WSGI_WASM_CACHE") or Path(__file__).parents[2] / "build" / "cache")
    command = [sys.executable, "-m", "wsgi_wasm", "interpreter", "build", "lua", "--cache", str(cache)]
    subprocess.run(command, check=True, timeout=600)
    return cache


def written(case: Mapping[str, Any], folder: Path) -> Path:
    """The script of a case, with what lies beside it."""
    folder.mkdir()
    (folder / "script.lua").write_text(case["lua"])
    if "beside" in case:
        (folder / "beside.lua").write_text(case["beside"])
    return folder / "script.lua"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_script(
    case: dict[str, Any],
    lua_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_client: SiteMaker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WSGI_WASM_CACHE", str(lua_cache))
    caplog.set_level(logging.WARNING)
    script, data = written(case, tmp_path / "cgi-bin"), tmp_path / "data"
    data.mkdir()
    for name, text in case.get("files", {}).items():
        (data / name).write_text(text)
    route = {"directory": str(script.parent), "interpreters": {".lua": "lua"}, "queue_timeout": "60s"}
    route["dirs"] = {"/data": {"path": str(data), "writable": True}}
    response = make_client({"/x": route}).post("/x/script.lua?a=1&b=%20", data=case.get("body", ""))
    assert response.status_code == case.get("status", 200), caplog.text
    if "answers" in case:
        assert response.text.strip("\n") == case["answers"]
    assert case.get("log", "") in caplog.text


@pytest.mark.skipif(NATIVE is None, reason="no Lua is installed: apt install lua5.4")
@pytest.mark.parametrize("case", [case for case in CASES if case.get("native")], ids=lambda case: str(case["name"]))
def test_native_answers_the_same(case: dict[str, Any], tmp_path: Path) -> None:
    assert NATIVE is not None
    script, body = written(case, tmp_path / "cgi-bin"), case.get("body", "")
    request = {"REQUEST_METHOD": "POST", "QUERY_STRING": "a=1&b=%20", "CONTENT_LENGTH": str(len(body))}
    done = subprocess.run(
        [NATIVE, script.name],
        cwd=script.parent,
        env={**os.environ, **request},
        input=body,
        capture_output=True,
        text=True,
    )
    assert done.stdout.partition("\n\n")[2].strip("\n") == case["answers"]
