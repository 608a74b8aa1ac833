"""`trusted_proxies`: what stands in the environ of guests and wrapped applications, whoever sends what."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from guests.build import guest
from guests.printed import variables
from wsgi_wasm import create_app
from wsgi_wasm.config import parse_config
from wsgi_wasm.gateway.proxies import BehindProxies
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse, correct_peer

CLIENT, PROXY, OTHER = "203.0.113.9", "10.0.0.1", "192.0.2.7"
SITE = "trusted_proxies: {from: [10.0.0.0/8, '::1'], header: HEADER}"


def proxies(site: str) -> tuple[BehindProxies, Environ]:
    """The middleware of a site, and the environ that its application was given last."""
    seen: Environ = {}

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.clear()
        seen.update(environ)
        return []

    trusted = parse_config(site.encode(), "site.yaml").trusted_proxies
    assert trusted is not None
    return BehindProxies(trusted, application), seen


def environ(peer: str, fields: Mapping[str, str], **more: Any) -> Environ:
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in fields.items()}
    said = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/p",
        "RAW_URI": "/p",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "inner:8000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "40000",
    }
    return {**said, **named, **more}


def told(site: str, asked: Environ) -> tuple[str, str | None, str, str, str, str]:
    application, seen = proxies(site)
    application(asked, lambda *_: None)
    assert not [
        key for key in seen if key.startswith("HTTP_X_FORWARDED") or key in ("HTTP_FORWARDED", "HTTP_X_REAL_IP")
    ]
    server = seen["SERVER_NAME"], seen["SERVER_PORT"]
    return seen["REMOTE_ADDR"], seen.get("REMOTE_PORT"), seen["wsgi.url_scheme"], seen["HTTP_HOST"], *server


AS_IT_WAS = ("40000", "http", "inner:8000", "127.0.0.1", "8000")
NOT_TOLD = ("40000", "http", "inner:8000", "inner", "8000")
X = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "Shop.example"}
BY_X = (CLIENT, None, "https", "Shop.example", "shop.example", "443")
RFC = {"Forwarded": f'for="{CLIENT}:4711";proto=https;host="shop.example:81"'}
BY_RFC = (CLIENT, "4711", "https", "shop.example:81", "shop.example", "81")

# family; peer; fields; client's address and port, scheme, host, name and port of the server
CASES: dict[str, tuple[str, str, dict[str, str], tuple[str | None, ...]]] = {
    "all three": ("x-forwarded", PROXY, X, BY_X),
    "rfc 7239": ("forwarded", PROXY, RFC, BY_RFC),
    "nothing": ("x-forwarded", PROXY, {}, (PROXY, *NOT_TOLD)),
    "a stranger": ("x-forwarded", OTHER, X, (OTHER, *AS_IT_WAS)),
    "a stranger, rfc 7239": ("forwarded", OTHER, RFC, (OTHER, *AS_IT_WAS)),
    "the other family": ("x-forwarded", PROXY, RFC, (PROXY, *NOT_TOLD)),
    "the other family, rfc 7239": ("forwarded", PROXY, X, (PROXY, *NOT_TOLD)),
    "both families": ("x-forwarded", PROXY, X | {"Forwarded": "for=6.6.6.6;proto=http;host=evil"}, BY_X),
    "both families, rfc 7239": (
        *("forwarded", PROXY, RFC | {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil"}, BY_RFC),
    ),
    "a peer as IPv6": ("x-forwarded", "::ffff:10.0.0.1", X, BY_X),
    "IPv6": ("x-forwarded", "::1", X, BY_X),
    "a stranger as IPv6": ("x-forwarded", f"::ffff:{OTHER}", X, (OTHER, *AS_IT_WAS)),
    "a peer that is no address": ("x-forwarded", "localhost", X, ("localhost", *AS_IT_WAS)),
    "a Unix socket, not trusted": ("x-forwarded", "", X, ("", *AS_IT_WAS)),
    "only the address": ("x-forwarded", PROXY, {"X-Forwarded-For": CLIENT}, (CLIENT, None, *NOT_TOLD[1:])),
    "only the scheme": (
        *(
            "x-forwarded",
            PROXY,
            {"X-Forwarded-Proto": "HTTPS"},
            (PROXY, "40000", "https", "inner:8000", "inner", "8000"),
        ),
    ),
    "an unknown client": ("x-forwarded", PROXY, {"X-Forwarded-For": "unknown"}, ("", None, *NOT_TOLD[1:])),
    "a spoofed list": (
        *("x-forwarded", PROXY, {"X-Forwarded-For": f"127.0.0.1, {CLIENT}"}),
        (CLIENT, None, *NOT_TOLD[1:]),
    ),
    "lists": (
        *("x-forwarded", PROXY, X | {"X-Forwarded-Proto": "http,https", "X-Forwarded-Host": "evil, shop.example"}),
        (CLIENT, None, "https", "shop.example", "shop.example", "443"),
    ),
    "other schemes": (
        *("x-forwarded", PROXY, X | {"X-Forwarded-Proto": "javascript"}),
        (CLIENT, None, "http", "Shop.example", "shop.example", "80"),
    ),
    "fields that are not read": (
        *(
            "x-forwarded",
            PROXY,
            X | {"X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/x", "X-Forwarded-Ssl": "off"},
            BY_X,
        ),
    ),
    "a host that is none": (
        *("x-forwarded", PROXY, X | {"X-Forwarded-Host": "u:p@evil"}),
        (CLIENT, None, "https", "u:p@evil", "127.0.0.1", "8000"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_believed(case: str) -> None:
    header, peer, fields, expected = CASES[case]
    asked = environ(peer, fields | {"X-Real-IP": "6.6.6.6"})
    assert told(SITE.replace("HEADER", header), asked) == expected


def test_the_peer_stays_known() -> None:
    application, seen = proxies(SITE.replace("HEADER", "x-forwarded"))
    for peer in (PROXY, OTHER):
        application(environ(peer, X, REMOTE_HOST="front.example", REMOTE_IDENT="root"), lambda *_: None)
        assert seen["wsgi_wasm.peer"] == peer
        assert ("REMOTE_HOST" in seen, "REMOTE_IDENT" in seen) == ((peer == OTHER,) * 2)


def test_unix_sockets_have_to_be_trusted_by_name() -> None:
    site = "trusted_proxies: {from: [unix]}"
    assert told(site, environ("", X)) == BY_X
    assert told(site, environ(PROXY, X)) == (PROXY, *AS_IT_WAS)


def test_gunicorns_own_idea_of_whom_to_believe_does_not_count() -> None:
    """`forwarded_allow_ips` has loopback addresses and all Unix sockets."""
    first, second = socket.socketpair()
    with first, second:
        asked = environ("", X, **{"gunicorn.socket": first, "wsgi.url_scheme": "https"})
        assert told(SITE.replace("HEADER", "x-forwarded"), dict(asked))[2] == "http"
        assert told("trusted_proxies: {from: [unix]}", asked)[2] == "https"


def test_middleware_around_the_gateway_may_know_the_client() -> None:
    """As werkzeug's `ProxyFix` does, behind a Unix socket: its address is none that the peer has chosen."""
    first, second = socket.socketpair()
    with first, second:
        asked = environ(CLIENT, {}, **{"gunicorn.socket": first})
        del asked["REMOTE_PORT"]
        correct_peer(asked)
        assert asked["REMOTE_ADDR"] == CLIENT


@pytest.mark.parametrize(
    ("target", "path"), [("http://inner/p?q", "/p"), ("http://inner", ""), ("/p", "/p"), ("*", "")]
)
def test_the_clients_host_wins_over_the_targets(target: str, path: str) -> None:
    application, seen = proxies(SITE.replace("HEADER", "x-forwarded"))
    application(environ(PROXY, X, RAW_URI=target, PATH_INFO=path), lambda *_: None)
    assert (seen["HTTP_HOST"], seen["SERVER_NAME"]) == ("Shop.example", "shop.example")
    if target != "*":
        assert seen["PATH_INFO"] == (path or "/")


def test_apache_has_done_it_itself() -> None:
    application, seen = proxies(SITE.replace("HEADER", "x-forwarded"))
    asked = environ(PROXY, X, **{"mod_wsgi.version": "5"})
    application(dict(asked), lambda *_: None)
    assert seen == asked


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    env = f"module: {guest('env')}"
    path.write_text(
        f"{SITE.replace('HEADER', 'x-forwarded')}\nroutes: {{/: {{{env}, env: {{SITE: top}}}}}}\n"
        f"hosts: {{shop.example: {{routes: {{/: {{{env}, env: {{SITE: shop}}}}}}}},"
        f" inner: {{routes: {{/: {{{env}, env: {{SITE: inner}}}}}}}}}}\n"
    )
    return path


ROUTED = {
    (PROXY, "shop.example"): "shop",
    (PROXY, "SHOP.example.:81"): "shop",
    (PROXY, "inner, shop.example"): "shop",
    (PROXY, "other.example"): "top",
    (PROXY, ""): "inner",
    (OTHER, "shop.example"): "inner",
    ("", "shop.example"): "inner",
}


@pytest.mark.parametrize(("peer", "host"), ROUTED)
def test_routes_of_a_host_are_chosen_by_what_is_believed(site: Path, peer: str, host: str) -> None:
    answered, body = ask(site, environ(peer, {"X-Forwarded-Host": host}))
    assert (answered, body["SITE"]) == ("200 OK", ROUTED[peer, host])


@pytest.mark.parametrize(
    "host", ["u:p@shop.example", "shop.example:0", "shop.example:99999", "a b", "[::1", "\xff", "x" * 9000]
)
def test_a_host_that_is_none_is_400_as_ever(site: Path, host: str) -> None:
    assert ask(site, environ(PROXY, {"X-Forwarded-Host": host}))[0] == "400 Bad Request"
    assert ask(site, environ(OTHER, {"X-Forwarded-Host": host}))[0] == "200 OK"


def ask(site: Path, asked: Environ) -> tuple[str, dict[str, str]]:
    """Status and variables of a guest, by a gateway of its own."""
    status = ""
    written: list[bytes] = []

    def start_response(line: str, fields: object, exc_info: object = None) -> Any:
        nonlocal status
        status = line
        return written.append

    gateway = create_app(site)
    gateway.warm()
    body = b"".join(written) + b"".join(gateway(asked, start_response))
    return status, variables((b"".join(written) + body).decode("latin-1"))
