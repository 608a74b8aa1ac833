"""Where things lie that are made once and used by every process. A leaf: imports nothing of the package."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

PYTHON = "python"
"""The name that `interpreters` uses for the Python that `wsgi-wasm build-python` makes."""

PYTHON_SOURCES = Path(__file__).parents[1] / "guestlib" / "python"
PYTHON_PACKAGES = ("componentize-py==0.25.1", "legacy-cgi==2.6.4", "tzdata==2026.6")


def default_directory(configured: Path | None, environ: Mapping[str, str]) -> Path:
    """Where artefacts go: WSGI_WASM_CACHE, else `cache_dir`, else the user's cache, else /var/cache/wsgi-wasm."""
    if environ.get("WSGI_WASM_CACHE"):
        return Path(environ["WSGI_WASM_CACHE"])
    if configured is not None:
        return configured
    if environ.get("XDG_CACHE_HOME"):
        return Path(environ["XDG_CACHE_HOME"]) / "wsgi-wasm"
    home = environ.get("HOME")
    if home and os.access(home, os.W_OK):
        return Path(home) / ".cache" / "wsgi-wasm"
    return Path("/var/cache/wsgi-wasm")


def python_interpreter(cache: Path) -> Path:
    """The component that runs Python scripts, whether it has been built or not."""
    return cache / f"{PYTHON}-{_python_digest()}.wasm"


def is_python_interpreter(path: Path) -> bool:
    """Whether a module is that one."""
    return path.name == python_interpreter(path.parent).name


@functools.cache
def _python_digest() -> str:
    """Of what it is made from: another version of this package may need another interpreter."""
    digest = hashlib.sha256(" ".join(PYTHON_PACKAGES).encode())
    for source in sorted(path for path in PYTHON_SOURCES.rglob("*") if path.suffix in {".py", ".wit"}):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def missing(path: Path, reason: str) -> str:
    """Why a module cannot be read, and what to do about it where it is the interpreter that we make ourselves."""
    if is_python_interpreter(path) and not path.exists():
        return f"the interpreter {PYTHON!r} has not been built: run `wsgi-wasm build-python --cache {path.parent}`"
    return reason
