"""Where connections of guests to Redis and PostgreSQL may go."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.granted import Endpoint
from wsgi_wasm.hostapi.servers import AllowedServers, NotAllowed

ANYWHERE = None  # wherever the name leads
REFUSED = ()

NAMES = {
    "db.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "mixed.example": ["10.1.2.3", "93.184.216.34"],
    "inward.example": ["127.0.0.1"],
    "localhost": ["::1", "127.0.0.1"],
}

CASES: list[tuple[list[str], str, int, tuple[str, ...] | None]] = [
    ([], "db.example", 6379, REFUSED),
    # one by one: the name is trusted
    (["redis://inward.example"], "inward.example", 6379, ANYWHERE),
    (["redis://inward.example"], "INWARD.example.", 6379, ANYWHERE),
    (["redis://inward.example"], "inward.example", 6380, REFUSED),
    (["redis://inward.example"], "127.0.0.1", 6379, REFUSED),
    (["*://inward.example:6379"], "inward.example", 6379, ANYWHERE),
    (["redis://127.0.0.1:6379"], "127.0.0.1", 6379, ANYWHERE),
    # patterns: what they lead to is looked at
    (["redis://*:6379"], "db.example", 6379, ("93.184.216.34", "2606:2800:220:1::1")),
    (["redis://*:6379"], "db.example", 6380, REFUSED),
    (["redis://*:*"], "db.example", 6380, ("93.184.216.34", "2606:2800:220:1::1")),
    (["*://*:*"], "mixed.example", 5432, ("93.184.216.34",)),
    (["*://*.example:*"], "mixed.example", 5432, ("93.184.216.34",)),
    (["*://*.example:*"], "mixed.example.org", 5432, REFUSED),
    (["redis://db.example:6000..6010"], "db.example", 6009, ("93.184.216.34", "2606:2800:220:1::1")),
    (["redis://db.example:6000..6010"], "db.example", 6010, REFUSED),
    (["*://*:*"], "inward.example", 5432, REFUSED),
    (["*://*:*"], "localhost", 5432, REFUSED),
    (["*://*:*"], "127.0.0.1", 5432, REFUSED),
    (["*://*:*"], "::1", 5432, REFUSED),
    (["*://*:*"], "169.254.169.254", 80, REFUSED),
    (["*://*:*"], "8.8.8.8", 80, ("8.8.8.8",)),
    # addresses, networks and localhost by name
    (["*://*:*", "redis://127.0.0.1"], "inward.example", 6379, ("127.0.0.1",)),
    (["*://*:*", "redis://127.0.0.1"], "inward.example", 6380, REFUSED),
    (["*://*:*", "*://10.0.0.0/8:*"], "mixed.example", 5432, ("10.1.2.3", "93.184.216.34")),
    (["*://10.0.0.0/8:*"], "10.9.8.7", 5432, ("10.9.8.7",)),
    (["*://10.0.0.0/8:*"], "mixed.example", 5432, REFUSED),
    (["redis://localhost:*"], "localhost", 6379, ("::1", "127.0.0.1")),
    # what is no name, whatever client libraries make of it
    (["*://*:*"], "", 5432, REFUSED),
    (["*://*:*"], "/var/run/postgresql", 5432, REFUSED),
    (["*://*:*"], "@abstract", 5432, REFUSED),
    (["*://*:*"], "db.example,inward.example", 5432, REFUSED),
    (["*://*:*"], "fe80::1%eth0", 5432, REFUSED),
    (["*://*:*"], "db example", 5432, REFUSED),
    (["http://self"], "self", 80, REFUSED),
]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A resolver that knows `NAMES` and addresses; what it was asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        if host in NAMES:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in NAMES[host]]
        return real(host, port, flags=socket.AI_NUMERICHOST, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize(("entries", "host", "port", "addresses"), CASES)
def test_servers(names: list[str], entries: list[str], host: str, port: int, addresses: tuple[str, ...] | None) -> None:
    allowed = AllowedServers(map(parse_allowed_host, entries))
    if addresses == REFUSED:
        with pytest.raises(NotAllowed, match="not permitted"):
            allowed.addresses(host, port, 5)
    else:
        assert allowed.addresses(host, port, 5) == addresses
    assert len(names) <= 1, "a name is resolved once"


def test_a_site_names_servers_one_by_one(names: list[str]) -> None:
    allowed = AllowedServers([Endpoint(host="inward.example", port=6379)])
    assert allowed.addresses("inward.example", 6379, 5) is ANYWHERE
    assert names == []


def test_a_resolver_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(20) and [])
    with pytest.raises(TimeoutError, match="in time"):
        AllowedServers([parse_allowed_host("*://*:*")]).addresses("db.example", 5432, 0.05)
    go_on.set()
