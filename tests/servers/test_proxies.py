"""`trusted_proxies` under real servers: whom they connect for, as all interfaces and the access log have it. The
machine's loopback addresses are the proxies and the strangers."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component, guest
from guests.printed import variables
from spin.conftest import write_app

from .apache import Apache, Site, put
from .client import Answer, wait_compiled
from .command import serving
from .fixtures import serve
from .gunicorn import start_gunicorn
from .server import Server

PROXY, STRANGER = "127.0.0.1", "127.0.0.5"
CLIENT = "203.0.113.9"
Fields = Sequence[tuple[str, str]]
X: Fields = (
    ("X-Forwarded-For", f"6.6.6.6, {CLIENT}"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "shop.example"),
)
FORWARDED: Fields = (("Forwarded", f'for="{CLIENT}:4711";proto=https;host="shop.example:81"'),)


PATIENT = {"defaults": {"queue_timeout": "60s"}}  # each worker's first request waits for what another one compiles


def write_site(tmp: Path, **more: Any) -> Path:
    for name in ("env", "worker"):
        put(tmp / f"{name}.wasm", guest(name).read_bytes())
    put(tmp / "http.wasm", component("http").read_bytes())
    if not (tmp / "app").exists():
        write_app(tmp / "app")
    env: dict[str, Any] = {"module": "env.wasm"}
    routes = {
        "/env": env | {"env": {"SITE": "top"}},
        "/http": {"module": "http.wasm"},
        "/worker": {"module": "worker.wasm", "interface": "wws"},
        "/app": {"spin": "app/spin.toml"},
    }
    hosts = {"shop.example": {"routes": routes | {"/env": env | {"env": {"SITE": "shop"}}}}}
    file = tmp / "site.yaml"
    file.write_text(yaml.safe_dump({**PATIENT, "routes": routes, "hosts": hosts, **more}), encoding="utf-8")
    file.chmod(0o644)
    return file


class _Via(HTTPConnection):
    """From a socket that is connected already."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__("inner.example")
        self.sock = connected


def connect(to: tuple[str, int] | str, own: str | None) -> socket.socket:
    """A connection to an address or to the path of a socket, from another address, or from the path `own`."""
    if isinstance(to, tuple):
        return socket.create_connection(to, timeout=60, source_address=(own or PROXY, 0))
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    if own is not None:
        client.bind(own)
    client.connect(to)
    return client


def ask(to: tuple[str, int] | str, target: str, fields: Fields = (), own: str | None = None) -> Answer:
    """GET. Fields may be repeated."""
    with connect(to, own) as connected:
        connection = _Via(connected)
        connection.putrequest("GET", target, skip_host="Host" in dict(fields), skip_accept_encoding=True)
        for name, value in fields:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Answer(
            status=response.status, reason=response.reason, fields=tuple(response.getheaders()), body=response.read()
        )


def told(to: tuple[str, int] | str, fields: Fields = (), own: str | None = None) -> dict[str, str]:
    """What a CGI program finds in its environment."""
    answer = ask(to, "/env", fields, own)
    assert answer.status == 200
    return variables(answer.text)


def client_of(found: dict[str, str]) -> tuple[str, ...]:
    assert not [name for name in found if "FORWARDED" in name or "REAL_IP" in name]
    names = ("REMOTE_ADDR", "REQUEST_SCHEME", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "SITE")
    return tuple(found[name] for name in names)


BY_X = (CLIENT, "https", "shop.example", "443", "shop.example", "shop")
NOT_TOLD = ("http", "inner.example", "80", "inner.example", "top")


@pytest.fixture(scope="module", params=["gunicorn-gthread", "gunicorn-sync", "serve", "werkzeug"])
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    site = write_site(open_module_tmp, trusted_proxies={"from": [PROXY]})
    with serving(str(request.param), site, open_module_tmp) as running:
        wait_compiled(running.address, "/env", "/http/request", "/worker", "/app/env/x/y")
        yield running


def test_a_trusted_peer_is_believed(server: Server) -> None:
    found = told(server.address, X)
    assert client_of(found) == BY_X
    assert (found["HTTPS"], "REMOTE_PORT" in found) == ("on", False)


def test_a_stranger_is_not(server: Server) -> None:
    found = told(server.address, (*X, ("X-Real-IP", "6.6.6.6")), own=STRANGER)
    assert client_of(found) == (STRANGER, *NOT_TOLD)
    assert "HTTPS" not in found
    assert found["REMOTE_PORT"].isdigit()


def test_the_other_family_is_not_read(server: Server) -> None:
    assert client_of(told(server.address, FORWARDED)) == (PROXY, *NOT_TOLD)
    assert client_of(told(server.address, (*FORWARDED, *X))) == BY_X


def test_fields_that_contradict_each_other(server: Server) -> None:
    """gunicorn itself would refuse them from a peer of this machine."""
    ssl = (("X-Forwarded-Ssl", "off"), ("X-Forwarded-Protocol", "http"))
    assert client_of(told(server.address, (*X, *ssl))) == BY_X
    assert client_of(told(server.address, (("X-Forwarded-Ssl", "on"), ("X-Forwarded-Protocol", "ssl"))))[1] == "http"


@pytest.mark.parametrize("value", ["", " ", ",", "junk", "unknown", "127.0.0.1, junk", "x" * 8000, "1.1.1.1," * 900])
def test_garbage_makes_nobody_of_the_client(server: Server, value: str) -> None:
    """Not the proxy: what that may do, its clients may not."""
    found = told(server.address, (("X-Forwarded-For", value),))
    last = value.rstrip(", ").rpartition(",")[2]
    assert found["REMOTE_ADDR"] == {"": PROXY, "1.1.1.1": "1.1.1.1"}.get(last, "")


def test_a_field_for_each_hop(server: Server) -> None:
    many = [("X-Forwarded-For", f"6.6.6.{number}") for number in range(60)]
    assert (
        told(server.address, [*many, ("X-Forwarded-For", CLIENT), ("X-Forwarded-For", PROXY)])["REMOTE_ADDR"] == CLIENT
    )


@pytest.mark.parametrize("host", ["u:p@shop.example", "shop.example:0", "shop.example:99999", "[::1", "a/b"])
def test_a_forwarded_host_that_is_none(server: Server, host: str) -> None:
    assert ask(server.address, "/env", (("X-Forwarded-Host", host),)).status == 400
    assert told(server.address, (("X-Forwarded-Host", host),), own=STRANGER)["SITE"] == "top"


def test_all_interfaces_are_told_the_same(server: Server) -> None:
    component = ask(server.address, "/http/request", X).text
    assert "scheme 1\nauthority shop.example\n" in component
    assert "forwarded" not in component
    worker = json.loads(ask(server.address, "/worker?x", X).text)
    assert worker["url"] == "https://shop.example/worker?x"
    spin = ask(server.address, "/app/env/x/y", X).text
    assert f"X_CLIENT_ADDR={CLIENT}:0\n" in spin
    assert "X_FULL_URL=https://shop.example/app/env/x/y\n" in spin


def test_the_access_log_has_the_client(server: Server) -> None:
    ask(server.address, "/env?logged", X)
    ask(server.address, "/none?logged", X)
    for target in ("/env?logged", "/none?logged"):
        server.wait_for_log(f"GET {target} ")
        lines = [line for line in server.log().splitlines() if f"GET {target} " in line]
        assert [line.startswith(f"{CLIENT} ") for line in lines] == [True]


def test_forwarded(open_tmp: Path) -> None:
    site = write_site(open_tmp, trusted_proxies={"from": [PROXY], "header": "forwarded"})
    with serving("gunicorn-gthread", site, open_tmp) as server:
        wait_compiled(server.address, "/env")
        found = told(server.address, FORWARDED)
        assert client_of(found) == (CLIENT, "https", "shop.example", "81", "shop.example:81", "shop")
        assert found["REMOTE_PORT"] == "4711"
        # gunicorn believes this peer by default; the other family is not read all the same
        assert client_of(told(server.address, X)) == (PROXY, *NOT_TOLD)
        assert client_of(told(server.address, (*X, *FORWARDED)))[1] == "https"
        two = (("Forwarded", 'for="[::1'), ("Forwarded", f"for={CLIENT};proto=https"))
        assert told(server.address, two)["REMOTE_ADDR"] == CLIENT
        assert told(server.address, (("Forwarded", 'for="[::1]:x"'),))["REMOTE_ADDR"] == ""


@pytest.mark.parametrize("trusted", [["unix"], [PROXY]])
def test_unix_sockets(open_tmp: Path, trusted: list[str]) -> None:
    """gunicorn gives a peer's path for its address, which the peer chooses: here it looks like a proxy's."""
    site, path = write_site(open_tmp, trusted_proxies={"from": trusted}), str(open_tmp / "s")
    with ExitStack() as stack:
        server = stack.enter_context(
            serve("gunicorn-gthread", site, open_tmp, ready="/env", options=("--bind", f"unix:{path}"))
        )
        wait_compiled(server.address, "/env")
        stack.callback(os.chdir, os.getcwd())
        os.chdir(open_tmp)
        for own in (None, PROXY):
            believed = trusted == ["unix"]
            assert client_of(told(path, X, own)) == (BY_X if believed else ("", *NOT_TOLD))
            Path(PROXY).unlink(missing_ok=True)
        assert client_of(told(path)) == ("", *NOT_TOLD)
        assert client_of(told(server.address, X)) == ((PROXY, *NOT_TOLD) if believed else BY_X)


def test_without_the_hooks(open_tmp: Path) -> None:
    """gunicorn has believed its peer by then, and is not heard."""
    site = write_site(open_tmp, trusted_proxies={"from": ["192.0.2.1"]})
    environ = {"WSGI_WASM_CONFIG": str(site), "WSGI_WASM_CACHE": str(open_tmp / "cache")}
    (open_tmp / "cache").mkdir(mode=0o700)
    options = ("--bind", f"unix:{open_tmp / 's'}")
    with start_gunicorn("wsgi_wasm.wsgi:application", open_tmp, env=environ, ready="/env", options=options) as server:
        wait_compiled(server.address, "/env")
        assert client_of(told(server.address, X)) == (PROXY, *NOT_TOLD)
        assert client_of(told(str(open_tmp / "s"), X)) == ("", *NOT_TOLD)


def test_without_the_key_nothing_changes(open_tmp: Path) -> None:
    site = write_site(open_tmp)
    with serving("gunicorn-gthread", site, open_tmp) as server:
        wait_compiled(server.address, "/env")
        for own in (PROXY, STRANGER):
            found = told(server.address, X, own)
            assert (found["REMOTE_ADDR"], found["SITE"], found["SERVER_NAME"]) == (own, "top", "inner.example")
            assert found["HTTP_X_FORWARDED_FOR"] == X[0][1]
            # the one thing that gunicorn takes from its own machine, by its `forwarded_allow_ips`
            assert (found["REQUEST_SCHEME"], found["SERVER_PORT"]) == (
                ("https", "443") if own == PROXY else ("http", "80")
            )


APACHE = """
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
UseCanonicalName CANONICAL
ServerName own.example:8443
"""


@pytest.mark.parametrize("canonical", ["On", "Off"])
def test_under_apache_mod_remoteip_does_it(open_tmp: Path, canonical: str) -> None:
    """The key has no effect there, and says so. Names and ports are Apache's."""
    site, text = write_site(open_tmp, trusted_proxies={"from": [PROXY]}), APACHE.replace("CANONICAL", canonical)
    with serve("mod_wsgi-daemon", site, open_tmp, ready="/env", apache_text=text, modules=("remoteip",)) as server:
        wait_compiled(server.address, "/env")
        server.wait_for_log("trusted_proxies has no effect under Apache: use mod_remoteip")
        found = told(server.address, X)
        assert (found["REMOTE_ADDR"], found["REQUEST_SCHEME"], found["SITE"]) == (CLIENT, "http", "top")
        assert found["HTTP_X_FORWARDED_FOR"] == "6.6.6.6"  # what mod_remoteip has not used
        assert told(server.address, X, own=STRANGER)["REMOTE_ADDR"] == STRANGER
        assert found["SERVER_NAME"] == ("own.example" if canonical == "On" else "inner.example")
        assert found["SERVER_PORT"] == "8443"


MOD_PROXY = """
ProxyPreserveHost On
ProxyPass / http://BACK/
RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}
"""


def test_behind_apaches_mod_proxy(open_tmp: Path) -> None:
    """It writes two of the fields itself, behind what a client has sent, and has to be told to write the third."""
    site = write_site(open_tmp, trusted_proxies={"from": [PROXY]})
    with serving("gunicorn-gthread", site, open_tmp) as server:
        text = MOD_PROXY.replace("BACK", server.url.removeprefix("http://"))
        modules = ("proxy", "proxy_http", "headers")
        with Apache.start(Site(text=text, wsgi=False, modules=modules), open_tmp) as front:
            wait_compiled(front.address, "/env")
            spoofed = [(name, value.replace("shop.example", "evil")) for name, value in X]
            for fields in ([], spoofed):
                found = told(front.address, [("Host", "shop.example"), *fields], own=STRANGER)
                assert client_of(found) == (STRANGER, "http", "shop.example", "80", "shop.example", "shop")
