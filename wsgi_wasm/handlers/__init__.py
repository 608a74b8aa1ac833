"""What a route's guest speaks: one module for each protocol. `HANDLERS` lists them all."""

from __future__ import annotations

from wsgi_wasm.handlers.cgi import CgiHandler

HANDLERS = {"cgi": CgiHandler}
