"""What a new configuration has changed, in words for a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from wsgi_wasm.config.model import Config, Route, spin_targets
from wsgi_wasm.messages import listed

_MOST = 5  # routes that are named of each kind
# `reload` may come from the command line, and does nothing to a process that has begun.
_NOT_COMPARED = frozenset({"source", "routes", "hosts", "reload"})


def changes(old: Config, new: Config) -> str:
    """`1 route added (/x), 2 changed (/a, /b)`, and other sections that have changed."""
    before, after = _routes(old), _routes(new)
    kinds = {
        "added": [name for name in after if name not in before],
        "changed": [name for name in after if name in before and after[name] != before[name]],
        "removed": [name for name in before if name not in after],
    }
    said: list[str] = []
    for verb, names in kinds.items():
        if names:
            noun = "" if said else " route" if len(names) == 1 else " routes"
            said.append(f"{len(names)}{noun} {verb} ({listed(names, _MOST)})")
    if not said:
        said.append("no route changed, manifests were read again" if any(spin_targets(new)) else "no route changed")
    others = [
        field.name for field in fields(Config) if field.name not in _NOT_COMPARED and _differs(old, new, field.name)
    ]
    return ", ".join([*said, *([f"also changed: {listed(others)}"] if others else [])])


def _routes(config: Config) -> Mapping[str, Route]:
    """By name, without their places in the file."""
    routes = [*config.routes, *(route for routes in config.hosts.values() for route in routes)]
    return {route.name: replace(route, line=0) for route in routes}


def _differs(old: Config, new: Config, name: str) -> bool:
    before, after = getattr(old, name), getattr(new, name)
    if isinstance(before, Route) and isinstance(after, Route):
        return replace(before, line=0) != replace(after, line=0)
    return bool(before != after)
