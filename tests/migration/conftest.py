"""The command as a process of its own, as in the tests of the command line."""

from __future__ import annotations

from cli.conftest import wsgi_wasm as wsgi_wasm
