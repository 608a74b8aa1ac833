"""What a route's guests speak: a protocol for each kind of guest, one module for each."""

from __future__ import annotations

from collections.abc import Mapping

from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.config.model import DirectoryTarget, Route
from wsgi_wasm.engine.modules import RouteModules
from wsgi_wasm.gateway.program import GuestProtocol, ProgramFinder, ProtocolFactory, Wrap
from wsgi_wasm.gateway.programs import Programs
from wsgi_wasm.protocols.cgi import Cgi
from wsgi_wasm.protocols.http import Http
from wsgi_wasm.protocols.raw import Raw


def request_fields(route: Route, env: Mapping[str, str]) -> RequestFields:
    """The rules of a route for what its guests are given of a request; `env` are variables that
    they always have."""
    return RequestFields(
        env=env,
        pass_env=route.pass_env,
        pass_headers=route.pass_headers,
        pass_authorization=route.pass_authorization,
        document_root=route.document_root or ("/" if isinstance(route.target, DirectoryTarget) else None),
    )


def protocols_of(route: Route) -> ProtocolFactory:
    """The protocols of a route, other than those of workers. A guest shows by itself which of the
    two it is, and so `auto` has both."""

    def protocols(env: Mapping[str, str], wrap: Wrap | None) -> Mapping[str, GuestProtocol]:
        if route.interface == "raw":
            return {"cgi": Raw(route, env)}
        fields = request_fields(route, env)
        programs: dict[str, GuestProtocol] = {"cgi": Cgi(route, fields if wrap is None else wrap(fields))}
        components: dict[str, GuestProtocol] = {"http": Http(route, fields)}
        return {"auto": programs | components, "cgi": programs, "http": components}[route.interface]

    return protocols


def program_finder(route: Route, modules: RouteModules) -> ProgramFinder:
    """What finds the programs of a route."""
    if route.interface == "wws":
        # Most sites have none.
        from wsgi_wasm.protocols.wws import worker_finder

        return worker_finder(route, modules, lambda env: request_fields(route, env))
    return Programs(route, modules, protocols_of)
