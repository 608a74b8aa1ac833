"""The environment of `make fuzz`, in `build/fuzz/venv`. Standard library alone: this runs before anything is installed.

Debian's clang has libFuzzer, and Debian's Python is one that Atheris is built for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BUILD = PROJECT / "build" / "fuzz"
VENV = BUILD / "venv"
PINS = PROJECT / "pins" / "fuzz.txt"
PYTHON = "/usr/bin/python3"


def inside() -> bool:
    """Whether this Python is the environment's own."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def install() -> None:
    """Says what is missing, and installs it. Raises SystemExit where that fails."""
    missing = [] if shutil.which("clang") else ["clang", "libclang-rt-14-dev"]
    if subprocess.run([PYTHON, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        missing.append("python3-venv")
    if missing:
        print(f"installing Debian's packages: {' '.join(missing)}", flush=True)
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        _run([*sudo, "apt-get", "update", "-qq"])
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        _run([*sudo, *quiet, *missing])
    wanted, done = PINS.read_text("utf-8"), VENV / "installed.txt"
    if done.exists() and done.read_text("utf-8") == wanted:
        return
    print(f"installing into {VENV.relative_to(PROJECT)} what {PINS.relative_to(PROJECT)} names", flush=True)
    BUILD.mkdir(parents=True, exist_ok=True)
    _run([PYTHON, "-m", "venv", str(VENV)])
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--requirement", str(PINS)])
    done.write_text(wanted, "utf-8")


def restart(arguments: Sequence[str]) -> None:
    """Goes on as the environment's Python, with the package as it stands here; does not return."""
    python = str(VENV / "bin" / "python")
    os.chdir(PROJECT)
    os.execv(python, [python, "-m", "tests.fuzz", *arguments])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout)[-4000:]}")
