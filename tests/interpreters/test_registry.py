"""The registry of interpreters: what each module offers, and that nobody else has to know them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import wsgi_wasm
from wsgi_wasm.interpreters import (
    NAMES,
    SUFFIXES,
    Located,
    ScriptPlace,
    build_command,
    interpreter,
    interpreter_at,
    located,
    missing,
    script_environment,
)

ROOT = Path(wsgi_wasm.__file__).parent
SHARED = {"__init__", "model", "build", "freshness", "trees"}
PARTS = {"debian_modules", "python_packages", "snapshot", "zeroperl"}  # of interpreters

each = pytest.mark.parametrize("name", NAMES)


def test_every_module_is_in_the_registry() -> None:
    assert {path.stem for path in (ROOT / "interpreters").glob("*.py")} - SHARED - PARTS == set(NAMES)


@each
def test_what_each_offers(name: str) -> None:
    found = interpreter(name)
    assert found.name == name
    assert re.fullmatch("[a-z0-9]+", name), "it is part of a file's name, and of no other part of it"
    assert re.fullmatch(r"\.[a-z0-9]+", SUFFIXES[name])
    assert all(re.search(r"\w(==|@)\d", package) for package in found.packages), "each with its version"
    assert all(source.exists() for source in found.sources)


@each
def test_its_place_in_a_cache(name: str, tmp_path: Path) -> None:
    path = interpreter(name).path(tmp_path)
    assert re.fullmatch(rf"{name}-[0-9a-f]{{16}}\.wasm", path.name)
    assert located(name, tmp_path) == Located(path, name)
    assert located(path, Path("/elsewhere")) == Located(path, name)
    assert interpreter_at(path) is interpreter(name)
    for other in (f"{name}-0123456789abcdef.wasm", f"{name}.wasm", name, path.name.replace(".wasm", ".wat")):
        assert interpreter_at(tmp_path / other) is None
        assert located(tmp_path / other, tmp_path) == Located(tmp_path / other, "")


@each
def test_what_to_do_where_it_is_missing(name: str, tmp_path: Path) -> None:
    cache = tmp_path / "a b"
    cache.mkdir()
    path = interpreter(name).path(cache)
    assert missing(path, "gone") == f"the interpreter {name!r} has not been built; run `{build_command(name, cache)}`"
    assert build_command(name, cache).endswith(f"--cache '{cache}'")
    assert missing(cache / "x.wasm", "gone") == "gone"
    path.touch()
    assert missing(path, "cannot be read") == "cannot be read"


def test_the_digest_is_of_packages_and_sources(tmp_path: Path) -> None:
    one = replace(interpreter(NAMES[0]), sources=(tmp_path,))
    (tmp_path / "main").write_text("1")
    names = {one.path(tmp_path).name, replace(one, packages=("x==1",)).path(tmp_path).name}
    other = tmp_path / "other"
    other.mkdir()
    (other / "main").write_text("2")
    names.add(replace(one, sources=(other,)).path(tmp_path).name)
    assert len(names) == 3


def test_nobody_else_imports_one_of_them() -> None:
    wrong = []
    for path in ROOT.rglob("*.py"):
        if path.parent.name != "interpreters" and not path.is_relative_to(ROOT / "guestlib"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                wrong += [f"{path}: {name}" for name in names if any(is_one(name, one) for one in NAMES)]
    assert not wrong


def is_one(imported: str, name: str) -> bool:
    return f"{imported}.".startswith(f"wsgi_wasm.interpreters.{name}.")


@each
def test_a_script_gets_a_list_of_its_own(name: str, tmp_path: Path) -> None:
    """An environment may give every request the same list."""

    same = [b"A=1", b"B=\xe9"]

    class Same:
        def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
            return same

    environment = script_environment(name, Same(), ScriptPlace(folder=tmp_path))
    request: dict[str, Any] = {"script_name": "", "path_info": "", "request_id": "", "content_length": None}
    first, second = (environment.build({}, **request, script_filename=None, streamed_body=False) for _ in range(2))
    assert first == second
    assert set(same) <= set(first)
    assert same == [b"A=1", b"B=\xe9"]


def test_a_site_without_interpreters_loads_none(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("routes: {/: {module: x.wasm}}\n", encoding="utf-8")
    script = (
        "import sys\nfrom wsgi_wasm.app import create_app\nfrom wsgi_wasm.interpreters import NAMES\n"
        f"create_app({str(site)!r})\n"
        "loaded = {name for name in sys.modules if name.startswith('wsgi_wasm.interpreters.')}\n"
        "print(*loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
