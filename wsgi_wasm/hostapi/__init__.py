"""The host's own APIs for components: one module for each, listed in `APIS`."""

from __future__ import annotations

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import Bindings
from wsgi_wasm.hostapi import channel, keyvalue, mysql, outbound, postgres, redis, sqlite, variables
from wsgi_wasm.hostapi.granted_api import AnyGrantedApi

APIS: tuple[AnyGrantedApi, ...] = (
    keyvalue.API,
    sqlite.API,
    variables.API,
    redis.API,
    postgres.API,
    mysql.API,
    outbound.API,
    channel.API,
)


def bind(grants: Grants, within: outbound.Within | None = None) -> Bindings:
    """What a route grants to each API. Called once for a route, in the process that serves it.

    `within` says which destinations of HTTP requests are served within this process.
    """
    bindings = Bindings({api: api.bind(grants) for api in APIS})
    if within is None:
        return bindings
    return bindings.with_binding(outbound.API, outbound.Policy(grants, within))


def describe(grants: Grants) -> dict[str, dict[str, str]]:
    """What a route grants, for `wsgi-wasm check`: by API and by label or name, where it is.

    Passwords and the values of variables are left out.
    """
    described = {api.name: dict(api.describe(grants)) for api in APIS}
    return {name: found for name, found in described.items() if found}


def warnings(grants: Grants) -> list[str]:
    """What a route grants and will not work for this user, for `wsgi-wasm check`."""
    return [warning for api in APIS for warning in api.warn(grants)]
