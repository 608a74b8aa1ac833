"""What a guest gets of a request, and which requests reach which guest or the wrapped application."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from conftest import SiteMaker
from guests.build import guest
from guests.printed import variables
from wsgi_wasm import ConfigError, Gateway


def send(client: Client, environ: dict[str, Any]) -> TestResponse:
    """A request with exactly this environ, which werkzeug's client would tidy up."""
    return TestResponse(*run_wsgi_app(client.application, environ, buffered=True), request=Request(environ))


def test_variables(make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "leaked")
    client = make_client({"/env": {"module": "env", "env": {"TZ": "UTC"}, "pass_env": ["SSL_*"]}})
    response = client.post(
        "/env/extra%20path/x?a=1&b",
        data=b"12345",
        headers={
            "X-Thing": "caf\xe9",
            "Proxy": "http://evil",
            "Authorization": "Basic c2VjcmV0",
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "1",
        },
        environ_overrides={"SSL_PROTOCOL": "TLSv1.3", "OTHER": "no", "REMOTE_USER": "ann"},
    )
    found = variables(response.data.decode("latin-1"))
    assert found["REQUEST_METHOD"] == "POST"
    assert found["SCRIPT_NAME"] == "/env"
    assert found["PATH_INFO"] == "/extra path/x"
    assert found["QUERY_STRING"] == "a=1&b"
    assert found["CONTENT_LENGTH"] == "5"
    assert found["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert found["TZ"] == "UTC"
    assert found["SSL_PROTOCOL"] == "TLSv1.3"
    assert found["REMOTE_USER"] == "ann"
    assert found["REQUEST_ID"] == response.headers["X-Request-ID"]
    assert b"HTTP_X_THING=caf\xe9\n" in response.data, "bytes that are no UTF-8 arrive as they were sent"
    absent = {"HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_CONNECTION", "HTTP_X_HOP", "OTHER", "SECRET_OF_THE_HOST"}
    assert not absent & found.keys()
    assert not set(os.environ) & found.keys() - {"TZ"}


def test_a_nul_in_a_variable_is_400(make_client: SiteMaker) -> None:
    client = make_client({"/env": {"module": "env"}})
    assert client.get("/env/%00").status_code == 400


def test_arguments(make_client: SiteMaker) -> None:
    name = guest("args").name
    client = make_client(
        {"/plain": {"module": "args", "args": ["--fast", "a b"]}, "/query": {"module": "args", "query_args": True}}
    )
    assert client.get("/plain?-d+allow_url_include").text.splitlines() == ["3", f"[{name}]", "[--fast]", "[a b]"]
    assert client.get("/plain?word").text == client.get("/plain").text, "a query is never an argument by itself"
    assert client.get("/query?one+t%77o").text.splitlines()[2:] == ["[one]", "[two]"]
    assert client.get("/query?a=b").text == f"1\n[{name}]\n"
    assert client.get("/query?%ff").text == f"1\n[{name}]\n"


BODIES = [b"", b"x", bytes(range(256)) * 5, b"\n" * 70_000, os.urandom(3_000_000)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", BODIES, ids=[str(len(body)) for body in BODIES])
def test_bodies(make_client: SiteMaker, body: bytes, stream: bool) -> None:
    client = make_client({"/echo": {"module": "echo", "stream_request": stream}})
    response = client.post("/echo", data=body, content_type="application/octet-stream")
    assert response.data == b"POST %d\n" % len(body) + body


def chunked_environ(body: bytes, **more: Any) -> dict[str, Any]:
    environ = EnvironBuilder("/echo", method="POST").get_environ()
    environ.pop("CONTENT_LENGTH", None)
    return environ | {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        **more,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_a_chunked_body(make_client: SiteMaker, stream: bool) -> None:
    client = make_client({"/echo": {"module": "echo", "stream_request": stream, "max_body": "1KiB"}})
    assert send(client, chunked_environ(b"abc" * 100)).data == b"POST 300\n" + b"abc" * 100
    assert send(client, chunked_environ(b"abc" * 1000)).status_code == 413


def test_body_limits(make_client: SiteMaker) -> None:
    client = make_client({"/echo": {"module": "echo", "max_body": "1KiB"}})
    assert client.post("/echo", data=b"x" * 1024).status_code == 200

    class Untouched:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("a body over max_body must not be read")

    announced = chunked_environ(b"", CONTENT_LENGTH="1025")
    announced["wsgi.input"] = Untouched()
    assert send(client, announced).status_code == 413


@pytest.mark.parametrize("length", ["+5", "-1", "1_0", "0x5", "5 5", "9" * 30, "\u0665"])
def test_a_length_that_is_no_number_is_400(make_client: SiteMaker, length: str) -> None:
    client = make_client({"/echo": {"module": "echo"}})
    environ = chunked_environ(b"12345", CONTENT_LENGTH=length)
    del environ["HTTP_TRANSFER_ENCODING"]
    assert send(client, environ).status_code == 400


def test_a_body_shorter_than_promised_is_400(make_client: SiteMaker) -> None:
    client = make_client({"/echo": {"module": "echo"}})
    assert send(client, chunked_environ(b"123", CONTENT_LENGTH="5")).status_code == 400


def test_methods(make_client: SiteMaker) -> None:
    client = make_client({"/x": {"module": "echo", "methods": ["GET", "POST"]}})
    assert client.get("/x").status_code == 200
    assert client.head("/x").status_code == 200
    refused = client.delete("/x")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, POST")


def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"wrapped {environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode("latin-1")]


ROUTED = {
    "/hello": "/hello|",
    "/hello/": "/hello|/",
    "/hello/a/b": "/hello|/a/b",
    "/hello/deep": "/hello/deep|",
    "/hello/deep/er": "/hello/deep|/er",
    "/hello/deeper": "/hello|/deeper",
    "/hellofoo": "wrapped |/hellofoo",
    "/": "wrapped |/",
    "/exact": "/exact|",
    "/exact/": "wrapped |/exact/",
    "/exact/x": "wrapped |/exact/x",
    "/caf%C3%A9/x": "/caf\xc3\xa9|/x",
    "/hello//x": "/hello|//x",
    "//hello": "wrapped |//hello",
    "/hello/%2e%2e/x": "/hello|/../x",
    "/" * 60_000: f"wrapped |{'/' * 60_000}",
}


@pytest.mark.parametrize(("path", "expected"), ROUTED.items(), ids=[path[:20] for path in ROUTED])
def test_routing(make_client: SiteMaker, path: str, expected: str) -> None:
    """Longest path on a segment boundary wins; whatever matches no route reaches the wrapped application untouched."""
    module = str(guest("env"))
    routes: dict[str, Any] = {
        "/hello": {"module": module},
        "/exact": {"module": module, "exact": True},
        "/hello/deep": {"module": module},
        "/caf\xe9": {"module": module},
    }
    client = make_client(routes, app=wrapped)
    environ = EnvironBuilder("/").get_environ()
    environ["PATH_INFO"] = _wsgi_path(path)
    text = send(client, environ).data.decode("latin-1")
    if not text.startswith("wrapped"):
        found = variables(text)
        text = f"{found['SCRIPT_NAME']}|{found['PATH_INFO']}"
    assert text == expected


def _wsgi_path(path: str) -> str:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path).decode("latin-1")


def test_root_route(make_client: SiteMaker) -> None:
    client = make_client({"/": {"module": "env"}})
    for path, info in (("/", "/"), ("/a/b", "/a/b")):
        found = variables(client.get(path).text)
        assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("", info)


def test_mounted_below_a_path(make_client: SiteMaker) -> None:
    client = make_client({"/env": {"module": "env"}})
    environ = EnvironBuilder("/env/x", base_url="http://localhost/app").get_environ()
    found = variables(send(client, environ).text)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/app/env", "/x")


HOSTS = {
    "shop.example": "shop",
    "SHOP.EXAMPLE:8080": "shop",
    "shop.example.": "shop",
    "a.cdn.example": "cdn",
    "a.b.cdn.example": "cdn",
    "cdn.example": "wrapped",
    "other.example": "top",
    "": "400",
    "[::1]:80": "top",
    "shop.example@evil": "400",
    "evil.shop.example": "top",
}


@pytest.mark.parametrize(("host", "expected"), HOSTS.items(), ids=HOSTS)
def test_virtual_hosts(make_client: SiteMaker, host: str, expected: str) -> None:
    module = str(guest("env"))
    hosts = {
        "shop.example": {"routes": {"/x": {"module": module, "env": {"SITE": "shop"}}}},
        "*.cdn.example": {"routes": {"/x": {"module": module, "env": {"SITE": "cdn"}}}},
        "cdn.example": {"routes": {"/y": {"module": module}}},
    }
    client = make_client({"/x": {"module": "env", "env": {"SITE": "top"}}}, app=wrapped, hosts=hosts)
    environ = EnvironBuilder("/x").get_environ()
    environ["HTTP_HOST"] = host
    text = send(client, environ).text
    assert (variables(text).get("SITE") or text.split()[0]) == expected


def test_middleware_passes_everything_through(make_app: Callable[..., Gateway]) -> None:
    """A request for the wrapped application: same environ object, same start_response, same iterable, closed once."""

    class Body(list[bytes]):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    body = Body([b"a", b"b"])
    seen: list[object] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.extend([environ, start_response])
        return body

    gateway = make_app({"/x": {"module": "hello"}}, app=app)
    environ = EnvironBuilder("/other").get_environ()
    before = dict(environ)

    def start_response(*args: object) -> None: ...

    assert gateway(environ, start_response) is body
    assert seen[0] is environ
    assert seen[1] is start_response
    assert environ == before
    assert body.closed == 0


def test_local_redirects(make_client: SiteMaker, tmp_path: Path) -> None:
    """Inside only to routes that are listed; GET, without the body; a chain has an end."""
    for name, location in {
        "here": "/env/made?b=2",
        "listed": "/other/x",
        "barred": "/barred",
        "loop": "/emit?case=loop",
        "away": "https://elsewhere.example/",
    }.items():
        (tmp_path / name).write_text(f"Location: {location}\n\n")
    emit = {"module": "emit", "dirs": {"/c": str(tmp_path)}, "env": {"CORPUS": "/c"}}
    client = make_client(
        {
            "/emit": {**emit, "local_redirects": ["/env", "/other", "/emit"]},
            "/env": {"module": "env"},
            "/other": {"module": "echo"},
            "/barred": {"module": "env"},
        }
    )
    found = variables(client.post("/emit?case=here", data=b"body").text)
    assert found["REQUEST_METHOD"] == "GET"
    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["QUERY_STRING"]) == ("/env", "/made", "b=2")
    assert "CONTENT_LENGTH" not in found
    assert client.post("/emit?case=listed", data=b"body").data == b"GET 0\n"
    barred = client.get("/emit?case=barred")
    assert (barred.status_code, barred.headers["Location"]) == (302, "/barred")
    assert client.get("/emit?case=loop").status_code == 502
    assert client.get("/emit?case=away").headers["Location"] == "https://elsewhere.example/"
    assert client.head("/emit?case=here").data == b""


def test_access_log_fields(make_app: Callable[..., Gateway]) -> None:
    gateway = make_app({"/x": {"module": "hello"}})
    environ = EnvironBuilder("/x").get_environ()
    list(gateway(environ, lambda *args: lambda data: None))
    assert environ["wsgi_wasm.route"] == "/x"
    assert environ["wsgi_wasm.outcome"] == "returned"
    assert environ["wsgi_wasm.guest_us"] > 0


def test_a_server_without_write(make_app: Callable[..., Gateway]) -> None:
    """granian returns no `write` from start_response, against PEP 3333: the answer is then gathered."""
    gateway = make_app({"/x": {"module": "flood"}})
    environ = EnvironBuilder("/x", query_string="bytes=1000000").get_environ()
    body = b"".join(gateway(environ, lambda *args: None))
    assert len(body) == 1_000_000


def test_gevent_is_refused_by_name(make_app: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    from wsgi_wasm.errors import EngineError

    monkey = ModuleType("gevent.monkey")
    monkeypatch.setattr(monkey, "is_module_patched", lambda name: name == "threading", raising=False)
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    with pytest.raises(EngineError, match="gthread"):
        make_app({"/x": {"module": "hello"}})


def test_two_gateways_in_one_process(make_client: SiteMaker) -> None:
    one, two = make_client({"/x": {"module": "hello"}}), make_client({"/x": {"module": "env"}})
    assert one.get("/x").status_code == two.get("/x").status_code == 200
    assert one.get("/x").data != two.get("/x").data


def test_a_guest_cannot_be_given_the_cache(
    make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the cache is run as native code, wherever the environment puts it."""
    monkeypatch.setenv("WSGI_WASM_CACHE", str(tmp_path / "data" / "cache"))
    writable = {"path": str(tmp_path / "data"), "writable": True}
    with pytest.raises(ConfigError, match=r"dirs\./data: .* is writable, and the cache is"):
        make_client({"/x": {"module": "hello", "dirs": {"/data": writable}}})


def test_a_streamed_body_has_its_type(make_client: SiteMaker) -> None:
    client = make_client({"/echo": {"module": "env", "stream_request": True}})
    found = variables(send(client, chunked_environ(b"abc", CONTENT_TYPE="text/x-test")).text)
    assert found["CONTENT_TYPE"] == "text/x-test"
    assert "CONTENT_LENGTH" not in found


def test_a_child_leaves_the_parents_spool_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fork both have the same file, and one position in it."""
    from wsgi_wasm.gateway.spool import Spool

    spool = Spool()
    spool.write(b"x" * 10)
    shared = os.dup(spool.file.fileno())
    try:
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            assert not spool.begin()
        assert spool.file.closed
        assert os.lseek(shared, 0, os.SEEK_CUR) == 10
    finally:
        os.close(shared)
