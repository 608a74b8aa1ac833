"""What each module of this package declares: an API of the host that a route can grant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import Binding, HostApi
from wsgi_wasm.engine.hostcalls.interface import State


def _no_warnings(_grants: Grants) -> Iterable[str]:
    return ()


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class GrantedApi(HostApi[Binding, State]):
    """An API whose `name` is the route key that grants it.

    `bind` makes what the API uses of a route's grants, in the process that serves the route;
    nothing is opened before a guest asks for it. If the route grants nothing, every function
    answers the interface's own access-denied error. `describe` and `warn` are for `wsgi-wasm
    check`: what is granted, by label or name, and where that is, without passwords; and what of it
    will not work for this user.
    """

    bind: Callable[[Grants], Binding]
    describe: Callable[[Grants], Mapping[str, str]]
    warn: Callable[[Grants], Iterable[str]] = _no_warnings


AnyGrantedApi: TypeAlias = GrantedApi[Any, Any]
