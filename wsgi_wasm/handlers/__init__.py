"""What a route's guest speaks: one module for each protocol. `HANDLERS` lists them all."""

from __future__ import annotations

from collections.abc import Mapping

from wsgi_wasm.handlers.auto import AutoHandler
from wsgi_wasm.handlers.cgi import CgiHandler
from wsgi_wasm.handlers.guest_handler import GuestHandler
from wsgi_wasm.handlers.http import HttpHandler

HANDLERS: Mapping[str, type[GuestHandler]] = {"auto": AutoHandler, "cgi": CgiHandler, "http": HttpHandler}
