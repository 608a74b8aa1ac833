"""The grammar of `allowed_outbound_hosts`, and which entries become servers that a component may connect to."""

from __future__ import annotations

import pytest

from wsgi_wasm.config.allowed_hosts import parse_allowed_host


@pytest.mark.parametrize(
    ("text", "host", "endpoint"),
    [
        ("https://API.example", ("https", "api.example", 443, 443), ("api.example", 443)),
        ("http://api.example:8080", ("http", "api.example", 8080, 8080), ("api.example", 8080)),
        ("http://api.example/", ("http", "api.example", 80, 80), ("api.example", 80)),
        ("redis://cache", ("redis", "cache", 6379, 6379), ("cache", 6379)),
        ("postgres://db.example.:5433", ("postgres", "db.example", 5433, 5433), ("db.example", 5433)),
        ("*://db:1", ("*", "db", 1, 1), ("db", 1)),
        ("redis://*:*", ("redis", "*", 1, 65535), None),
        ("https://*.example", ("https", "*.example", 443, 443), None),
        ("http://localhost:8000..8010", ("http", "localhost", 8000, 8009), None),
        ("*://127.0.0.0/24:63551", ("*", "127.0.0.0/24", 63551, 63551), None),
        ("*://10.1.2.3/8:*", ("*", "10.0.0.0/8", 1, 65535), None),
        ("*://[::1]:80", ("*", "::1", 80, 80), ("::1", 80)),
        ("*://[fc00::/7]:80", ("*", "fc00::/7", 80, 80), None),
        ("http://self", ("http", "self", 1, 65535), None),
        ("https://self.alt:80", ("https", "self", 80, 80), None),
        ("http://a.spin.internal", ("http", "a.spin.internal", 80, 80), ("a.spin.internal", 80)),
    ],
)
def test_entries(text: str, host: tuple[str, str, int, int], endpoint: tuple[str, int] | None) -> None:
    found = parse_allowed_host(text)
    assert (found.scheme, found.host, found.first_port, found.last_port) == host
    assert found.endpoint == endpoint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("api.example", "is not a valid host; write 'scheme://host:port'"),
        ("", "is not a valid host; write 'scheme://host:port'"),
        ("http://", "is not a valid host; write 'scheme://host:port'"),
        ("{http,https}://a", "is not a valid host; write 'scheme://host:port'"),
        ("http://a/path", "has a path"),
        ("http://a/path:80", "has a path"),
        ("http://a b", "has 'a b', which is not a valid host"),
        ("http://a.*.b", "which is not a valid host"),
        ("http://user@a", "which is not a valid host"),
        ("*://a", "needs a port: '\\*' has no default port"),
        ("ftp://a", "needs a port: 'ftp' has no default port"),
        ("http://a:0", "has '0', which is not a valid"),
        ("http://a:65536", "has '65536', which is not a valid"),
        ("http://a:x", "has 'x', which is not a valid"),
        ("http://a:", "has '', which is not a valid"),
        ("*://[fc00::]/7:80", "is not a valid host; write 'scheme://host:port'"),
        ("http://a:9..9", "has '9..9', which is not a valid"),
        ("http://a:9..x", "has 'x', which is not a valid"),
    ],
)
def test_what_is_no_entry(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_allowed_host(text)
