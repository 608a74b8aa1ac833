"""Where requests may go: entries against servers, and addresses that a name must not lead to."""

from __future__ import annotations

import ipaddress

import pytest

from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.hostapi.destinations import Destination, Destinations, destination, is_public

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
INWARD = [
    *(
        "127.0.0.1",
        "127.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
    ),
    *("100.64.0.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:c0a8:101::"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", INWARD)
def test_inward_addresses(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


# scheme and authority as a guest gives them
AUTHORITIES: list[tuple[str, str, Destination | None]] = [
    ("http", "api.example", Destination("http", "api.example", 80)),
    ("https", "API.Example.:8443", Destination("https", "api.example", 8443)),
    ("http", "[::1]:80", Destination("http", "::1", 80)),
    ("http", "user@api.example", None),
    ("http", "user:secret@api.example", None),
    ("http", "api.example:0", None),
    ("http", "api.example:65536", None),
    ("http", "api.example:", None),
    ("http", "api.example/path", None),
    ("http", "api example", None),
    ("http", "api.example\r\nx: y", None),
    ("http", "", Destination("http", "self.alt", 80)),  # a relative URL
    ("https", ":443", Destination("https", "self.alt", 443)),
    ("http", ":443", Destination("http", "self.alt", 80)),
    ("http", "SELF.alt:3000", Destination("http", "self.alt", 80)),
    ("http", ":0", None),
    ("http", ".", None),
    ("ftp", "api.example", None),
    ("HTTP", "api.example", None),
]


@pytest.mark.parametrize(("scheme", "authority", "wanted"), AUTHORITIES)
def test_authorities(scheme: str, authority: str, wanted: Destination | None) -> None:
    assert destination(scheme, authority) == wanted


# entries, authority of a request by http, the address that it resolves to, whether the name and whether the address do
CASES: list[tuple[list[str], str, str, bool, bool]] = [
    ([], "api.example", "8.8.8.8", False, True),
    (["http://api.example"], "api.example", "8.8.8.8", True, True),
    (["https://api.example"], "api.example", "8.8.8.8", False, True),
    (["http://api.example:8080"], "api.example", "8.8.8.8", False, True),
    (["http://api.example:8000..9000"], "api.example:8999", "8.8.8.8", True, True),
    (["http://api.example:8000..9000"], "api.example:9000", "8.8.8.8", False, True),
    (["*://api.example:*"], "api.example:1234", "8.8.8.8", True, True),
    (["http://*.example"], "api.example", "8.8.8.8", True, True),
    (["http://*.example"], "example", "8.8.8.8", False, True),
    (["http://*.example"], "evilexample", "8.8.8.8", False, True),
    (["http://api.example"], "api.example.evil", "8.8.8.8", False, True),
    # a name of the outside that leads inside
    (["http://api.example"], "api.example", "127.0.0.1", True, False),
    (["http://*"], "api.example", "169.254.169.254", True, False),
    (["http://*"], "localhost", "127.0.0.1", True, False),
    (["http://*"], "127.0.0.1", "127.0.0.1", True, False),
    (["*://*:*"], "[::1]", "::1", True, False),
    (["http://api.example"], "api.example", "::ffff:127.0.0.1", True, False),
    # addresses and networks that are named
    (["http://127.0.0.1"], "127.0.0.1", "127.0.0.1", True, True),
    (["http://127.0.0.1"], "127.0.0.2", "127.0.0.2", False, False),
    (["http://127.0.0.1"], "[::ffff:127.0.0.1]", "::ffff:127.0.0.1", True, True),
    (["http://[::1]"], "[::1]", "::1", True, True),
    (["http://10.1.0.0/16"], "10.1.2.3", "10.1.2.3", True, True),
    (["http://10.1.0.0/16"], "10.2.2.3", "10.2.2.3", False, False),
    (["http://api.example", "http://10.1.0.0/16"], "api.example", "10.1.2.3", True, True),
    (["http://api.example", "http://10.1.0.0/16:8080"], "api.example", "10.1.2.3", True, False),
    (["http://localhost"], "localhost", "127.0.0.1", True, True),
    (["http://localhost"], "localhost", "10.0.0.1", True, False),
    # the own application, which is no host
    (["http://self"], "", "8.8.8.8", True, True),
    (["https://self.alt:1"], "self.alt", "8.8.8.8", True, True),
    (["*://*:*"], "", "8.8.8.8", True, True),
    (["redis://self"], "", "8.8.8.8", False, True),
    (["http://*.alt"], "self.alt", "8.8.8.8", False, True),
    (["http://self"], "self", "8.8.8.8", False, True),
]


@pytest.mark.parametrize(("entries", "authority", "address", "by_name", "by_address"), CASES)
def test_what_is_allowed(entries: list[str], authority: str, address: str, by_name: bool, by_address: bool) -> None:
    allowed = Destinations(parse_allowed_host(entry) for entry in entries)
    wanted = destination("http", authority)
    assert wanted is not None
    assert allowed.admit(wanted) == by_name
    assert allowed.admit_address(wanted, address) == by_address
