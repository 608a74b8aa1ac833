"""Where things lie that are made once and used by every process. A leaf: imports
nothing of the package."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

GUESTLIB = Path(__file__).parents[1] / "guestlib"
"""Code of guests' own: what is linked into them, and what interpreters are built of."""


def own_temporary_directory() -> Path:
    """The directory of this user's temporary files, which may be the one that is in use already.
    Raises FileNotFoundError where there is none for temporary files at all."""
    common, name = Path(tempfile.gettempdir()), f"wsgi-wasm-{os.geteuid()}"
    return common if common.name == name else common / name


def default_directory(configured: Path | None, environ: Mapping[str, str]) -> Path:
    """Where artefacts go: WSGI_WASM_CACHE, else `cache_dir`, else the user's
    cache, else /var/cache/wsgi-wasm."""
    if environ.get("WSGI_WASM_CACHE"):
        return Path(environ["WSGI_WASM_CACHE"])
    if configured is not None:
        return configured
    if environ.get("XDG_CACHE_HOME", "").startswith("/"):  # XDG: relative ones are ignored
        return Path(environ["XDG_CACHE_HOME"]) / "wsgi-wasm"
    home = environ.get("HOME")
    if home and os.access(home, os.W_OK):
        return Path(home) / ".cache" / "wsgi-wasm"
    return Path("/var/cache/wsgi-wasm")
