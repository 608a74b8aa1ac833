"""What a route grants, in words for `wsgi-wasm check`, and what of it cannot work here. Passwords are left out."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from wsgi_wasm.config.model import AllowedHost, Endpoint, Grants, KeyValueStore


def granted(grants: Grants) -> dict[str, dict[str, str]]:
    """By API and by label or name: where it is. Values of variables are not told, only where they lie."""
    every = {
        "key_value": {label: _place(store) for label, store in grants.key_value.items()},
        "sqlite": {label: str(database.path) for label, database in grants.sqlite.items()},
        "variables": {name: str(one.file) if one.file else "set" for name, one in grants.variables.items()},
        "redis": {_server(one): "allowed" for one in grants.redis},
        "postgres": {_server(one): "allowed" for one in grants.postgres},
        "outbound": {str(host): "allowed" for host in grants.outbound.hosts},
    }
    return {api: found for api, found in every.items() if found}


def _place(store: KeyValueStore) -> str:
    if store.redis is None:
        return str(store.path)
    url = urlsplit(store.redis)
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}{url.path}, keys {store.prefix}*"


def _server(one: Endpoint | AllowedHost) -> str:
    if isinstance(one, AllowedHost):
        return str(one)
    return f"[{one.host}]:{one.port}" if ":" in one.host else f"{one.host}:{one.port}"


def warnings(grants: Grants) -> list[str]:
    """What is granted and will not work for this user."""
    found = []
    if grants.postgres and importlib.util.find_spec("psycopg") is None:
        found.append("`postgres` needs the package 'psycopg': pip install 'wsgi-wasm[postgres]'")
    for name, one in grants.variables.items():
        if one.file is not None and not (one.file.is_file() and os.access(one.file, os.R_OK)):
            found.append(f"variable {name}: {one.file} cannot be read")
    found += [f"{path} cannot be {what}" for path, what in _unusable(grants)]
    return found


def _unusable(grants: Grants) -> Iterator[tuple[Path, str]]:
    files = {store.path for store in grants.key_value.values() if store.path}
    files |= {database.path for database in grants.sqlite.values()}
    for path in sorted(files):
        if path.exists():
            if not os.access(path, os.R_OK | os.W_OK):
                yield path, "read and written"
            continue
        directory = next(parent for parent in path.parents if parent.exists())
        if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
            yield path, "made"
