"""The adapter's files as parts for the composer: text is turned into its binary form, and the compiled code put in."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wsgi_wasm.engine.runtime import wat_to_wasm

if TYPE_CHECKING:
    from wsgi_wasm.component.wrap import Parts

FILES = Path(__file__).parents[1] / "guestlib" / "adapter"

_MEMORY = b"(core module $memory)"  # where memory.wat goes


def adapter_parts() -> Parts:
    """What goes around a guest. Takes some milliseconds; done only where a component is compiled."""
    from wsgi_wasm.component.place import with_code
    from wsgi_wasm.component.wrap import Parts

    return Parts(
        world=_component("world"),
        adapter=with_code(_component("adapter"), (FILES / "adapter.wasm").read_bytes()),
        wait=with_code(_component("wait"), (FILES / "wait.wasm").read_bytes()),
        driver=_component("driver"),
    )


def _component(name: str) -> bytes:
    text = (FILES / f"{name}.wat").read_bytes()
    return wat_to_wasm(text.replace(_MEMORY, (FILES / "memory.wat").read_bytes()))


@cache
def adapter_digest() -> str:
    """Of everything that decides what a component becomes besides itself."""
    digest = hashlib.sha256()
    for path in sorted([*FILES.glob("*.wat"), *FILES.glob("*.wasm")]):
        digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()
