"""Programs that know nothing of HTTP: what they print is the body (mod_wasm
with `WasmEnableCGI Off`).

They get no request: no body, and of the environment the route's `env` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from wsgi_wasm.cgi.environment import own_variables
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.config.model import Route
from wsgi_wasm.gateway.body import Body
from wsgi_wasm.gateway.program import GuestCall, ProgramMatch
from wsgi_wasm.gateway.request import Request


class Raw:
    """As `GuestProtocol`, for programs that only print."""

    streams = True

    def __init__(self, route: Route, env: Mapping[str, str]) -> None:
        self._environment = own_variables(env)
        self._head = Head(200, "OK", (("Content-Type", route.content_type),), implied=True)

    def call(self, request: Request, found: ProgramMatch, body: Body | None) -> GuestCall:
        """As `GuestProtocol.call`."""
        return found.program.arguments, self._environment, None, EveryByte(self._head)


class EveryByte:
    """A reader of heads for output that has none."""

    must_say_status = False

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
