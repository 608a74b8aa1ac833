"""Components from Rust crates, for `build.py`: with cargo, for WASI 0.2.

What a crate uses itself is pinned in its `Cargo.toml`. The rest are the newest that fit, of those that the compiler
named there can build; the lock file is left out, as it would name a registry.

Debian 12's compiler is too old. Where none is found that is new enough and has the target, one is installed below the
cache: by rustup, which the PyPI package `puccinialin` brings along.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from componentize import environment, run_tool

from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain.build import cached

TARGET = "wasm32-wasip2"
OLDEST = (1, 91, 1)  # that the crates of the examples can be built with
INSTALLER = "puccinialin==0.1.14"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A cargo, the variables that it needs beside the process's own, and its compiler's version line."""

    cargo: Path
    environ: Mapping[str, str]
    version: str


def rust_component(crate: Path, cache: Path, output: str) -> Path:
    """The library of the crate in this directory as a component. Raises BuildError."""
    tools = toolchain(cache)
    manifest = crate / "Cargo.toml"
    inputs: list[Path | str] = [manifest, *sorted(crate.rglob("*.rs")), TARGET, tools.version]

    def make(fresh: Path) -> None:
        target = (cache / "tools" / "cargo").absolute()  # crates that several examples use are compiled once
        command: list[str | Path] = [tools.cargo, "build", "--quiet", "--release", "--target", TARGET]
        run_tool([*command, "--manifest-path", manifest, "--target-dir", target], **tools.environ)
        (name,) = re.findall(r'^name = "([a-z_]+)"$', manifest.read_text("utf-8"), re.MULTILINE)
        shutil.copyfile(target / TARGET / "release" / f"{name}.wasm", fresh)

    return cached(cache, output, inputs, make)


def toolchain(cache: Path) -> Toolchain:
    """One that can build these components: what is on PATH, else one of our own. Raises BuildError."""
    found = shutil.which("rustc")
    if found and (usable := _usable(Path(found), {})):
        return usable
    place = environment(cache, "rust", (INSTALLER, TARGET), _install)
    own = {"RUSTUP_HOME": str(place / "rustup"), "CARGO_HOME": str(place / "cargo")}
    own["PATH"] = f"{place / 'cargo' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
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
    run_tool([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", INSTALLER])
    run_tool([python, "-m", "puccinialin", "--location", place])
    own = {"RUSTUP_HOME": str(place / "rustup"), "CARGO_HOME": str(place / "cargo")}
    run_tool([place / "cargo" / "bin" / "rustup", "target", "add", TARGET], **own)
