"""The host's own APIs for components: one module for each, listed in `APIS`.

A route grants each API by its name. What it grants becomes one object per process (`ready`); of an API that nothing was
granted of, every function answers the interface's own access-denied error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from wsgi_wasm.config.model import Grants
from wsgi_wasm.engine.hostcalls.interface import Interface
from wsgi_wasm.hostapi import keyvalue, outbound, postgres, redis, sqlite, variables


class Api(NamedTuple):
    """`grant` makes what the API's object of a run looks for in `Held.grants`."""

    interfaces: tuple[Interface, ...]
    grant: Callable[[Any], object]


APIS = {
    "key_value": Api(keyvalue.INTERFACES, keyvalue.grant),
    "sqlite": Api(sqlite.INTERFACES, sqlite.grant),
    "variables": Api(variables.INTERFACES, variables.grant),
    "redis": Api(redis.INTERFACES, redis.grant),
    "outbound": Api(outbound.INTERFACES, outbound.grant),
    "postgres": Api(postgres.INTERFACES, postgres.grant),
}

INTERFACES: Mapping[str, Interface] = {
    interface.name: interface for api in APIS.values() for interface in api.interfaces
}


def granted_by(name: str) -> str | None:
    """The route key that grants the interface of this name; None for one that is not offered."""
    interface = INTERFACES.get(name)
    return None if interface is None else interface.api


def ready(grants: Grants) -> dict[str, object]:
    """What a route grants, by API, for `Held`. Made once for a route, in the process that serves it; nothing is opened
    before a guest asks for it."""
    return {name: api.grant(getattr(grants, name)) for name, api in APIS.items()}
