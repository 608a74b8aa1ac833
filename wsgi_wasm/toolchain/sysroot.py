"""Where libraries for WebAssembly lie that programs are linked with."""

from __future__ import annotations

from pathlib import Path

from wsgi_wasm.toolchain.runtime import kept_in


def sysroot() -> Path:
    """Its directory, which may not exist: `include`, `lib`, `lib/pkgconfig`."""
    return kept_in() / "sysroot"
