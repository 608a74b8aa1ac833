"""WebAssembly guests behind the web server that you already have: a WSGI gateway for CGI programs in a sandbox.

`create_app("site.yaml", app=None)` is the way in; see the README.
"""

from __future__ import annotations

from wsgi_wasm.app import Gateway, create_app
from wsgi_wasm.config import Config, load_config
from wsgi_wasm.errors import ConfigError, WsgiWasmError
from wsgi_wasm.version import __version__

__all__ = ["Config", "ConfigError", "Gateway", "WsgiWasmError", "__version__", "create_app", "load_config"]
