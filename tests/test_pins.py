"""What `pins/` says, against what is installed: nothing comes from a registry in a version that nobody chose."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guests.build import cache

PROJECT = Path(__file__).resolve().parents[1]
PINS = PROJECT / "pins"
EXAMPLES = PROJECT / "examples"
sys.path.insert(0, str(EXAMPLES))

from cargo import with_sources, without_sources  # noqa: E402
from componentize import pinned, python_environment  # noqa: E402

PYTHON = sorted(path.stem for path in PINS.glob("*.in"))
INSTALLED_ELSEWHERE = {"test", "benchmarks", "fuzz", "rust"}


def named(requirements: tuple[str, ...]) -> dict[str, str]:
    """Versions by name, as indexes compare them."""
    found = dict(line.split("==") for line in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found.items()}


def installed(python: str | Path, *options: str) -> tuple[str, ...]:
    """What pip finds in this Python's environment; `--all` has it name itself too."""
    freeze = [python, "-I", "-m", "pip", "freeze", "--disable-pip-version-check", "--exclude", "wsgi-wasm", *options]
    return tuple(subprocess.run(freeze, capture_output=True, text=True, check=True).stdout.splitlines())


@pytest.mark.skipif(not os.environ.get("WSGI_WASM_INSTALLED"), reason="run by ./run-tests, which installs the pins")
def test_the_environment_of_the_tests_is_what_is_pinned() -> None:
    """Where this fails: `python -m pins test`, or remove `.venv-test` if something else was installed into it."""
    assert named(installed(sys.executable, "--all")) == named(pinned("test"))


@pytest.mark.parametrize("name", sorted({*PYTHON} - INSTALLED_ELSEWHERE))
def test_the_environments_of_the_examples_are_what_is_pinned(name: str) -> None:
    place = python_environment(cache(), pinned(name))
    assert named(installed(place / "bin" / "python")) == named(pinned(name))


def of_the_package(extra: str) -> set[str]:
    """The names of what setup.cfg asks for, and for this extra."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", "utf-8")
    extras = config["options.extras_require"]
    text = config["options"]["install_requires"] + extras[extra]
    while more := re.search(r"^wsgi-wasm\[([\w,]+)\]$", text, re.MULTILINE):
        text = text.replace(more[0], "\n".join(extras[name] for name in more[1].split(",")))
    return set(re.findall(r"^[\w-]+", text.lower(), re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "extra"), [("test", "test"), ("test", "docs"), ("benchmarks", "benchmarks"), ("fuzz", "fuzz")]
)
def test_what_the_package_asks_for_is_pinned(name: str, extra: str) -> None:
    assert "wasmtime" in of_the_package(extra)
    assert of_the_package(extra) - {*named(pinned(name))} == set()


@pytest.mark.parametrize("name", PYTHON)
def test_what_is_wanted_is_pinned(name: str) -> None:
    wanted = re.findall(r"^([\w-]+)(?:==(\S+)|>=\S+)?$", (PINS / f"{name}.in").read_text("utf-8"), re.MULTILINE)
    assert wanted
    found = named(pinned(name))
    assert {one: found.get(one) for one, version in wanted if version} == {one: v for one, v in wanted if v}
    assert [one for one, _ in wanted if one not in found] == []


def test_the_packages_of_npm_are_pinned_with_their_digests() -> None:
    wanted = json.loads((PINS / "javascript" / "package.json").read_text("utf-8"))["dependencies"]
    packages = json.loads((PINS / "javascript" / "package-lock.json").read_text("utf-8"))["packages"]
    assert packages.pop("")["dependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, package in packages.items() if not package.get("integrity")] == []


def test_every_crate_of_the_examples_is_pinned_with_its_digest() -> None:
    names = {path.parent.name for path in EXAMPLES.glob("*/Cargo.toml")}
    assert {path.stem for path in PINS.glob("*.lock")} == names
    for name in names:
        first, *packages = (PINS / f"{name}.lock").read_text("utf-8").split("[[package]]\n")
        assert first.endswith("version = 4\n\n")
        own = [package for package in packages if "\nchecksum = " not in package]
        assert [re.findall(r'^name = "(.*)"', package)[0] for package in own] == [
            re.findall(r'^name = "(.*)"', (EXAMPLES / name / "Cargo.toml").read_text("utf-8"), re.MULTILINE)[0]
        ]


def test_a_registry_is_put_into_a_lock_file_and_taken_out() -> None:
    lock = (PINS / "http-rust.lock").read_text("utf-8")
    whole = with_sources(lock, "registry+there")
    assert whole.count('source = "registry+there"\n') == lock.count("\nchecksum = ")
    assert 'version = "0.6.8"\nsource = "registry+there"\nchecksum = ' in whole
    assert without_sources(whole) == lock


@pytest.mark.parametrize("path", sorted(PINS.rglob("*.*")), ids=lambda path: str(path.relative_to(PINS)))
def test_no_pin_names_a_host(path: Path) -> None:
    if path.parent.name != "__pycache__":
        assert not re.search(r"://|\.(?:com|io|org)/", path.read_text("utf-8"))
