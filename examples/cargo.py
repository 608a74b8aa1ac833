"""Components from Rust crates, for `build.py`: with cargo, for WASI 0.2.

All crates that an example is built of are pinned in `pins/NAME.lock`: cargo's lock file less its `source` lines, which
would name a registry. They are put back as cargo itself writes them, for the registry that it is set up for.

Debian 12's compiler is too old. Where none is found that is new enough and has the target, the one that
`pins/rust-toolchain.toml` names is installed below the cache: by rustup, which the PyPI package `puccinialin` brings.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from componentize import PINS, environment, pinned, run_tool

from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain.runtime import cached

TARGET = "wasm32-wasip2"
SOURCE = re.compile(r'^source = "(.*)"\n', re.MULTILINE)
OLDEST = (1, 91, 1)  # that the crates of the examples can be built with
TOOLCHAIN = PINS / "rust-toolchain.toml"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A cargo, the variables that it needs beside the process's own, and its compiler's version line."""

    cargo: Path
    environ: Mapping[str, str]
    version: str


def rust_component(crate: Path, cache: Path, output: str) -> Path:
    """The library of the crate in this directory as a component. Raises BuildError."""
    tools = toolchain(cache)
    manifest, pins = crate / "Cargo.toml", PINS / f"{crate.name}.lock"
    inputs: list[Path | str] = [manifest, pins, *sorted(crate.rglob("*.rs")), TARGET, tools.version]

    def make(fresh: Path) -> None:
        target = (cache / "tools" / "cargo").absolute()  # crates that several examples use are compiled once
        (name,) = re.findall(r'^name = "([a-z_]+)"$', manifest.read_text("utf-8"), re.MULTILINE)
        with tempfile.TemporaryDirectory() as work:
            copy = Path(work) / "Cargo.toml"
            shutil.copyfile(manifest, copy)
            shutil.copytree(crate / "src", copy.parent / "src")
            lock = with_sources(pins.read_text("utf-8"), registry(copy, tools))
            copy.with_name("Cargo.lock").write_text(lock, encoding="utf-8")
            command: list[str | Path] = [tools.cargo, "build", "--quiet", "--locked", "--release", "--target", TARGET]
            run_tool([*command, "--manifest-path", copy, "--target-dir", target], **tools.environ)
        shutil.copyfile(target / TARGET / "release" / f"{name}.wasm", fresh)

    return cached(cache, output, inputs, make)


def new_lock(manifest: Path, tools: Toolchain) -> str:
    """The lock file that cargo makes now, of the newest crates that fit. Raises BuildError."""
    run_tool([tools.cargo, "generate-lockfile", "--quiet", "--manifest-path", manifest], **tools.environ)
    return manifest.with_name("Cargo.lock").read_text("utf-8")


def registry(manifest: Path, tools: Toolchain) -> str:
    """What cargo writes as the source of crates. Raises BuildError."""
    found = set(SOURCE.findall(new_lock(manifest, tools)))
    if len(found) != 1:
        raise BuildError(f"{manifest}: crates come from {len(found)} registries, not one")
    return str(found.pop())


def with_sources(lock: str, source: str) -> str:
    """A lock file with the registry that its crates come from: those that have a checksum."""
    return lock.replace("\nchecksum = ", f'\nsource = "{source}"\nchecksum = ')


def without_sources(lock: str) -> str:
    """A lock file as `pins/` keeps it."""
    return SOURCE.sub("", lock)


def toolchain(cache: Path) -> Toolchain:
    """One that can build these components: what is on PATH, else one of our own. Raises BuildError."""
    found = shutil.which("rustc")
    if found and (usable := _usable(Path(found), {})):
        return usable
    place = environment(cache, "rust", (*pinned("rust"), TOOLCHAIN.read_text("utf-8")), _install)
    # Crates and settings are where cargo has them on this machine: CARGO_HOME, or ~/.cargo.
    own = {
        "RUSTUP_HOME": str(place / "rustup"),
        "PATH": f"{place / 'cargo' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    usable = _usable(place / "cargo" / "bin" / "rustc", own)
    if usable is None:
        raise BuildError(f"{place}: no Rust compiler of version {'.'.join(map(str, OLDEST))} with {TARGET}; remove it")
    return usable


def _usable(compiler: Path, environ: Mapping[str, str]) -> Toolchain | None:
    """None for a compiler that is too old or lacks the target, or without cargo beside it."""
    cargo = compiler.with_name("cargo")
    version = _said([compiler, "--version"], environ)
    number = re.match(r"rustc (\d+)\.(\d+)\.(\d+)", version)
    library = Path(_said([compiler, "--print", "sysroot"], environ)) / "lib" / "rustlib" / TARGET / "lib"
    if number is None or tuple(map(int, number.groups())) < OLDEST or not library.is_dir() or not cargo.exists():
        return None
    return Toolchain(cargo, {**environ, "RUSTC": str(compiler)}, version)


def _said(command: list[str | Path], environ: Mapping[str, str]) -> str:
    """What it printed; nothing where it failed, as rustup's stand-in does without a toolchain."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})
    return "" if done.returncode else done.stdout.strip()


def _install(place: Path) -> None:
    run_tool([sys.executable, "-m", "venv", place])
    python = place / "bin" / "python"
    run_tool([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned("rust")])
    wanted = tomllib.loads(TOOLCHAIN.read_text("utf-8"))["toolchain"]
    settings = place / "rustup" / "settings.toml"  # where rustup looks for what it installs by default
    settings.parent.mkdir()
    settings.write_text(f'version = "12"\ndefault_toolchain = "{wanted["channel"]}"\n', encoding="utf-8")
    run_tool([python, "-m", "puccinialin", "--location", place])
    own = {"RUSTUP_HOME": str(place / "rustup"), "CARGO_HOME": str(place / "cargo")}
    run_tool([place / "cargo" / "bin" / "rustup", "target", "add", *wanted["targets"]], **own)
