"""`wsgi-wasm interpreter`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from wsgi_wasm.interpreters import NAMES
from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.python import INTERPRETER

from .conftest import Command

NAME = INTERPRETER.name
ALL = ", ".join(NAMES)


def lines(text: str) -> list[list[str]]:
    return [line.split("  ") for line in text.splitlines()]


def states(wsgi_wasm: Command, *arguments: object) -> dict[str, dict[str, object]]:
    done = wsgi_wasm("interpreter", "list", "--json", *arguments)
    assert (done.status, done.err) == (0, "")
    return {one["name"]: one for one in json.loads(done.text)["interpreters"]}


def test_building_and_listing(wsgi_wasm: Command, site: Callable[[str], Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    there = INTERPRETER.path(cache)
    # What takes a minute is made once for all tests; here it is found.
    shutil.copyfile(build(INTERPRETER, Path(os.environ["WSGI_WASM_CACHE"])), there)
    one = states(wsgi_wasm, "--cache", cache)[NAME]
    assert (one["state"], one["size"], one["compiled"]) == ("built", there.stat().st_size, False)
    done = wsgi_wasm("interpreter", "build", NAME, "--cache", "cache")
    assert done.status == 0, done.err
    assert done.text.startswith(f"cache/{there.name}: ")
    assert "native code: " in done.text
    assert done.err.endswith(f"to use it, write in a route: interpreters: {{.py: {NAME}}}\n")
    one = states(wsgi_wasm, "--cache", cache)[NAME]
    assert (one["state"], one["compiled"], one["build"], one["error"]) == ("built", True, None, None)
    site("cache_dir: cache\nengine: {features: [exceptions]}\nroutes: {/: {directory: .}}")
    done = wsgi_wasm("interpreter", "list", "site.yaml", env={"WSGI_WASM_CACHE": ""})
    assert "not compiled" in done.text, "not with this site's features"
    assert f"run `wsgi-wasm interpreter build {NAME} site.yaml`" in done.text
    again = wsgi_wasm("build-python", "--cache", "cache")
    assert (again.status, "cached" in again.text) == (0, True)


def test_one_that_is_not_built(wsgi_wasm: Command, tmp_path: Path) -> None:
    done = wsgi_wasm("interpreter", "list", "--cache", "new")
    assert done.status == 0
    assert not (tmp_path / "new").exists()
    assert f"{NAME}: run `wsgi-wasm interpreter build {NAME} --cache new`" in done.text.splitlines()
    assert "cache directory: new" in done.err
    (one,) = (words for words in lines(done.text) if words[0] == NAME)
    assert "not built" in one
    assert states(wsgi_wasm, "--cache", "new")[NAME]["build"] == f"wsgi-wasm interpreter build {NAME} --cache new"
    (tmp_path / "new").mkdir(mode=0o700)
    (tmp_path / "new" / f"{NAME}-0123456789abcdef.wasm").touch()
    assert states(wsgi_wasm, "--cache", "new")[NAME]["state"] == "outdated"


def test_one_that_others_can_write(wsgi_wasm: Command, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    INTERPRETER.path(cache).write_bytes(b"x")
    INTERPRETER.path(cache).chmod(0o666)
    done = wsgi_wasm("interpreter", "list", "--cache", cache)
    assert "not used" in done.text
    assert "can be written by its group or by others" in done.text
    one = states(wsgi_wasm, "--cache", cache)[NAME]
    assert (one["state"], one["compiled"]) == ("not used", False)
    assert "can be written" in str(one["error"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build"], "NAME"),
        (["build", "pyhton"], f"no interpreter 'pyhton'; there are: {ALL}; did you mean 'python'?"),
        (["build", "cobol"], f"no interpreter 'cobol'; there are: {ALL}\n"),
        (["build", "python", "--json"], "unrecognized"),
        (["bake", "python"], "choose from"),
        ([], "ACTION"),
    ],
)
def test_usage(arguments: list[str], words: str, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("interpreter", *arguments)
    assert (done.status, done.out) == (2, b"")
    assert words in done.err


def test_a_cache_that_cannot_be_made(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments in (["interpreter", "build", NAME], ["build-python"]):
        done = wsgi_wasm(*arguments, "--cache", "file/cache")
        assert (done.status, done.out) == (1, b"")
        assert "directory file/cache" in done.err
