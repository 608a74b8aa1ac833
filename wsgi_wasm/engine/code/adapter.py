"""The adapter's files as parts for the composer: text is turned into its binary form, and the
compiled code put in."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.files.locations import GUESTLIB

if TYPE_CHECKING:
    from wsgi_wasm.binary.wrap import Parts

FILES = GUESTLIB / "adapter"
COMPOSER = Path(__file__).parents[2] / "binary"

_INCLUDED = re.compile(rb"^ *(?:\(core instance \$native\)\n *)?;;; (\w+)\.wat$", re.MULTILINE)
_MEMORY = b"(core module $memory)"  # where memory.wat goes


def adapter_parts() -> Parts:
    """What goes around a guest. Takes some milliseconds; done only where a
    component is compiled."""
    from wsgi_wasm.binary.embed import with_code
    from wsgi_wasm.binary.wrap import Parts

    return Parts(
        world=_component("world", outbound=False),
        adapter=with_code(_component("adapter", outbound=False), _code("adapter")),
        world_outbound=_component("world", outbound=True),
        adapter_outbound=with_code(_component("adapter", outbound=True), _code("outbound")),
        wait=with_code(_component("wait", outbound=False), _code("wait")),
        streams=_component("streams", outbound=False),
        driver=_component("driver", outbound=False),
    )


def _code(name: str) -> bytes:
    return (FILES / f"{name}.wasm").read_bytes()


def _component(name: str, outbound: bool) -> bytes:
    """A component's binary form. What a line `;;; outbound.wat` stands for is in it only where
    guests make requests."""
    text = (FILES / f"{name}.wat").read_bytes().replace(_MEMORY, (FILES / "memory.wat").read_bytes())
    if outbound:
        text = _INCLUDED.sub(lambda found: (FILES / f"{found[1].decode()}.wat").read_bytes(), text)
    return wat_to_wasm(text)


@cache
def adapter_digest() -> str:
    """Of everything that decides what a component becomes besides itself."""
    digest = hashlib.sha256()
    for path in sorted([*FILES.glob("*.wat"), *FILES.glob("*.wasm"), *COMPOSER.glob("*.py")]):
        digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()
