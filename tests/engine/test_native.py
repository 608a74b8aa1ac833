"""The compiled form of a run: that it is there, and that it is refused where it does not fit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wsgi_wasm.engine.capi import native

SOURCES = [Path(native.__file__).with_name(name) for name in ("native.h", "native.c", "native_component.c")]
PROBE = "from wsgi_wasm.engine.capi.native import native; print(native is not None)"
MISSING = "from wsgi_wasm.engine.capi.native import missing; print(missing())"


def probe(folder: Path, code: str = PROBE, **env: str) -> tuple[str, str]:
    """What the code prints with a copy of the package in `folder`, by default whether it loads its library, and what
    it says on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", "import logging; logging.basicConfig()\n" + code],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder), "WSGI_WASM_NATIVE": "", **env},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without a library."""
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(SOURCES[0].parents[2], tmp_path / "wsgi_wasm", ignore=ignored)
    return tmp_path


def build(package: Path, old: str = "", new: str = "") -> None:
    """The library of that copy, from sources in which `old` has become `new`."""
    engine = package / "wsgi_wasm" / "engine" / "capi"
    for source in SOURCES:
        (engine / source.name).write_text(source.read_text().replace(old, new) if old else source.read_text())
    files = [engine / source.name for source in SOURCES if source.suffix == ".c"]
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", engine / "_native.so", *files], check=True, timeout=60)


@pytest.mark.skipif(not os.environ.get("WSGI_WASM_INSTALLED"), reason="run by ./run-tests, which installs the wheel")
def test_an_installed_package_has_it() -> None:
    assert (native.native is not None) == (os.environ.get("WSGI_WASM_NATIVE") != "0")


def test_without_a_library_guests_run_all_the_same(package: Path) -> None:
    assert probe(package) == ("False", "")
    said = "is missing or cannot be used: requests take about twice the time. Install a C compiler"
    assert said in probe(package, code=MISSING)[0]


def test_it_is_used_and_can_be_left_aside(package: Path) -> None:
    build(package)
    assert probe(package) == ("True", "")
    assert probe(package, code=MISSING) == ("", "")
    assert probe(package, WSGI_WASM_NATIVE="0") == ("False", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uint64_t handed;", "uint64_t handed, more;"),
        ("const char *input_path;", "const char *input_path, *more;"),
        ("wsgi_wasm_waits", "other"),
    ],
    ids=["run", "component_run", "a function"],
)
def test_a_library_of_other_sources_is_refused(package: Path, old: str, new: str) -> None:
    build(package, old, new)
    loaded, said = probe(package)
    assert loaded == "False"
    assert "was built from other sources" in said
    assert "install wsgi_wasm again" in said


def test_a_file_that_is_no_library_is_named(package: Path) -> None:
    (package / "wsgi_wasm" / "engine" / "capi" / "_native.so").write_text("none")
    loaded, said = probe(package)
    assert loaded == "False"
    assert "_native.so cannot be used" in said
