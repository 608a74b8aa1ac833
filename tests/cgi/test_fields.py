"""What a component is told of a request is what a CGI program is told, in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from server_environs import BARE, SERVERS

from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.errors import BadRequest

REQUEST: dict[str, Any] = {"script_name": "/x", "path_info": "/y", "content_length": None, "streamed_body": False}


def told(
    environ: dict[str, Any], route: dict[str, Any] | None = None, host_is_field: bool = False, **request: Any
) -> tuple[list[str], dict[str, str], list[bytes]]:
    """Method, target, scheme and authority; the fields; the variables."""
    rules = RequestFields(**route or {})
    arguments, own = rules.of_request(environ, **REQUEST | request, host_is_field=host_is_field)
    # Each byte came as one character.
    texts = [argument.decode().encode("latin-1").decode("latin-1") for argument in arguments]
    fields = list(zip(texts[4::2], texts[5::2], strict=True))
    assert len(dict(fields)) == len(fields), "a field appears twice"
    return texts[:4], dict(fields), own


def from_variables(environ: dict[str, Any], route: dict[str, Any], **request: Any) -> dict[str, str]:
    """The fields that a program's environment stands for."""
    variables = RequestFields(**route).build(environ, request_id="r", **REQUEST | request)
    found = {}
    for variable in variables:
        name, _, value = variable.decode("latin-1").partition("=")
        if name.startswith("HTTP_") and name != "HTTP_HOST":
            found[name.removeprefix("HTTP_").replace("_", "-").lower()] = value
        elif name.startswith("CONTENT_"):
            found[name.replace("_", "-").lower()] = value
    return found


def answered(ask: Callable[[], dict[str, str]]) -> dict[str, str] | str:
    """What comes back, or why it was refused."""
    try:
        return ask()
    except BadRequest as error:
        return str(error)


HEADERS = (
    *("HTTP_ACCEPT", "HTTP_AUTHORIZATION", "HTTP_CONNECTION", "HTTP_CONTENT_LENGTH", "HTTP_COOKIE", "HTTP_HOST"),
    *("HTTP_PROXY", "HTTP_TE", "HTTP_TRANSFER_ENCODING", "HTTP_X_A", "HTTP_X_B", "HTTP_x_c", "HTTP_", "HTTP_\xe9"),
)
SET_BY_SERVERS = ("REMOTE_USER", "SSL_CIPHER", "wsgi.input", "SERVER_NAME")
values = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=12), st.sampled_from(["x-a", "X-B, host", "close", "\u20ac", ""])
)


@example(environ={"HTTP_HOST": "a\r"}, others={}, route={}, request_={})
@example(environ={"HTTP_HOST": "a\0"}, others={}, route={}, request_={})
@example(environ={"HTTP_HOST": "a b\xe9"}, others={}, route={}, request_={})
@example(environ={"REQUEST_URI": "/\0"}, others={}, route={}, request_={})
@example(environ={}, others={}, route={}, request_={"path_info": "/\0"})
@given(
    environ=st.dictionaries(st.sampled_from((*HEADERS, "CONTENT_TYPE")), values),
    # A component is not told of all of these, so that it is not for them that a request is refused.
    others=st.dictionaries(st.sampled_from(SET_BY_SERVERS), values.map(lambda value: value.replace("\0", "0"))),
    route=st.fixed_dictionaries(
        {},
        optional={
            "pass_authorization": st.booleans(),
            "pass_headers": st.sampled_from([["X-A"], ["Authorization"]]),
            "pass_env": st.just(["SSL_*"]),
        },
    ),
    request_=st.sampled_from([{}, {"content_length": 3}, {"streamed_body": True}]),
)
def test_the_fields_are_those_of_a_program(
    environ: dict[str, Any], others: dict[str, Any], route: dict[str, Any], request_: dict[str, Any]
) -> None:
    whole = {**BARE, **environ, **others}
    assert answered(lambda: told(whole, route, **request_)[1]) == answered(
        lambda: from_variables(whole, route, **request_)
    )


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_tells_the_same(server: str) -> None:
    environ = {**SERVERS[server], "HTTP_HOST": "shop.example:8080", "REQUEST_URI": "/a%20b?c"}
    environ.pop("REDIRECT_STATUS", None)
    assert told(environ)[0][1:] == ["/a%20b?c", environ["wsgi.url_scheme"], "shop.example:8080"]


# environ beyond BARE -> target and authority
TARGETS: dict[str, tuple[dict[str, Any], str, str]] = {
    "as written": ({"REQUEST_URI": "/%2e%2E?q=%zz"}, "/%2e%2E?q=%zz", "localhost:80"),
    "bytes that no URI has": ({"REQUEST_URI": "/\xff a"}, "/%FF%20a", "localhost:80"),
    "a line end": ({"REQUEST_URI": "/a\nb"}, "/a%0Ab", "localhost:80"),
    "put together": ({"QUERY_STRING": "q"}, "/x/y?q", "localhost:80"),
    "no Host": ({"SERVER_NAME": "shop", "SERVER_PORT": "81"}, "/x/y", "shop:81"),
    "empty Host": ({"HTTP_HOST": ""}, "/x/y", "localhost:80"),
    "Host that is none": ({"HTTP_HOST": "a b\xe9"}, "/x/y", "a%20b%E9"),
    "redirected": (
        {"REQUEST_URI": "/a?b", "QUERY_STRING": "c=%20", "REDIRECT_STATUS": "404"},
        "/x/y?c=%20",
        "localhost:80",
    ),
    "redirected without a query": ({"REQUEST_URI": "/a?b", "REDIRECT_STATUS": "200"}, "/x/y", "localhost:80"),
    "redirected to itself": (
        {"REQUEST_URI": "/%78/y?b", "QUERY_STRING": "b", "REDIRECT_STATUS": "404"},
        "/%78/y?b",
        "localhost:80",
    ),
    "over TLS": ({"wsgi.url_scheme": "https", "SERVER_PORT": ""}, "/x/y", "localhost:443"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_target_and_authority(case: str) -> None:
    more, target, authority = TARGETS[case]
    environ = {**BARE, "SERVER_NAME": "localhost", "SERVER_PORT": "80", **more}
    start, _, _ = told(environ)
    assert (start[1], start[3]) == (target, authority)


def test_host_is_a_field_where_it_is_asked_for() -> None:
    environ = {**BARE, "HTTP_HOST": "shop.example"}
    assert told(environ)[1] == {}
    assert told(environ, host_is_field=True)[1] == {"host": "shop.example"}


def test_the_variables_are_the_routes_own() -> None:
    environ = {**BARE, "SSL_CIPHER": "x", "REMOTE_USER": "u", "HTTP_A": "b"}
    assert told(environ, {"env": {"HTTP_A": "mine", "B": "\u20ac"}})[2] == [b"HTTP_A=mine", "B=\u20ac".encode()]
    assert told(environ, {"env": {"A": "1"}, "pass_env": ["SSL_*"]})[2] == [b"SSL_CIPHER=x", b"A=1"]
