"""The adapter's code that lies in the package is what its sources make."""

from __future__ import annotations

from pathlib import Path

from wsgi_wasm.cli.adapter import build_adapter
from wsgi_wasm.engine.adapter import FILES


def test_the_code_is_what_the_sources_make(tmp_path: Path) -> None:
    for made in build_adapter(tmp_path):
        assert made.read_bytes() == (FILES / made.name).read_bytes(), "run: python -m wsgi_wasm.cli.adapter"
