"""Programs that know nothing of HTTP: what they print is the body (mod_wasm with `WasmEnableCGI Off`).

They get no request: no body, and of the environment the route's `env` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from wsgi_wasm.cgi.environment import OwnVariables
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.engine.run import Input
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.gateway.answer import Answer
from wsgi_wasm.gateway.handler import GuestHandler
from wsgi_wasm.gateway.programs import AnyGuest


class RawHandler(GuestHandler):
    """Serves a route whose guests only print."""

    def __init__(self, route: Route, modules: ModuleStore) -> None:
        super().__init__(route, modules)
        self._new_parser = partial(EveryByte, Head(200, "OK", (("Content-Type", route.content_type),)))

    def _environment(self, env: Mapping[str, str]) -> OwnVariables:
        return OwnVariables(env)

    def _admitted(
        self,
        guest: AnyGuest,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        stdin: Input | None,
        answer: Answer,
        spent: tuple[float, float],
    ) -> Outcome:
        if guest.interface != "cgi":
            raise ModuleError(f"`interface` is raw, and this guest's is {guest.interface}")
        return super()._admitted(guest, arguments, environment, None, answer, spent)


class EveryByte:
    """A reader of heads for output that has none."""

    def __init__(self, head: Head) -> None:
        self.body = b""
        self._head = head

    def feed(self, data: bytes) -> Head:
        """As `HeadReader.feed`."""
        self.body = data
        return self._head

    def finish(self) -> Head:
        """An empty body is one."""
        return self._head
