"""Where the interpreter is that this package runs in, for processes of its own."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def interpreters() -> tuple[str, ...]:
    """Where it may be, the likeliest place first."""
    return sys.executable, f"{sys.prefix}/bin/python3", f"{sysconfig.get_config_var('BINDIR')}/python3"


def interpreter() -> str:
    """The program to run: inside Apache, `sys.executable` may name the server. Raises
    FileNotFoundError."""
    for candidate in interpreters():
        if candidate and Path(candidate).name.startswith("python") and Path(candidate).exists():
            return candidate
    raise FileNotFoundError(f"no Python interpreter found below {sys.prefix}")
