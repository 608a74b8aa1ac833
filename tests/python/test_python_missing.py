"""What is said where the interpreter has not been built."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from guests.build import guest
from servers.packages import package_parent
from wsgi_wasm.config import interpreters_of, load_config
from wsgi_wasm.errors import BuildError
from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.python import INTERPRETER

SITE = "routes:\n  /s: {directory: scripts, interpreters: {.py: python, .six: ./python}}\n"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without it, which is the site's."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("WSGI_WASM_CACHE", str(cache))
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "a.py").touch()
    return cache


def test_the_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE + "cache_dir: kept\n", encoding="utf-8")
    (route,) = load_config(tmp_path / "site.yaml", {}).routes
    assert interpreters_of(route.target)[".py"].module == INTERPRETER.path(tmp_path / "kept")
    assert interpreters_of(route.target)[".six"].module == tmp_path / "python"
    (route,) = load_config(tmp_path / "site.yaml", {"WSGI_WASM_CACHE": "/elsewhere"}).routes
    assert interpreters_of(route.target)[".py"].module == INTERPRETER.path(Path("/elsewhere"))


@pytest.mark.parametrize("command", ["check", "compile"])
def test_commands_say_what_to_do(command: str, empty: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace(", .six: ./python", ""), encoding="utf-8")
    argv = [sys.executable, "-m", "wsgi_wasm", command, str(tmp_path / "site.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(package_parent())}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"has not been built; run `wsgi-wasm interpreter build python --cache {empty}`" in done.stdout


def test_so_does_the_log(
    empty: Path, tmp_path: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client({"/": {"directory": str(tmp_path / "scripts"), "interpreters": {".py": "python"}}})
    with caplog.at_level(logging.ERROR, "wsgi_wasm"):
        assert client.get("/a.py").status_code == 503
    assert "run `wsgi-wasm interpreter build python" in caplog.text


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BuildError, match="componentize-py"):
        build(INTERPRETER, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_that_others_can_write_is_not_run(
    empty: Path, tmp_path: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    empty.mkdir(mode=0o700)
    there = INTERPRETER.path(empty)
    shutil.copyfile(guest("hello"), there)
    client = make_client({"/": {"directory": str(tmp_path / "scripts"), "interpreters": {".py": "python"}}})
    there.chmod(0o666)
    assert client.get("/a.py").status_code == 503
    assert f"{there} can be written by its group or by others" in caplog.text
