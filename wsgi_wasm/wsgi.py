"""`wsgi_wasm.wsgi:application`, for any WSGI server: the site of the file that WSGI_WASM_CONFIG
names, else of /etc/wsgi-wasm/site.yaml. Importing it reads that file, and raises ConfigError with
all its mistakes."""

from __future__ import annotations

import os

from wsgi_wasm import create_app

application = create_app(os.environ.get("WSGI_WASM_CONFIG") or "/etc/wsgi-wasm/site.yaml")
