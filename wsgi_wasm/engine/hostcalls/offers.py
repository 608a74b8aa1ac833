"""What components may import of the host besides WASI: named at load, looked up when the first component is linked.

The interfaces lie above the engine, in `hostapi`, and loading them takes time that a process without components does
not have to spend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.interface import Interface

_sources: list[Callable[[], Iterable[Interface]]] = []
_offered: dict[str, Interface] = {}


def offer(source: Callable[[], Iterable[Interface]]) -> None:
    """Let components import these interfaces. Called before the first one is linked; `source` is called then."""
    _sources.append(source)


def offered() -> dict[str, Interface]:
    """The interfaces by name."""
    while _sources:
        _offered.update((interface.name, interface) for interface in _sources.pop()())
    return _offered
