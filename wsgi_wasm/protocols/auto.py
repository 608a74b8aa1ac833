"""The interface that a guest itself shows: components that handle HTTP, and programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.gateway.programs import AnyGuest, Invocation
from wsgi_wasm.gateway.request import LocalRedirect, Request
from wsgi_wasm.protocols.cgi import CgiHandler

if TYPE_CHECKING:
    from wsgi_wasm.protocols.http import HttpHandler


class AutoHandler(CgiHandler):
    """Serves a route whose guests may be either; in a directory each by itself."""

    def __init__(self, route: Route, modules: ModuleStore) -> None:
        super().__init__(route, modules)
        self._modules = modules
        self._http: HttpHandler | None = None

    def run_guest(self, request: Request, invocation: Invocation, guest: AnyGuest) -> Iterable[bytes] | LocalRedirect:
        """As `GuestHandler.run_guest`, the way that the guest's interface wants it."""
        if guest.interface == "http":
            if self._http is None:
                # Most routes never have one. Two of them would do no harm.
                from wsgi_wasm.protocols.http import HttpHandler

                self._http = HttpHandler(self.route, self._modules)
            return self._http.run_guest(request, invocation, guest)
        return super().run_guest(request, invocation, guest)
