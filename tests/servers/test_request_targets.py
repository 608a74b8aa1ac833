"""Which host a request is for and which methods reach a guest: the same answers behind every server.

Byte by byte, as clients differ from what their libraries let them say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from guests.build import guest
from guests.printed import variables

from .apache import put
from .client import Answer, Connection, wait_compiled
from .command import serving
from .server import Server

SERVERS = ("gunicorn-gthread", "gunicorn-sync", "mod_wsgi-daemon", "mod_wsgi-embedded", "serve")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    """`/env` says which table of routes answered, in SITE."""
    for name in ("env", "echo"):
        module = open_module_tmp / f"{name}.wasm"
        put(module, guest(name).read_bytes())

    def routes(name: str) -> dict[str, object]:
        return {path: {"module": "env.wasm", "env": {"SITE": name}} for path in ("/", "/env")}

    hosts = {host: {"routes": routes(host)} for host in ("a.example", "t.example")}
    one = routes("top") | {"/few": {"module": "env.wasm", "methods": ["GET"]}, "/echo": {"module": "echo.wasm"}}
    site = open_module_tmp / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": one, "hosts": hosts}), encoding="utf-8")
    site.chmod(0o644)
    with serving(str(request.param), site, open_module_tmp) as running:
        wait_compiled(running.address, "/env", "/echo")
        yield running


def ask(server: Server, request: bytes) -> Answer:
    with Connection(server.address) as connection:
        connection.send(request.replace(b"|", b"\r\n") + b"\r\nConnection: close\r\n\r\n")
        return connection.read_answer()


# the request's first lines; SITE and HTTP_HOST, where case does not count
SERVED = {
    b"GET /env HTTP/1.1|Host: a.example": ("a.example", "a.example"),
    b"GET /env HTTP/1.1|Host: A.EXAMPLE:81": ("a.example", "a.example:81"),
    b"GET /env HTTP/1.1|Host: a.example.": ("a.example", "a.example."),
    b"GET /env HTTP/1.1|Host: [::1]:81": ("top", "[::1]:81"),
    b"GET /env HTTP/1.1|Host: other.example": ("top", "other.example"),
    b"GET /env HTTP/1.0|X-A: no host": ("top", ""),
    b"GET http://t.example/env HTTP/1.1|Host: a.example": ("t.example", "t.example"),
    b"GET HTTP://T.example:81/env HTTP/1.1|Host: a.example": ("t.example", "t.example:81"),
    b"GET http://t.example/env HTTP/1.0|X-A: no host": ("t.example", "t.example"),
    b"GET http://other.example/env HTTP/1.1|Host: a.example": ("top", "other.example"),
    b"GET http://[::1]/env HTTP/1.1|Host: a.example": ("top", "[::1]"),
    b"GET http://t.example HTTP/1.1|Host: a.example": ("t.example", "t.example"),
    b"GET http://t.example?q HTTP/1.1|Host: a.example": ("t.example", "t.example"),
    b"GET //t.example/env HTTP/1.1|Host: a.example": ("a.example", "a.example"),
    b"GET https://a.example/env HTTP/1.1|Host: a.example": ("a.example", "a.example"),
}


@pytest.mark.parametrize("request_head", SERVED, ids=lambda head: head.decode())
def test_c9_the_targets_host_decides(server: Server, request_head: bytes) -> None:
    answer = ask(server, request_head)
    assert answer.status == 200
    found = variables(answer.text)
    assert (found["SITE"], found.get("HTTP_HOST", "").lower()) == SERVED[request_head]
    assert found["REQUEST_URI"].startswith("/"), "in origin-form"
    asked = SERVED[request_head][1]
    if asked:
        assert found["SERVER_NAME"] == asked.removesuffix(":81").rstrip(".")
        assert found["SERVER_PORT"] == ("81" if asked.endswith(":81") else own_port(server))
    else:
        assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("127.0.0.1", str(server.port))


def own_port(server: Server) -> str:
    """The port that is meant where a client names none: Apache tells its own, for others it is the scheme's."""
    return str(server.port) if server.name.startswith("mod_wsgi") else "80"


REFUSED = (
    *(b"Host:", b"Host: a.example|Host: t.example", b"Host: a.example, t.example", b"Host: u@a.example", b"Host: a b"),
    *(b"Host: a.example:x", b"Host: a.example:99999", b"Host: a.example:0", b"Host: [::1", b"Host: [zz]"),
    *(b"Host: a..example", b"Host: a.example/x", b"Host: a%41.example", b"Host: \xff.example", b"X-A: no host"),
)
REFUSED_TARGETS = (
    *(b"http://u:p@t.example/env", b"http://t.example\\@b/env", b"http://t.example:x/env", b"ftp://t.example/env"),
    *(b"/env#fragment", b"http://t.example/env#fragment", b"http:///env", b"env", b"t.example:80", b"http:env"),
)


@pytest.mark.parametrize("field", REFUSED)
def test_c9_a_host_that_is_none_is_400(server: Server, field: bytes) -> None:
    assert ask(server, b"GET /env HTTP/1.1|" + field).status == 400


@pytest.mark.parametrize("target", REFUSED_TARGETS)
def test_c9_a_target_that_is_none_is_400(server: Server, target: bytes) -> None:
    assert ask(server, b"GET " + target + b" HTTP/1.1|Host: a.example").status == 400


def test_c9_https_for_another_host_is_not_served_by_its_routes(server: Server) -> None:
    """httpd chooses the virtual host by `Host` then, and so its access rules."""
    assert ask(server, b"GET https://t.example/env HTTP/1.1|Host: a.example").status == 400


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"TRACK"])
def test_c10_methods_that_never_reach_a_guest(server: Server, method: bytes) -> None:
    for path in (b"/env", b"/few", b"/", b"/none/at/all"):
        if method == b"CONNECT" and server.name.startswith("mod_wsgi"):
            path = b"a.example:443"  # httpd takes no other form
        answer = ask(server, method + b" " + path + b" HTTP/1.1|Host: a.example|X-Secret: 1")
        assert answer.status == 405, path
        assert b"X-Secret" not in answer.body
        assert method.decode() not in (answer.field("Allow") or "").split(", ")
        assert answer.field("Allow") is not None  # httpd names none for TRACE


def test_c10_connect_in_its_own_form(server: Server) -> None:
    assert ask(server, b"CONNECT a.example:443 HTTP/1.1|Host: a.example:443").status == 405


def test_c10_lower_case_is_another_method_and_no_way_around(server: Server) -> None:
    """gunicorn refuses such methods, httpd knows them no more than it knows any other."""
    assert ask(server, b"trace /env HTTP/1.1|Host: a.example").status in (400, 405)


def test_c10_options_for_the_server_as_a_whole(server: Server) -> None:
    for target in (b"*", b"http://a.example"):
        answer = ask(server, b"OPTIONS " + target + b" HTTP/1.1|Host: a.example")
        assert (answer.status, answer.body) == (200, b"")


def test_c10_unknown_methods_are_the_guests(server: Server) -> None:
    answer = ask(server, b"PROPFIND /env HTTP/1.1|Host: a.example")
    assert (answer.status, variables(answer.text)["REQUEST_METHOD"]) == (200, "PROPFIND")


def test_c8_twins_of_fields_are_nobodys(server: Server) -> None:
    """Names with underscores would become the variable of their twin with dashes."""
    twins = {
        *(b"X_Forwarded_For: evil", b"X_FORWARDED_HOST: evil", b"X_Forwarded_Proto: evil", b"Content_Length: 5"),
        *(b"Content_Type: evil", b"Script_Name: /evil", b"PATH_INFO: /evil", b"Remote_User: evil", b"X_New: evil"),
        *(b"Transfer_Encoding: chunked", b"HTTP_HOST: evil", b"REMOTE_ADDR: evil", b"Forwarded_: evil"),
    }
    answer = ask(
        server, b"GET /env/info HTTP/1.1|Host: a.example|X-Forwarded-For: 192.0.2.1|" + b"|".join(sorted(twins))
    )
    found = variables(answer.text)
    assert answer.status == 200
    assert [item for item in found.items() if "evil" in item[1]] == []
    assert found["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/env", "/info")
    assert not found.keys() & {"CONTENT_LENGTH", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_X_NEW"}
