"""Builds `native/harness.c` around the compiled part, with sanitizers: under libFuzzer, or to replay inputs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent / "native"
SOURCES = Path(__file__).parents[2] / "wsgi_wasm" / "engine" / "capi"
CHECKED = ("-g", "-O1", "-Wall", "-Werror", "-fno-sanitize-recover=all")

NAME = "native"
PROMISE = (
    "native.c and native_component.c for any calls of a guest: no byte outside its memory, output whole and in order, "
    "nothing of Wasmtime's left or freed twice"
)
LONGEST = 1024  # bytes of an input


def sources(directory: Path = SOURCES) -> list[Path]:
    return sorted(directory.glob("native*.c"))


def build(output: Path, directory: Path = SOURCES) -> Path:
    """A program that replays inputs, built by the C compiler of the tests."""
    compiler = shutil.which("gcc") or shutil.which("cc") or "cc"
    return _run([compiler, *CHECKED, "-fsanitize=address,undefined", HERE / "replay.c"], output, directory)


def build_libfuzzer(output: Path) -> Path:
    """Raises LookupError without clang."""
    compiler = shutil.which("clang")
    if compiler is None:
        raise LookupError("no clang, which has libFuzzer: apt install clang libclang-rt-14-dev")
    return _run([compiler, *CHECKED, "-fsanitize=fuzzer,address,undefined"], output, SOURCES)


def _run(command: Sequence[str | Path], output: Path, directory: Path) -> Path:
    given = [*command, f"-I{directory}", HERE / "harness.c", *sources(directory), "-o", output, "-lpthread"]
    done = subprocess.run(given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return output
