"""CGI programs (RFC 3875): meta-variables and body in, head and body out, a fresh instance each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.config.model import DirectoryTarget, Route
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.gateway.handler import GuestHandler
from wsgi_wasm.gateway.programs import AnyGuest, Invocation, Program
from wsgi_wasm.gateway.request import LocalRedirect, Request


class CgiHandler(GuestHandler):
    """Serves a route whose guests are CGI programs."""

    interface = "cgi"
    parser: type[HeadParser] = HeadParser

    def __init__(self, route: Route, modules: ModuleStore) -> None:
        super().__init__(route, modules)
        allowed = frozenset(name.lower() for name in route.response_fields)
        self._new_parser = partial(self.parser, route.limits.max_head, allowed)

    def run_guest(self, request: Request, invocation: Invocation, guest: AnyGuest) -> Iterable[bytes] | LocalRedirect:
        """As `GuestHandler.run_guest`. Raises ModuleError for a guest of another interface."""
        self._check(guest, invocation.program)
        return super().run_guest(request, invocation, guest)

    def _check(self, guest: AnyGuest, program: Program) -> None:
        if guest.interface != self.interface:
            wanted, found = self.route.interface, guest.interface
            raise ModuleError(f"{program.module.path}: `interface` is {wanted}, and this guest's is {found}")

    def _environment(self, env: Mapping[str, str]) -> RequestFields:
        route = self.route
        return RequestFields(
            env=env,
            pass_env=route.pass_env,
            pass_headers=route.pass_headers,
            pass_authorization=route.pass_authorization,
            document_root=route.document_root or ("/" if isinstance(route.target, DirectoryTarget) else None),
        )
