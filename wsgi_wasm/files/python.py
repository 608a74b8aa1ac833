"""The interpreter that this package runs in, and how processes of its own are started with it."""

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


def entry_point(module: str, *arguments: str) -> list[str]:
    """The command that ends with what `main` of a module of this package returns. It finds modules
    where this process does, and the package where this one comes from, whatever the working
    directory is. Raises FileNotFoundError."""
    own = str(Path(__file__).resolve().parents[2])
    folders = [folder for folder in sys.path if folder]
    folders = folders if own in folders else [own, *folders]
    entry = f"import sys; sys.path[:] = {folders!r}; from {module} import main; sys.exit(main())"
    # -B: on a full disk Python leaves half of a .pyc file, and then takes it for a whole one.
    # -X utf8: names of files are those of this process, whatever the locale.
    return [interpreter(), "-I", "-B", "-X", "utf8", "-c", entry, *arguments]
