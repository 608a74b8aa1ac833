"""How processes of the package's own are started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import wsgi_wasm

PACKAGE = Path(wsgi_wasm.__file__).resolve().parents[1]


def test_the_package_is_found_without_the_working_directory(tmp_path: Path) -> None:
    """A program that Python finds the package for in its working directory starts others with that very package."""
    asks = "import wsgi_wasm, wsgi_wasm.files.python as p, json; print(json.dumps(p.entry_point('wsgi_wasm.asked')))"
    (tmp_path / "wsgi_wasm").symlink_to(PACKAGE / "wsgi_wasm")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(PACKAGE)!r}); {asks}"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    entry = done.stdout
    assert repr(str(PACKAGE)) in entry
    assert "''" not in entry
    assert '"-I"' in entry
