"""Which host a request is for, as a table: target and `Host`, what a guest is told, or why there is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_wasm.cgi.target import host_asked, host_variables, normal_host, split_target
from wsgi_wasm.errors import BadRequest

# target, `Host`; HTTP_HOST, SERVER_NAME and SERVER_PORT then, where the server says "server" and "8000"
NAMED = [
    ("/p", "a.example", ("a.example", "a.example", "80")),
    ("/p", "A.Example:99", ("A.Example:99", "a.example", "99")),
    ("/p", "a_b.example", ("a_b.example", "a_b.example", "80")),
    ("/p", "a.example.", ("a.example.", "a.example", "80")),
    ("/p", "[::1]:8443", ("[::1]:8443", "[::1]", "8443")),
    ("/p", "[::1]", ("[::1]", "[::1]", "80")),
    ("/p", "10.0.0.1:1", ("10.0.0.1:1", "10.0.0.1", "1")),
    ("/p", "a.example:0081", ("a.example:0081", "a.example", "81")),
    ("*", "a.example", ("a.example", "a.example", "80")),
    ("//t.example/p", "a.example", ("a.example", "a.example", "80")),
    ("/x://t.example/p", "a.example", ("a.example", "a.example", "80")),
    ("/p?u=http://t.example/", "a.example", ("a.example", "a.example", "80")),
    ("/p\\..\\x", "a.example", ("a.example", "a.example", "80")),
    ("http://t.example/p", "a.example", ("t.example", "t.example", "80")),
    ("HTTP://T.example:81/p", "a.example", ("T.example:81", "t.example", "81")),
    ("http://t.example?q", "a.example", ("t.example", "t.example", "80")),
    ("http://[::1]:81/p", "a.example", ("[::1]:81", "[::1]", "81")),
    ("http://a.example/p", "A.EXAMPLE", ("A.EXAMPLE", "a.example", "80")),
    ("http://a.example:81/p", "a.example", ("a.example:81", "a.example", "81")),
    ("https://a.example/p", "a.example", ("a.example", "a.example", "80")),
]

HOSTS_REFUSED = (
    *("", " ", ",", "a,b", "a.example, b.example", "u@a.example", "u:p@a.example", "a b", "a\tb", "a/b", "a?b", "a#b"),
    *("a..example", ".example", ".", "a%41.example", "a~b", "\xff.example", "a\\b", "<a>", "a;b", "a\0b", "a\nb"),
    *(":80", "a:", "a:0", "a:port", "a:99999", "a:080000", "a:-1", "a:+1", "a:1:2", "a:\u0661", "a.example:80 "),
    *("[::1", "::1", "[]", "[zz]", "[::1]x", "[1:2]", "[::1]:", "[::1%25eth0]", "[v1.x]", "a" * 1025, "a." * 600),
)

TARGETS_REFUSED = (
    *(
        "p",
        "t.example:80",
        "",
        "http:/p",
        "http:p",
        "http://",
        "http:///p",
        "http://?q",
        "ftp://t.example/p",
        "x://t/p",
    ),
    *("http://u@t.example/p", "http://u:p@t.example/p", "http://t.example\\@b/p", "http://t.example:x/p"),
    *("http://t.example:99999/p", "http://a b/p", "http://a,b/p", "/p#f", "#", "http://t.example/p#f", "http://t#f"),
    "https://t.example/p",
)


def environ(target: str, host: str | None, **more: str) -> dict[str, Any]:
    said = {"RAW_URI": target, "SERVER_NAME": "server", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1"}
    return {**said, **({} if host is None else {"HTTP_HOST": host}), **more}


def told(asked: dict[str, Any]) -> tuple[str, str, str]:
    found = {**asked, **host_variables(asked)}
    return found["HTTP_HOST"], found["SERVER_NAME"], found["SERVER_PORT"]


@pytest.mark.parametrize(("target", "host", "expected"), NAMED)
def test_the_targets_host_decides(target: str, host: str, expected: tuple[str, str, str]) -> None:
    asked = environ(target, host)
    assert told(asked) == expected
    assert normal_host(host_asked(asked)) == normal_host(expected[0]), "the routes are those of the same host"


@pytest.mark.parametrize(("target", "host", "expected"), NAMED)
def test_apache_knows_its_name_itself(target: str, host: str, expected: tuple[str, str, str]) -> None:
    asked = environ(target, host, **{"mod_wsgi.version": "5"})
    assert told(asked) == (expected[0], "server", "8000")


def test_the_port_is_the_schemes_where_none_is_asked_for() -> None:
    for host, port in (("a.example", "443"), ("a.example:80", "80"), ("[::1]", "443")):
        assert told(environ("/p", host, **{"wsgi.url_scheme": "https"}))[2] == port
        assert told(environ("/p", host))[2] == host.partition("]")[2].partition(":")[2] or "80"


# what servers say of themselves, which counts where a client names no host
OWN = {
    ("127.0.0.1", "8000"): ("127.0.0.1", "8000"),
    ("::1", "8000"): ("[::1]", "8000"),
    ("[::1]", "8000"): ("[::1]", "8000"),
    ("/run/wsgi-wasm.sock", ""): ("localhost", "80"),
    ("", ""): ("localhost", "80"),
    ("shop", "x"): ("shop", "80"),
}


@pytest.mark.parametrize("own", OWN)
def test_the_server_itself_where_no_host_is_asked(own: tuple[str, str]) -> None:
    asked = environ("/p", None, SERVER_PROTOCOL="HTTP/1.0", SERVER_NAME=own[0], SERVER_PORT=own[1])
    found = {**asked, **host_variables(asked)}
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == OWN[own]


@pytest.mark.parametrize("host", HOSTS_REFUSED)
@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_hosts_that_are_none(host: str, protocol: str) -> None:
    with pytest.raises(BadRequest) as caught:
        host_variables(environ("/", host, SERVER_PROTOCOL=protocol))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("target", [one for one in TARGETS_REFUSED if one])
def test_targets_that_are_none(target: str) -> None:
    with pytest.raises(BadRequest) as caught:
        host_variables(environ(target, "a.example"))
    assert str(caught.value).isprintable()


def test_no_host_at_all() -> None:
    """RFC 9112 3.2: HTTP/1.1 needs one, whatever its target says."""
    for target in ("/p", "http://t.example/p"):
        with pytest.raises(BadRequest, match="names no host"):
            host_variables(environ(target, None))
    assert "HTTP_HOST" not in host_variables(environ("/p", None, SERVER_PROTOCOL="HTTP/1.0"))
    assert host_variables(environ("http://t.example/p", None, SERVER_PROTOCOL="HTTP/1.0"))["HTTP_HOST"] == "t.example"


def test_another_scheme_is_the_same_site_only_by_the_same_name() -> None:
    """Behind a proxy that ends TLS. For other names httpd would go by `Host`, and its rules would be another site's."""
    assert told(environ("https://a.example/", "a.example")) == ("a.example", "a.example", "80")
    asked = environ("http://a.example/", "a.example", **{"wsgi.url_scheme": "https"})
    assert told(asked) == ("a.example", "a.example", "443")
    for target, ours in (("https://t.example/", "http"), ("http://t.example/", "https")):
        with pytest.raises(BadRequest, match="another host"):
            host_variables(environ(target, "a.example", **{"wsgi.url_scheme": ours}))


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/a?b", ("", "", "/a?b")),
        ("//h/a", ("", "", "//h/a")),
        ("http://h", ("http", "h", "/")),
        ("HTTPS://H:1?q", ("https", "H:1", "/?q")),
        ("http://h/a?b", ("http", "h", "/a?b")),
        ("*", ("", "", "*")),
        ("h:1", ("", "", "h:1")),
    ],
)
def test_parts_of_a_target(target: str, parts: tuple[str, str, str]) -> None:
    assert split_target(target) == parts


@given(st.text(), st.text() | st.none())
def test_anything_is_answered(target: str, host: str | None) -> None:
    """One host for the routes and the guest, or 400 in one line."""
    asked = environ(target, host)
    refusal = ""
    try:
        found = {**asked, **host_variables(asked)}
    except BadRequest as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert refusal or normal_host(found["HTTP_HOST"]) == normal_host(host_asked(asked))
