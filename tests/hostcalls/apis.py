"""Every function of the host's APIs, called again and again with arguments as large as they can be."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hostapi.statements import COUNT
from wsgi_wasm.config.granted import Database, Endpoint, Grants, KeyValueStore, Variable
from wsgi_wasm.hostapi import APIS, channel, keyvalue, mysql, outbound
from wsgi_wasm.hostapi.postgres import Servers
from wsgi_wasm.hostapi.servers import AllowedServers

BYTES = bytes(2_600_000)  # what Wasmtime takes in one call
TEXT = "x" * (4 << 20)
KEYS = [f"{i:010d}" for i in range(50_000)]
KEY = "k" * 4096

Arguments = tuple[Any, ...]

HANDLE, CAS = object(), object()
"""In arguments: what `open` gives, and a new handle for a compare-and-swap."""

# by API and function: arguments, as many rows as there are
ROWS: Mapping[tuple[str, str], tuple[Arguments, ...]] = {
    ("key_value", "[static]store.open"): ((TEXT,), ("default",)),
    ("key_value", "[method]store.get"): ((HANDLE, TEXT), (HANDLE, "large")),
    ("key_value", "[method]store.set"): ((HANDLE, TEXT, BYTES), (HANDLE, KEY, BYTES)),
    ("key_value", "[method]store.delete"): ((HANDLE, TEXT), (HANDLE, KEY)),
    ("key_value", "[method]store.exists"): ((HANDLE, TEXT), (HANDLE, KEY)),
    ("key_value", "[method]store.get-keys"): ((HANDLE,),),
    ("key_value", "open"): ((TEXT,), ("default",)),
    ("key_value", "[method]bucket.get"): ((HANDLE, TEXT), (HANDLE, "large")),
    ("key_value", "[method]bucket.set"): ((HANDLE, KEY, BYTES),),
    ("key_value", "[method]bucket.delete"): ((HANDLE, TEXT),),
    ("key_value", "[method]bucket.exists"): ((HANDLE, TEXT),),
    ("key_value", "[method]bucket.list-keys"): ((HANDLE, None), (HANDLE, TEXT)),
    ("key_value", "get-many"): ((HANDLE, KEYS), (HANDLE, ["large"] * 1000)),
    ("key_value", "set-many"): ((HANDLE, [(key, b"") for key in KEYS]), (HANDLE, [(KEY, BYTES)])),
    ("key_value", "delete-many"): ((HANDLE, KEYS),),
    ("key_value", "increment"): ((HANDLE, KEY, 1),),
    ("key_value", "[static]cas.new"): ((HANDLE, TEXT), (HANDLE, "large")),
    ("key_value", "[method]cas.current"): ((CAS,),),
    ("key_value", "swap"): ((CAS, BYTES),),
    ("sqlite", "[static]connection.open"): ((TEXT,), ("default",)),
    ("sqlite", "[method]connection.execute"): (
        (HANDLE, TEXT, []),
        (HANDLE, "SELECT 1 /*" + "x" * (1 << 20), []),
        (HANDLE, "SELECT length(?)", [("blob", BYTES)]),
        (HANDLE, "SELECT ?", [("integer", 1)] * 50_000),
        (HANDLE, f"{COUNT} SELECT x FROM c", []),
        (HANDLE, "SELECT zeroblob(3000000)", []),
    ),
    ("sqlite", "[method]connection.last-insert-rowid"): ((HANDLE,),),
    ("sqlite", "[method]connection.changes"): ((HANDLE,),),
    ("variables", "get"): ((TEXT,), ("large",)),
    ("variables", "get-all"): ((),),
    ("redis", "[static]connection.open"): ((TEXT,), ("redis://user:" + TEXT[:1000000] + "@127.0.0.1:PORT",)),
    ("redis", "[method]connection.publish"): ((HANDLE, TEXT[: 1 << 20], BYTES),),
    ("redis", "[method]connection.get"): ((HANDLE, TEXT[: 1 << 20]),),
    ("redis", "[method]connection.set"): ((HANDLE, KEY, BYTES),),
    ("redis", "[method]connection.incr"): ((HANDLE, KEY),),
    ("redis", "[method]connection.del"): ((HANDLE, KEYS),),
    ("redis", "[method]connection.sadd"): ((HANDLE, KEY, KEYS),),
    ("redis", "[method]connection.smembers"): ((HANDLE, KEY),),
    ("redis", "[method]connection.srem"): ((HANDLE, KEY, KEYS),),
    ("redis", "[method]connection.execute"): ((HANDLE, "SET", [("int64", 1)] * 50_000),),
    ("postgres", "[static]connection.open"): ((TEXT,), ("postgresql://user@127.0.0.1:PORT/db",)),
    # A server that answers is needed for a handle: tests/hostapi/test_postgres.py.
    ("postgres", "[method]connection.query"): (),
    ("postgres", "[method]connection.execute"): (),
    ("mysql", "[static]connection.open"): ((TEXT,), ("mysql://user@127.0.0.1:PORT/db",)),
    ("mysql", "[method]connection.query"): (),
    ("mysql", "[method]connection.execute"): (),
    ("mysql", "query"): ((TEXT, "SELECT 1", []), ("mysql://user@127.0.0.1:PORT/db", TEXT, [("int8", 1)] * 50_000)),
    ("mysql", "execute"): ((TEXT, "SELECT 1", []), ("mysql://user@127.0.0.1:PORT/db", TEXT, [("int8", 1)] * 50_000)),
    ("channel", "call"): (
        (1, BYTES),
        (0x500, BYTES[: 1 << 20]),
        (0x600, bytes(12) + b"Europe/Berlin\0"),
        (0x600, bytes(12) + b"CET-1CEST,M3.5.0,M10.5.0/3\0"),
        (0x800, b"sqlite\0" + BYTES[: 1 << 20]),
        (0x802, BYTES[: 1 << 20]),
        (0x7FFF, BYTES),
    ),
    ("outbound", "admit"): ((TEXT, TEXT), ("http", TEXT), ("http", "[" + TEXT[: 1 << 20]), ("http", "a." * 500_000)),
}


@contextmanager
def granted(folder: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """What is bound to each API, by name, and the port of a server that never answers."""
    stores = {
        "default": KeyValueStore(name="default", path=folder / "kv.db", redis=None, prefix="", max_size=64 << 20),
    }
    databases = {"default": Database(path=folder / "sql.db", max_size=64 << 20)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        here = [Endpoint(host="127.0.0.1", port=port)]
        yield (
            {
                "key_value": keyvalue.stores(stores),
                "sqlite": databases,
                "variables": {f"v{i}": Variable(value="x" * 60_000, file=None) for i in range(50)}
                | {"large": Variable(value=TEXT, file=None)},
                "redis": AllowedServers(here),
                "postgres": Servers(here),
                "mysql": mysql.MysqlServers(here),
                "outbound": outbound.Policy(Grants()),
                "channel": channel.API.bind(Grants()),
            },
            port,
        )


def functions() -> set[tuple[str, str]]:
    """All of them."""
    return {(api.name, name) for api in APIS for interface in api.interfaces for name in interface.functions}
