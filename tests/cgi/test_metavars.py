"""Meta-variables as data: from what a server says to what a guest sees."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_environs import BARE, GUNICORN, MOD_WSGI, SERVERS, WERKZEUG

from wsgi_wasm.cgi import names, passing
from wsgi_wasm.cgi.metavars import MetaVariables
from wsgi_wasm.errors import BadRequest

ALWAYS = [
    *("GATEWAY_INTERFACE", "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REQUEST_ID"),
    *("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "REQUEST_URI", "REQUEST_SCHEME"),
    "REDIRECT_STATUS",
]


def built(environ: dict[str, Any], route: dict[str, Any] | None = None, **request: Any) -> dict[str, str]:
    """The guest's environment as a dict of WSGI strings."""
    usual: dict[str, Any] = {"script_name": "/hello", "path_info": "", "request_id": "r1", "content_length": None}
    variables = MetaVariables(**route or {}).build(environ, **usual | request)
    pairs = [variable.decode("latin-1").split("=", 1) for variable in variables]
    assert len({name for name, _ in pairs}) == len(pairs), "a name appears twice"
    return dict(pairs)


# name: environ beyond BARE, settings of the route, properties of the request -> variables; None: must not be there.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, str | None]]] = {
    "path info empty": ({}, {}, {}, {"PATH_INFO": "", "QUERY_STRING": "", "PATH_TRANSLATED": None}),
    "paths are the caller's": (
        {"SCRIPT_NAME": "/mount", "PATH_INFO": "/hello/x"}, {}, {"script_name": "/mount/hello", "path_info": "/x"},
        {"SCRIPT_NAME": "/mount/hello", "PATH_INFO": "/x"},
    ),
    "paths that are not UTF-8": ({}, {}, {"path_info": "/\xff\xe9"}, {"PATH_INFO": "/\xff\xe9"}),
    "paths with a line end": ({}, {}, {"path_info": "/a\nb"}, {"PATH_INFO": "/a\nb", "REQUEST_URI": "/hello/a%0Ab"}),
    "script's file": ({}, {}, {"script_filename": "/\u00e9\udcff.py"}, {"SCRIPT_FILENAME": "/\xc3\xa9\xff.py"}),
    "nothing mapped": (
        {"SCRIPT_FILENAME": "/srv/x", "DOCUMENT_ROOT": "/srv", "PATH_TRANSLATED": "/srv/x"}, {}, {"path_info": "/x"},
        {"SCRIPT_FILENAME": None, "DOCUMENT_ROOT": None, "PATH_TRANSLATED": None},
    ),
    "document root": (
        {"DOCUMENT_ROOT": "/srv"}, {"document_root": "/www"}, {"path_info": "/x/y"},
        {"DOCUMENT_ROOT": "/www", "PATH_TRANSLATED": "/www/x/y"},
    ),
    "document root is the root": ({}, {"document_root": "/"}, {"path_info": "/x"}, {"PATH_TRANSLATED": "/x"}),
    "document root without path info": ({}, {"document_root": "/www"}, {}, {"PATH_TRANSLATED": None}),
    "path info climbs": ({}, {"document_root": "/www"}, {"path_info": "/a/.."}, {"PATH_TRANSLATED": None}),
    "path info with dots": ({}, {"document_root": "/w"}, {"path_info": "/a../..b"}, {"PATH_TRANSLATED": "/w/a../..b"}),
    "no body": (
        {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3"}, {}, {}, {"CONTENT_TYPE": None, "CONTENT_LENGTH": None},
    ),
    "body": (
        {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3"}, {}, {"content_length": 3},
        {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "3"},
    ),
    "chunked body": (
        {"HTTP_TRANSFER_ENCODING": "chunked"}, {}, {"content_length": 7},
        {"CONTENT_LENGTH": "7", "CONTENT_TYPE": None, "HTTP_TRANSFER_ENCODING": None},
    ),
    "empty body": ({"CONTENT_TYPE": ""}, {}, {"content_length": 0}, {"CONTENT_LENGTH": "0", "CONTENT_TYPE": None}),
    "underscore twin of the length": (
        {"HTTP_CONTENT_LENGTH": "5", "HTTP_CONTENT_TYPE": "x"}, {"pass_headers": ["Content-Length", "Content-Type"]},
        {"content_length": 3}, {"CONTENT_LENGTH": "3", "HTTP_CONTENT_LENGTH": None, "HTTP_CONTENT_TYPE": None},
    ),
    "other spellings of a header": (
        {"HTTP_X_A": "1", "HTTP_X-A": "2", "HTTP_x_a": "3", "http_x_a": "4", "HTTP_": "5", "HTTP_X A": "6"}, {}, {},
        {"HTTP_X_A": "1", "HTTP_X-A": None, "HTTP_x_a": None, "http_x_a": None, "HTTP_": None, "HTTP_X A": None},
    ),
    "httpoxy": (
        {"HTTP_PROXY": "http://evil/"}, {"pass_headers": ["Proxy"], "pass_env": ["*"]}, {}, {"HTTP_PROXY": None},
    ),
    "credentials": (
        {"HTTP_AUTHORIZATION": "Basic x", "HTTP_PROXY_AUTHORIZATION": "Basic y"}, {}, {},
        {"HTTP_AUTHORIZATION": None, "HTTP_PROXY_AUTHORIZATION": None},
    ),
    "credentials asked for": (
        {"HTTP_AUTHORIZATION": "Basic x", "HTTP_PROXY_AUTHORIZATION": "Basic y"}, {"pass_authorization": True}, {},
        {"HTTP_AUTHORIZATION": "Basic x", "HTTP_PROXY_AUTHORIZATION": None},
    ),
    "credentials by name": (
        {"HTTP_AUTHORIZATION": "Basic x", "HTTP_PROXY_AUTHORIZATION": "Basic y"},
        {"pass_headers": ["authorization", "Proxy-Authorization"]}, {},
        {"HTTP_AUTHORIZATION": "Basic x", "HTTP_PROXY_AUTHORIZATION": "Basic y"},
    ),
    "connection-level headers": (
        {"HTTP_CONNECTION": "close", "HTTP_KEEP_ALIVE": "5", "HTTP_TE": "trailers", "HTTP_TRAILER": "X",
         "HTTP_UPGRADE": "h2c", "HTTP_PROXY_CONNECTION": "close", "HTTP_HTTP2_SETTINGS": "x", "HTTP_X_TE": "1"}, {}, {},
        {"HTTP_CONNECTION": None, "HTTP_KEEP_ALIVE": None, "HTTP_TE": None, "HTTP_TRAILER": None, "HTTP_UPGRADE": None,
         "HTTP_PROXY_CONNECTION": None, "HTTP_HTTP2_SETTINGS": None, "HTTP_X_TE": "1"},
    ),
    "headers that Connection names": (
        {"HTTP_CONNECTION": "close, X-Hop ,x-other", "HTTP_X_HOP": "1", "HTTP_X_OTHER": "2", "HTTP_X_HOPS": "3"},
        {}, {},
        {"HTTP_X_HOP": None, "HTTP_X_OTHER": None, "HTTP_X_HOPS": "3"},
    ),
    "headers that Connection may not name": (
        {"HTTP_CONNECTION": "Host, Cookie, X-Forwarded-For, X-User", "HTTP_HOST": "h", "HTTP_COOKIE": "c",
         "HTTP_X_FORWARDED_FOR": "f", "HTTP_X_USER": "u"}, {"pass_headers": ["X-User"]}, {},
        {"HTTP_HOST": "h", "HTTP_COOKIE": "c", "HTTP_X_FORWARDED_FOR": "f", "HTTP_X_USER": "u"},
    ),
    "joined cookies": ({"HTTP_COOKIE": "a=1,b=2"}, {}, {}, {"HTTP_COOKIE": "a=1,b=2"}),
    "empty header": ({"HTTP_X_A": ""}, {}, {}, {"HTTP_X_A": ""}),
    "header that is not UTF-8": ({"HTTP_X_A": "\xe9"}, {}, {}, {"HTTP_X_A": "\xe9"}),
    "header that a server decoded": ({"HTTP_X_A": "\u20ac"}, {}, {}, {"HTTP_X_A": "\xe2\x82\xac"}),
    "header with surrogate escapes": ({"HTTP_X_A": "\u20ac\udcff"}, {}, {}, {"HTTP_X_A": "\xe2\x82\xac\xff"}),
    "https": ({"wsgi.url_scheme": "https"}, {}, {}, {"HTTPS": "on", "REQUEST_SCHEME": "https"}),
    "http": ({"HTTPS": "off"}, {}, {}, {"HTTPS": None, "REQUEST_SCHEME": "http"}),
    "a Unix socket": (
        {"REMOTE_ADDR": "", "SERVER_PORT": "", "wsgi.url_scheme": "https"}, {}, {},
        {"REMOTE_ADDR": "", "SERVER_PORT": "443"},
    ),
    "a port from a bad Host": ({"SERVER_PORT": "x:y"}, {}, {}, {"SERVER_PORT": "80"}),
    "who the server is": ({}, {"software": "wsgi_wasm/1"}, {}, {"SERVER_SOFTWARE": "wsgi_wasm/1"}),
    "who the server says it is": ({"SERVER_SOFTWARE": "s/1"}, {"software": "x"}, {}, {"SERVER_SOFTWARE": "s/1"}),
    "what a server may know": (
        {"REMOTE_USER": "ann", "AUTH_TYPE": "Basic", "SERVER_ADDR": "::1", "REMOTE_HOST": "", "REMOTE_IDENT": "i"},
        {}, {},
        {"REMOTE_USER": "ann", "AUTH_TYPE": "Basic", "SERVER_ADDR": "::1", "REMOTE_HOST": None, "REMOTE_IDENT": "i"},
    ),
    "request URI from the server": ({"REQUEST_URI": "/a%2fb?c", "RAW_URI": "/x"}, {}, {}, {"REQUEST_URI": "/a%2fb?c"}),
    "request URI in absolute form": ({"RAW_URI": "HTTP://u@h:1/a?b#c"}, {}, {}, {"REQUEST_URI": "/a?b#c"}),
    "request URI without a path": ({"RAW_URI": "http://h?b=/c"}, {}, {}, {"REQUEST_URI": "/?b=/c"}),
    "request URI that has a URL in it": ({"RAW_URI": "/x?u=http://h/"}, {}, {}, {"REQUEST_URI": "/x?u=http://h/"}),
    "request URI of OPTIONS": ({"RAW_URI": "*"}, {}, {}, {"REQUEST_URI": "*"}),
    "request URI put together": (
        {"QUERY_STRING": "a=%20&b"}, {}, {"path_info": "/x y?\xe9%~(1)"},
        {"REQUEST_URI": "/hello/x%20y%3F%E9%25~(1)?a=%20&b"},
    ),
    "request URI of nothing": ({}, {}, {"script_name": "", "path_info": ""}, {"REQUEST_URI": "/"}),
    "configured": ({}, {"env": {"A": "1\n2", "B": "\u20ac"}}, {}, {"A": "1\n2", "B": "\xe2\x82\xac"}),
    "nothing else passes": (
        {"PATH": "/bin", "SECRET": "s", "SSL_X": "1"}, {}, {}, {"PATH": None, "SECRET": None, "SSL_X": None},
    ),
    "passed by name and pattern": (
        {"SSL_X": "1", "SSL_Y": "2", "PLACE": "p", "place": "q", "OTHER": "o"}, {"pass_env": ["SSL_*", "PLACE"]}, {},
        {"SSL_X": "1", "SSL_Y": "2", "PLACE": "p", "place": None, "OTHER": None},
    ),
    "passed ones never take a reserved name": (
        {"HTTP_X-A": "x", "REQUEST_METHOD": "GET", "REDIRECT_STATUS": "404", "REMOTE_SECRET": "s", "wsgi.input": "i",
         "a.b": "c", "MORE": "m", "": "e", "A=B": "x"},
        {"pass_env": ["*"]}, {},
        {"HTTP_X-A": None, "REDIRECT_STATUS": "404", "REMOTE_SECRET": None, "wsgi.input": None, "a.b": None,
         "MORE": "m", "": None, "A": None},
    ),
    "configured wins over passed": ({"A": "server"}, {"env": {"A": "route"}, "pass_env": ["A"]}, {}, {"A": "route"}),
    "passed ones must be text": (
        {"A": 1, "B": None, "C": b"x"}, {"pass_env": ["*"]}, {}, {"A": None, "B": None, "C": None},
    ),
    "a redirect within the server": (
        {"REDIRECT_STATUS": "404", "REDIRECT_URL": "/a", "REDIRECT_QUERY_STRING": "b", "REDIRECT_ERROR_NOTES": "c",
         "REDIRECT_REMOTE_USER": "ann", "REDIRECT_REQUEST_METHOD": "POST", "REDIRECT_HTTP_X_A": "d",
         "REDIRECT_REDIRECT_STATUS": "200", "REDIRECT_REDIRECT_HTTP_X_A": "e"}, {}, {},
        {"REDIRECT_STATUS": "404", "REDIRECT_URL": "/a", "REDIRECT_QUERY_STRING": "b", "REDIRECT_ERROR_NOTES": "c",
         "REDIRECT_REMOTE_USER": "ann", "REDIRECT_REQUEST_METHOD": "POST", "REDIRECT_HTTP_X_A": "d",
         "REDIRECT_REDIRECT_STATUS": "200", "REDIRECT_REDIRECT_HTTP_X_A": "e", "REMOTE_USER": None},
    ),
    "what a redirect does not bring in": (
        {"REDIRECT_HTTP_PROXY": "p", "REDIRECT_HTTP_AUTHORIZATION": "a", "REDIRECT_REDIRECT_HTTP_AUTHORIZATION": "a",
         "REDIRECT_HTTP_TRANSFER_ENCODING": "t", "REDIRECT_DOCUMENT_ROOT": "/srv", "REDIRECT_SCRIPT_FILENAME": "/srv/x",
         "REDIRECT_PATH": "/bin", "REDIRECT_SECRET": "s", "REDIRECT_SSL_X": "1", "REDIRECT_mod_wsgi.magic": "m",
         "REDIRECT_": "x"},
        {"pass_env": ["SSL_Y"]}, {},
        {"REDIRECT_HTTP_PROXY": None, "REDIRECT_HTTP_AUTHORIZATION": None, "REDIRECT_REDIRECT_HTTP_AUTHORIZATION": None,
         "REDIRECT_HTTP_TRANSFER_ENCODING": None, "REDIRECT_DOCUMENT_ROOT": None, "REDIRECT_SCRIPT_FILENAME": None,
         "REDIRECT_PATH": None, "REDIRECT_SECRET": None, "REDIRECT_SSL_X": None, "REDIRECT_mod_wsgi.magic": None,
         "REDIRECT_": None},
    ),
    "a redirect, and all is passed": (
        {"REDIRECT_A": "1", "REDIRECT_HTTP_AUTHORIZATION": "a", "REDIRECT_DOCUMENT_ROOT": "/srv"},
        {"pass_env": ["*"]}, {},
        {"REDIRECT_A": "1", "REDIRECT_HTTP_AUTHORIZATION": None, "REDIRECT_DOCUMENT_ROOT": None},
    ),
    "a redirect, asked for by the first name": (
        {"REDIRECT_A": "1", "REDIRECT_B": "2", "REDIRECT_HTTP_AUTHORIZATION": "a", "REDIRECT_REDIRECT_A": "3"},
        {"pass_env": ["A"], "pass_authorization": True}, {},
        {"REDIRECT_A": "1", "REDIRECT_B": None, "REDIRECT_HTTP_AUTHORIZATION": "a", "REDIRECT_REDIRECT_A": "3"},
    ),
    "a redirect, asked for by the last name": (
        {"REDIRECT_A": "1", "REDIRECT_HTTP_AUTHORIZATION": "a", "A": "2"}, {"pass_env": ["REDIRECT_*"]}, {},
        {"REDIRECT_A": "1", "REDIRECT_HTTP_AUTHORIZATION": "a", "A": None},
    ),
    "a redirect, configured": (
        {"REDIRECT_URL": "/server"}, {"env": {"REDIRECT_URL": "/route"}}, {}, {"REDIRECT_URL": "/route"},
    ),
    "a redirect, and headers that Connection names": (
        {"HTTP_CONNECTION": "X-Hop", "REDIRECT_HTTP_X_HOP": "1"}, {}, {}, {"REDIRECT_HTTP_X_HOP": None},
    ),
    "a status that is none": (
        {"REDIRECT_STATUS": "4040", "HTTP_REDIRECT_STATUS": "404"}, {}, {},
        {"REDIRECT_STATUS": "200", "HTTP_REDIRECT_STATUS": "404"},
    ),
    "a certificate has lines": ({"SSL_CERT": "a\nb\r\n"}, {"pass_env": ["SSL_*"]}, {}, {"SSL_CERT": "a\nb\r\n"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_variables(case: str) -> None:
    environ, route, request, variables = CASES[case]
    got = built(BARE | environ, route, **request)
    assert {name: got.get(name) for name in variables} == variables


@pytest.mark.parametrize("environ", [*SERVERS.values(), BARE], ids=[*SERVERS, "bare"])
def test_always_set(environ: dict[str, Any]) -> None:
    got = built(environ)
    assert [name for name in ALWAYS if name not in got] == []
    assert got["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert got["REDIRECT_STATUS"] == environ.get("REDIRECT_STATUS", "200")
    assert got["REQUEST_ID"] == "r1"


def test_under_gunicorn() -> None:
    assert built(GUNICORN, path_info="//x y") == {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REDIRECT_STATUS": "200",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/hello",
        "PATH_INFO": "//x y",
        "QUERY_STRING": "a=b&c=%2f",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "gunicorn/27.0.1",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "REQUEST_URI": "/hello//x%20y?a=b&c=%2f",
        "REQUEST_SCHEME": "http",
        "REQUEST_ID": "r1",
        "HTTP_HOST": "www.example:8000",
        "HTTP_USER_AGENT": "curl/8",
        "HTTP_ACCEPT": "*/*",
    }


def test_under_mod_wsgi() -> None:
    route = {"pass_env": ["SSL_*", "REDIRECT_*", "SERVER_ADMIN"], "document_root": "/www"}
    assert built(MOD_WSGI, route, path_info="/x y", script_filename="/cgi/hello.wasm") == {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REDIRECT_STATUS": "404",
        "DOCUMENT_ROOT": "/www",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/hello",
        "SCRIPT_FILENAME": "/cgi/hello.wasm",
        "PATH_INFO": "/x y",
        "PATH_TRANSLATED": "/www/x y",
        "QUERY_STRING": "",
        "SERVER_NAME": "www.example",
        "SERVER_ADDR": "192.0.2.1",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "Apache/2.4.68 (Debian)",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "REMOTE_USER": "ann",
        "AUTH_TYPE": "Basic",
        "REQUEST_URI": "//hello//x%20y",
        "REQUEST_SCHEME": "https",
        "REQUEST_ID": "r1",
        "HTTPS": "on",
        "HTTP_HOST": "www.example",
        "SSL_TLS_SNI": "www.example",
        "SSL_CLIENT_CERT": MOD_WSGI["SSL_CLIENT_CERT"],
        "REDIRECT_HANDLER": "cgi",
        "SERVER_ADMIN": "admin@www.example",
    }


def test_under_werkzeug() -> None:
    got = built(WERKZEUG)
    assert got["REMOTE_PORT"] == "40000"
    assert got["REQUEST_URI"] == "/hello"


@pytest.mark.parametrize(
    ("environ", "request_parts", "name"),
    [
        ({"HTTP_X_A": "a\0b"}, {}, "HTTP_X_A"),
        ({"HTTP_X_A": "\u20ac\0"}, {}, "HTTP_X_A"),
        ({"QUERY_STRING": "\0"}, {}, "QUERY_STRING"),
        ({}, {"path_info": "/a\0b"}, "PATH_INFO"),
        ({}, {"script_name": "/\0"}, "SCRIPT_NAME"),
        ({"HTTP_X_A": "a\nB: c"}, {}, "HTTP_X_A"),
        ({"HTTP_X_A": "a\rb"}, {}, "HTTP_X_A"),
        ({"CONTENT_TYPE": "a\nb"}, {"content_length": 1}, "CONTENT_TYPE"),
    ],
)
def test_values_that_no_guest_gets(environ: dict[str, Any], request_parts: dict[str, Any], name: str) -> None:
    with pytest.raises(BadRequest, match=f"in {name}$"):
        built(BARE | environ, **request_parts)


def test_a_value_that_stands_for_no_bytes() -> None:
    with pytest.raises(BadRequest, match="cannot be encoded as bytes"):
        built(BARE | {"HTTP_X_A": "\ud800"})


def test_what_is_remembered_of_clients_is_bounded() -> None:
    route = MetaVariables(pass_env=["BOUNDED"])
    for number in range(3000):
        environ = BARE | {f"HTTP_X_{number}": "1", "HTTP_" + "Y" * 100 + str(number): "2"}
        variables = route.build(environ, script_name="", path_info="", request_id="", content_length=None)
        assert f"HTTP_X_{number}=1".encode() in variables
    assert len(route._prefixes) == passing.REMEMBERED_KEYS
    assert max(map(len, route._prefixes)) <= passing.REMEMBERED_LENGTH


def test_one_routes_rules_are_not_anothers() -> None:
    environ = BARE | {"HTTP_AUTHORIZATION": "x", "A": "server"}
    for _ in range(2):
        assert "HTTP_AUTHORIZATION" not in built(environ)
        assert built(environ, {"pass_authorization": True})["HTTP_AUTHORIZATION"] == "x"
        assert "A" not in built(environ)
        assert built(environ, {"pass_env": ["A"]})["A"] == "server"
        assert built(environ, {"pass_env": ["A"], "env": {"A": "route"}})["A"] == "route"


@pytest.mark.parametrize("name", [*ALWAYS, "HTTPS", "HTTP_X", "HTTP_*", "SCRIPT_FILENAME", "REMOTE_X", "CONTENT_TYPE"])
def test_reserved(name: str) -> None:
    assert names.is_reserved(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "http_proxy", "SSL_*", "REDIRECT_URL", "SERVER_ADMIN", "*"])
def test_not_reserved(name: str) -> None:
    assert not names.is_reserved(name)


@pytest.mark.parametrize("environ", SERVERS.values(), ids=SERVERS)
def test_no_setting_can_name_what_the_request_decides(environ: dict[str, Any]) -> None:
    """Every variable that is there without settings is reserved, so that `env` can't put a second one beside it; of
    those of a redirect, one from `env` takes the place."""
    got = built(environ, {"document_root": "/"}, path_info="/x", script_filename="/x", content_length=1)
    assert [name for name in got if not (names.is_reserved(name) or name.startswith("REDIRECT_"))] == []


text = st.text(st.characters(max_codepoint=255), max_size=20)
keys = st.sampled_from(
    sorted({*MOD_WSGI, *GUNICORN, "HTTP_CONNECTION", "HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_X_A"})
)
environs = st.dictionaries(keys | text.map("HTTP_".__add__) | text, text, max_size=12)


@settings(derandomize=True, deadline=None, database=None, max_examples=500)
@given(environ=environs, script_name=text, path_info=text, pass_env=st.sampled_from([(), ("*",), ("SSL_*", "HTTP_*")]))
def test_any_environ(environ: dict[str, str], script_name: str, path_info: str, pass_env: tuple[str, ...]) -> None:
    route = MetaVariables(env={"OWN": "own"}, pass_env=pass_env)
    try:
        variables = route.build(
            environ, script_name=script_name, path_info=path_info, request_id="r1", content_length=None
        )
    except BadRequest:
        return
    pairs = [variable.decode("latin-1").split("=", 1) for variable in variables]
    got = dict(pairs)
    assert len(got) == len(pairs)
    for name, value in pairs:
        assert re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
        assert "\0" not in value
    assert got["SCRIPT_NAME"] == script_name
    assert got["PATH_INFO"] == path_info
    assert got["OWN"] == "own"
    assert re.fullmatch("[0-9]{3}", got["REDIRECT_STATUS"])
    assert got["REQUEST_ID"] == "r1"
    assert not {"HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_CONNECTION", "CONTENT_TYPE", "DOCUMENT_ROOT"} & got.keys()
    assert all(value == environ[name] for name, value in pairs if name.startswith("HTTP_"))
