"""`python -m wsgi_wasm`, the same as the command `wsgi-wasm`."""

from __future__ import annotations

import sys

from wsgi_wasm.cli import main

if __name__ == "__main__":
    sys.exit(main())
