"""What is refused is said with the key that would allow it, seldom enough for a log."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import component
from wsgi_wasm import logs
from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.granted import Endpoint, Grants
from wsgi_wasm.engine.hostcalls import refusals
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import HostError
from wsgi_wasm.hostapi import refused
from wsgi_wasm.hostapi.destinations import Destination, Destinations, destination
from wsgi_wasm.hostapi.keyvalue import KeyValue
from wsgi_wasm.hostapi.outbound import Policy
from wsgi_wasm.hostapi.servers import AllowedServers, NotAllowed
from wsgi_wasm.hostapi.sqlite import Sqlite


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds on the clock of the log, which a test moves."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What has been logged since the last look."""

    def look() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == "wsgi_wasm.guest"]
        caplog.clear()
        return found

    caplog.set_level(logging.INFO, "wsgi_wasm")
    return look


def test_once_a_minute_for_each_thing(clock: list[float], lines: Callable[[], list[str]]) -> None:
    seldom = logs.Seldom(logs.package_log("guest"))
    for _ in range(1000):
        seldom.warning("a", "about a")
        seldom.warning("b", "about b")
    assert lines() == ["about a", "about b"]
    clock[0] += 59.9
    seldom.warning("a", "about a")
    assert lines() == []
    clock[0] += 0.2
    seldom.warning("a", "about a again")
    assert lines() == ["about a again"]


def test_a_million_things_take_no_memory_and_few_lines(clock: list[float], lines: Callable[[], list[str]]) -> None:
    seldom = logs.Seldom(logs.package_log("guest"))
    for number in range(1_000_000):
        seldom.warning(f"host{number}.example", f"about {number}")
    first = lines()
    assert len(first) == 21
    assert first[-1] == "about 20 (others like this are not logged for a minute)"
    assert len(seldom._said) == 20
    for _ in range(3):
        clock[0] += 30
        for number in range(1000):
            seldom.warning(f"other{number}", "more")
    assert len(lines()) <= 2 * 21


REFUSED = [
    # what a guest asks for, what would allow it
    ("https", "api.example", "allowed_outbound_hosts: [https://api.example:443]"),
    ("http", "API.example.:8080", "allowed_outbound_hosts: [http://api.example:8080]"),
    ("http", "10.0.0.5", "allowed_outbound_hosts: [http://10.0.0.5:80]"),
    ("http", "[::1]:81", 'allowed_outbound_hosts: ["http://[::1]:81"]'),
]


@pytest.mark.parametrize(("scheme", "authority", "key"), REFUSED)
def test_the_key_for_a_request(scheme: str, authority: str, key: str, lines: Callable[[], list[str]]) -> None:
    """It is what a site can be given, and it does allow the request."""
    wanted = destination(scheme, authority)
    assert wanted is not None
    Policy(Grants()).refuse(wanted)
    (line,) = lines()
    assert line.endswith(f"a connection to {wanted} is refused; to allow it: {key}")
    (entry,) = yaml.safe_load(key)["allowed_outbound_hosts"]
    assert Destinations([parse_allowed_host(entry)]).admit(wanted)
    Policy(Grants(of_manifest=True)).refuse(wanted)
    assert lines() == [
        f' a connection to {wanted} is refused; to allow it: allowed_outbound_hosts = ["{entry}"] in the Spin manifest'
    ]


def test_the_key_for_an_address(lines: Callable[[], list[str]]) -> None:
    """A name is allowed and leads inside: what must be named is the address."""
    wanted = Destination("http", "inward.example", 80)
    Policy(Grants()).refuse(wanted, ["10.0.0.5", "fd00::1"], label="/x a.wasm [1]")
    (line,) = lines()
    assert line == (
        "/x a.wasm [1] a connection to http://inward.example:80 is refused: its address is not public: 10.0.0.5 and "
        "fd00::1; to allow it: allowed_outbound_hosts: [http://10.0.0.5:80]"
    )
    assert Destinations([parse_allowed_host("http://10.0.0.5:80")]).admit_address(wanted, "10.0.0.5")


@pytest.mark.parametrize(
    ("scheme", "of_manifest", "host", "key"),
    [
        ("redis", False, "cache.example", "redis: [cache.example:6379]"),
        ("postgres", False, "::1", 'postgres: ["[::1]:6379"]'),
        (
            "redis",
            True,
            "cache.example",
            'allowed_outbound_hosts = ["redis://cache.example:6379"] in the Spin manifest',
        ),
        ("postgres", True, "db", 'allowed_outbound_hosts = ["postgres://db:6379"] in the Spin manifest'),
    ],
)
def test_the_key_for_a_server(
    scheme: str, of_manifest: bool, host: str, key: str, lines: Callable[[], list[str]]
) -> None:
    allowed = AllowedServers([Endpoint(host="other.example", port=6379)], scheme, of_manifest)
    for _ in range(3):
        with pytest.raises(NotAllowed):
            allowed.addresses(host, 6379, 1)
    (line,) = lines()
    assert line.endswith(f"is refused; to allow it: {key}")
    assert f"{scheme}://" in line


@given(st.text(min_size=1))
def test_a_server_of_any_name_is_one_line(name: str) -> None:
    kept: list[str] = []
    allowed = AllowedServers()
    allowed._refusals._seldom.warning = lambda thing, text: kept.append(text)  # type: ignore[method-assign]
    with pytest.raises(NotAllowed):
        allowed.addresses(name, 6379, 1)
    assert kept[0].isprintable()
    assert len(kept[0]) < 2000


def test_labels_that_are_not_granted(lines: Callable[[], list[str]]) -> None:
    host: Any = HostState.__new__(HostState)
    label = "none\n\x1b[31m" + "x" * 1000
    for made in (KeyValue(host, {}), Sqlite(host, {})):
        for _ in range(3):
            with pytest.raises(HostError):
                made.open(label, HostError("full")) if isinstance(made, KeyValue) else made.open(label)
    store, database = lines()
    assert "the store 'none" in store
    assert store.endswith(
        "is not granted; to grant it, add it to `key_value` of the route, `key_value_stores` of a component"
    )
    assert "`sqlite` of the route" in database
    assert (store + database).isprintable()


@pytest.fixture
def site(make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A component that makes whatever request it is told to."""
    monkeypatch.setattr(refused, "_not_granted", logs.Seldom(refused.log))
    monkeypatch.setattr(refusals, "_seldom", logs.Seldom(refused.log))
    module = str(component("client"))
    return make_client(
        {
            "/x": {"module": module, "allowed_outbound_hosts": ["https://api.example"], "timeout": "60s"},
            "/y": {"module": module, "timeout": "60s"},
        }
    )


def test_a_request_that_is_refused_is_logged(site: Client, lines: Callable[[], list[str]]) -> None:
    for _ in range(3):
        for route in ("/x", "/y"):
            assert site.get(f"{route}/get?http://127.0.0.1:9/").text == "15"
    found = lines()
    assert [re.sub(r"client-\S+ \[[0-9a-f]+\]", "client.wasm [ID]", line) for line in found] == [
        f"{route} client.wasm [ID] a connection to http://127.0.0.1:9 is refused; "
        "to allow it: allowed_outbound_hosts: [http://127.0.0.1:9]"
        for route in ("/x", "/y")
    ]
    site.get("/x/get?http://127.0.0.1:10/")
    assert len(lines()) == 1, "another destination"
