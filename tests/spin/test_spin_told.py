"""What a component is told of its request, as data: where the application begins, and the `spin-*` headers."""

from __future__ import annotations

from typing import Any

import pytest

from wsgi_wasm.cgi.query import wagi_arguments
from wsgi_wasm.spin.model import Trigger
from wsgi_wasm.spin.patterns import PatternTable
from wsgi_wasm.spin.request import facts, target_of, with_headers, with_variables


@pytest.mark.parametrize(
    ("environ", "script_name", "path_info", "target"),
    [
        ({"REQUEST_URI": "/a/b?c=d", "QUERY_STRING": "c=d"}, "", "/a/b", ("", "/a/b", "c=d")),
        ({"RAW_URI": "/a/b"}, "/a", "/b", ("/a", "/b", "")),
        ({"REQUEST_URI": "/a"}, "/a", "", ("/a", "/", "")),
        ({"REQUEST_URI": "/a/"}, "/a", "/", ("/a", "/", "")),
        ({"REQUEST_URI": "/a%20b/%2e%2e/c%2Fd"}, "/a b", "/../c/d", ("/a%20b", "/%2e%2e/c%2Fd", "")),
        ({"REQUEST_URI": "http://host/a/b?x"}, "/a", "/b", ("/a", "/b", "")),
        ({"REQUEST_URI": "/rewritten"}, "/a", "/b c", ("/a", "/b%20c", "")),
        ({}, "/a", "/\xc3\xa4", ("/a", "/%C3%A4", "")),
        ({"REQUEST_URI": "//a/b"}, "/a", "/b", ("/a", "/b", "")),
        ({"REQUEST_URI": "/a%2Fb/c"}, "/a/b", "/c", ("/a/b", "/c", "")),
        ({"REQUEST_URI": "*"}, "", "", ("", "/", "")),
    ],
)
def test_where_the_application_begins(
    environ: dict[str, Any], script_name: str, path_info: str, target: tuple[str, str, str]
) -> None:
    assert tuple(target_of(environ, script_name, path_info)) == target


def trigger(route: str) -> Trigger:
    return Trigger(id="t", route=route, component="c", response=None, wagi=None)


ENVIRON = {
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/base/path/end/rest?key=value",
    "QUERY_STRING": "key=value",
    "HTTP_HOST": "example.com:3000",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321",
    "wsgi.url_scheme": "https",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "8000",
    "HTTP_SPIN_PATH_INFO": "spoofed",
    "HTTP_SPIN_ANYTHING": "spoofed",
    "HTTP_X_SPIN": "kept",
}


def told(route: str, mount: str, base: str = "", **changed: str) -> dict[str, Any]:
    environ = {**ENVIRON, "REQUEST_URI": mount + ENVIRON["REQUEST_URI"], **changed}
    target = target_of(environ, mount, "/base/path/end/rest")
    found = PatternTable([(route, trigger(route))], base).match(target.path)
    assert found is not None
    return with_headers(environ, target, found)


def headers(environ: dict[str, Any]) -> dict[str, str]:
    return {key[5:].lower().replace("_", "-"): value for key, value in environ.items() if "SPIN_" in key}


def test_the_headers_of_the_conformance_test() -> None:
    """Its request, and each header exactly once."""
    environ = told("/base/:path_segment/:path_end/...", "")
    assert headers(environ) == {
        "spin-path-info": "/rest",
        "spin-full-url": "https://example.com:3000/base/path/end/rest?key=value",
        "spin-matched-route": "/base/:path_segment/:path_end/...",
        "spin-base-path": "/",
        "spin-raw-component-route": "/base/:path_segment/:path_end/...",
        "spin-component-route": "/base/:path_segment/:path_end",
        "spin-client-addr": "127.0.0.1:54321",
        "spin-path-match-path-segment": "path",
        "spin-path-match-path-end": "end",
    }
    assert environ["HTTP_X_SPIN"] == "kept"
    assert environ["REQUEST_URI"] == "/base/path/end/rest?key=value"


def test_below_a_path_of_the_site() -> None:
    """The component sees the application's own path, and learns where it is mounted."""
    environ = told("/base/...", "/shop")
    assert environ["REQUEST_URI"] == "/base/path/end/rest?key=value"
    found = headers(environ)
    assert found["spin-full-url"] == "https://example.com:3000/shop/base/path/end/rest?key=value"
    assert found["spin-base-path"] == "/shop"
    assert found["spin-matched-route"] == "/shop/base/..."
    assert found["spin-raw-component-route"] == "/base/..."
    assert found["spin-component-route"] == "/base"
    assert found["spin-path-info"] == "/path/end/rest"


@pytest.mark.parametrize("mount", ["", "/shop"])
def test_an_application_with_a_base(mount: str) -> None:
    """The component sees it in its paths, and as part of the base path; its own route is without it."""
    environ = told("/path/...", mount, base="/base")
    assert environ["REQUEST_URI"] == "/base/path/end/rest?key=value"
    found = headers(environ)
    assert found["spin-full-url"] == f"https://example.com:3000{mount}/base/path/end/rest?key=value"
    assert found["spin-base-path"] == f"{mount}/base"
    assert found["spin-matched-route"] == f"{mount}/base/path/..."
    assert found["spin-raw-component-route"] == "/path/..."
    assert found["spin-component-route"] == "/path"
    assert found["spin-path-info"] == "/end/rest"


def test_a_client_at_an_ipv6_address_and_no_host() -> None:
    found = headers(told("/...", "", REMOTE_ADDR="::1", HTTP_HOST=""))
    assert found["spin-client-addr"] == "[::1]:54321"
    assert found["spin-full-url"].startswith("https://localhost:8000/")


def test_variables_say_the_same() -> None:
    target = target_of(ENVIRON, "", "/base/path/end/rest")
    found = PatternTable([("/base/:n/...", trigger("/base/:n/..."))]).match(target.path)
    assert found is not None
    environ = with_variables({**ENVIRON, "X_PATH_MATCH_OLD": "x"}, target, found)
    variables = {key: value for key, value in environ.items() if key.startswith("X_")}
    assert variables == {
        **{f"X_{name}": value for name, value in facts(ENVIRON, target, found) if name != "PATH_INFO"},
        "X_RAW_PATH_INFO": "/end/rest",
    }
    assert variables["X_PATH_MATCH_N"] == "path"
    assert not [key for key in environ if "SPIN_" in key]
    assert target.split(found.rest) == ("/base/path", "/end/rest")


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("${SCRIPT_NAME} ${ARGS}", ["/a%20b", "x=1", "y", "z%20z"]),
        ("php -q", ["php", "-q"]),
        ("app ${ARGS} fixed", ["app", "x=1", "y", "z%20z", "fixed"]),
        ("", []),
    ],
)
def test_arguments(template: str, arguments: list[str]) -> None:
    assert wagi_arguments(template, "/a%20b", "x=1&y&z%20z") == tuple(word.encode() for word in arguments)
