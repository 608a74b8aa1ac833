"""WebAssembly guests behind the web server that you already have: a WSGI gateway for CGI programs
in a sandbox.

`create_app("site.yaml", app=None)` is the way in; see the README.
"""

from __future__ import annotations

import importlib

from wsgi_wasm.version import __version__

# That of `typing` would cost its import before a command can handle Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wsgi_wasm.app import Gateway, create_app
    from wsgi_wasm.config import Config, load_config
    from wsgi_wasm.errors import ConfigError, WsgiWasmError

__all__ = ["Config", "ConfigError", "Gateway", "WsgiWasmError", "__version__", "create_app", "load_config"]

# Loaded when first asked for: the command line's --help, and the child that compiles, need none
# of it.
_HOMES = {
    "Config": "wsgi_wasm.config",
    "ConfigError": "wsgi_wasm.errors",
    "Gateway": "wsgi_wasm.app",
    "WsgiWasmError": "wsgi_wasm.errors",
    "create_app": "wsgi_wasm.app",
    "load_config": "wsgi_wasm.config",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value
