"""What a route's guest speaks: one module for each protocol, loaded when a route asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgi_wasm.gateway.handler import GuestHandler

# interface: module and class
HANDLERS: Mapping[str, tuple[str, str]] = {
    "auto": ("auto", "AutoHandler"),
    "cgi": ("cgi", "CgiHandler"),
    "http": ("http", "HttpHandler"),
    "wws": ("wws", "WwsHandler"),
    "raw": ("raw", "RawHandler"),
}


def handler_class(interface: str) -> type[GuestHandler]:
    """The class that serves routes of this interface."""
    module, name = HANDLERS[interface]
    found: type[GuestHandler] = getattr(import_module(f"wsgi_wasm.protocols.{module}"), name)
    return found
