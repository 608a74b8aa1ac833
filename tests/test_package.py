"""The package as it is installed: the wheel's content, and that it is what the tests test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import wsgi_wasm
from wsgi_wasm.engine.capi import core

PROJECT = Path(__file__).resolve().parents[1]
WHEELS = sorted((PROJECT / "build" / "wheel").glob("*.whl"))


def tracked(*folders: str) -> list[str]:
    """The files of the repository; what else lies beside them (`__pycache__`, what editors leave) is nobody's."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", *folders],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name]


@pytest.mark.skipif(not os.environ.get("WSGI_WASM_INSTALLED"), reason="run by ./run-tests, which installs the wheel")
def test_the_installed_package_is_tested() -> None:
    assert PROJECT not in Path(wsgi_wasm.__file__).resolve().parents or ".venv-test" in wsgi_wasm.__file__


@pytest.mark.skipif(not os.environ.get("WSGI_WASM_INSTALLED"), reason="run by ./run-tests, which builds the wheel")
def test_the_wheel_has_everything() -> None:
    names = zipfile.ZipFile(WHEELS[-1]).namelist()
    package = {name for name in names if name.startswith("wsgi_wasm/")}
    assert package - {"wsgi_wasm/engine/capi/_native.so"} == set(tracked("wsgi_wasm"))
    shared = {Path(name).name for name in names if "/data/share/wsgi-wasm/" in name}
    wanted = {Path(name).name for name in tracked("apache", "conf")} - {"README.md"}
    assert shared == wanted
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


@pytest.mark.parametrize(("compiler", "tags"), [("cc", "py3-none-linux_"), ("false", "py3-none-any")])
def test_one_wheel_for_every_python(compiler: str, tags: str, tmp_path: Path) -> None:
    """What is compiled is a plain library, or nothing where there is no compiler."""
    for name in tracked(
        "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "wsgi_wasm", "apache", "conf"
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    build = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    subprocess.run(build, cwd=tmp_path, env={**os.environ, "CC": compiler}, capture_output=True, check=True)
    [wheel] = (tmp_path / "dist").iterdir()
    assert f"-{tags}" in wheel.name
    libraries = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]
    assert libraries == (["wsgi_wasm/engine/capi/_native.so"] if compiler == "cc" else [])
    # As pip of another Python would choose it.
    target = tmp_path / "another"
    install = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(target), "--only-binary", ":all:"]
    other = ["--python-version", "3.14", "--implementation", "cp", "--abi", "none"]
    subprocess.run([sys.executable, "-P", "-m", "pip", *install, *other, str(wheel)], check=True)
    probe = "from wsgi_wasm.engine.capi.native import native; print(native is not None)"
    environment = {**os.environ, "PYTHONPATH": str(target)}
    used = subprocess.run([sys.executable, "-P", "-c", probe], env=environment, capture_output=True, check=True)
    assert used.stdout == (b"True\n" if compiler == "cc" else b"False\n")


def test_version() -> None:
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "wsgi_wasm", "--version"], capture_output=True, text=True, check=True
    )
    assert wsgi_wasm.__version__ in shown.stdout
    assert core.VERSION in shown.stdout


def test_the_range_of_wasmtime_is_the_same_everywhere() -> None:
    text = (PROJECT / "setup.cfg").read_text("utf-8")
    wanted = re.search(r"wasmtime>=([\d.]+),<([\d.]+)", text)
    assert wanted is not None
    assert wanted.groups() == core.SUPPORTED


# The adapter's code; tests/binary/test_adapter.py holds that it is what its sources make.
BUILT_AND_COMPARED = {f"wsgi_wasm/guestlib/adapter/{name}.wasm" for name in ("adapter", "outbound", "wait")}


def test_no_binaries_in_the_repository() -> None:
    for name in tracked():
        path = PROJECT / name
        if path.is_file() and "corpus" not in path.parts and name not in BUILT_AND_COMPARED:
            assert b"\0" not in path.read_bytes(), f"{name} is binary"


@pytest.mark.parametrize("limit", ["virtual memory"])
def test_too_little_address_space_is_said(limit: str, tmp_path: Path) -> None:
    """Wasmtime would abort the process where it cannot reserve its pool."""
    site = tmp_path / "site.yaml"
    site.write_text(f"routes: {{/: {{module: {PROJECT / 'examples' / 'hello' / 'hello.wat'}}}}}\n")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)); "
        f"from wsgi_wasm.cli import main; sys.exit(main(['run', '--fail', {str(site)!r}, '/']))"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "RLIMIT_AS" in ended.stderr
