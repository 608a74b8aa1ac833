"""Grants in words for `wsgi-wasm check`, as several APIs have them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from wsgi_wasm.config.granted import AllowedHost, Endpoint


def describe_servers(servers: Iterable[Endpoint | AllowedHost]) -> dict[str, str]:
    """Servers that a guest may connect to."""
    return {_server(one): "allowed" for one in servers}


def _server(one: Endpoint | AllowedHost) -> str:
    if isinstance(one, AllowedHost):
        return str(one)
    return f"[{one.host}]:{one.port}" if ":" in one.host else f"{one.host}:{one.port}"


def warn_of_files(paths: Iterable[Path]) -> Iterator[str]:
    """Which of these files this user can neither use nor make."""
    for path in sorted(set(paths)):
        if path.exists():
            if not os.access(path, os.R_OK | os.W_OK):
                yield f"{path} cannot be read and written"
            continue
        directory = next(parent for parent in path.parents if parent.exists())
        if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
            yield f"{path} cannot be made"
