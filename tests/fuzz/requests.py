"""Requests: to a route, to a script, and to what a guest is given of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from fuzz.target import Draw, Target, check_message, temporary
from wsgi_wasm.cgi import names
from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.cgi.forwarded import MOST_HOPS, client, forwarded_hops, listed_hops, normal_address
from wsgi_wasm.cgi.metavars import MetaVariables
from wsgi_wasm.cgi.query import query_arguments
from wsgi_wasm.cgi.target import host_asked, host_variables, normal_host, split_target
from wsgi_wasm.errors import BadRequest, Forbidden, NotFound
from wsgi_wasm.gateway.body import announced_length
from wsgi_wasm.gateway.kinds import ProgramKinds
from wsgi_wasm.gateway.request import request_identity
from wsgi_wasm.gateway.routing import Entry, Router, RouteTable
from wsgi_wasm.gateway.scripts import find_script
from wsgi_wasm.spin.patterns import PatternTable

# --- an environ to a guest's environment ---

ENV = {"MINE": "1", "LANG": "C"}
ENVIRON_SEEDS = (
    b"REQUEST_METHOD=POST\nSCRIPT_NAME=\nPATH_INFO=/a/b\nQUERY_STRING=a=b\nSERVER_NAME=x\nSERVER_PORT=80\n"
    b"SERVER_PROTOCOL=HTTP/1.1\nwsgi.url_scheme=https\nHTTP_HOST=x:80\nHTTP_ACCEPT=*/*\nCONTENT_TYPE=a/b\n"
    b"CONTENT_LENGTH=5\nREMOTE_ADDR=::1\nREMOTE_PORT=5\nREQUEST_URI=/a/b?a=b",
    b"REQUEST_METHOD=GET\nHTTP_CONNECTION=close, X-Forwarded-For, x-a\nHTTP_X_FORWARDED_FOR=a\nHTTP_X_A=b\n"
    b"HTTP_PROXY=c\n"
    b"HTTP_CONTENT_LENGTH=7\nHTTP_TRANSFER_ENCODING=chunked\nHTTP_AUTHORIZATION=x\nSSL_X=y\nREMOTE_USER=\nUNIQUE_ID=abc",
    b"RAW_URI=http://a.b:80/c?d\nHTTP_HOST=[::1]\nHTTP_COOKIE=a=b\nSSL_CERT=a\rb\nHTTPS=on\nMINE=2\nPATH_TRANSLATED=/e",
)
ENVIRON_WORDS = (
    *(
        b"\nHTTP_X_A=",
        b"\nHTTP_",
        b"\nSSL_",
        b"\nPATH_INFO=/../..",
        b"\nCONTENT_LENGTH=",
        b"\nwsgi.input=x",
        b"=",
        b"\r",
    ),
    *(b"\nHTTP_CONNECTION=", b"\nHTTP_HTTP2_SETTINGS=", b"\nHTTP_TE=", b"\nREMOTE_USER=a", b"\nGATEWAY_INTERFACE=x"),
    *(b"\nHTTP_PROXY=x", b"\nHTTP_CONTENT_TYPE=x", b"\0", b"\nREQUEST_URI=*", b"\nREQUEST_URI=a:b", b"\xff", b"%00"),
)


def environ_of(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


@cache
def environments() -> tuple[MetaVariables, ...]:
    return (
        MetaVariables(),
        MetaVariables(env=ENV, pass_env=["*"], pass_headers=["X-A"], document_root="/é/"),
        MetaVariables(env=ENV, pass_env=["SSL_*", "MINE"], pass_authorization=True, document_root="/"),
    )


@cache
def fields() -> tuple[RequestFields, ...]:
    return RequestFields(), RequestFields(env=ENV, pass_env=["*"], pass_headers=["X-A"], pass_authorization=True)


def check_environ(data: bytes) -> None:
    draw = Draw(data[:2])
    environ = environ_of(data[2:].decode("latin-1"))
    which, length = draw.byte(), draw.one_of([None, 0, 5])
    path_info = environ.get("PATH_INFO", "")
    request_identity(environ)
    try:
        announced_length(environ)
    except BadRequest as error:
        check_message(error)
    for environment in (environments()[which % 3],):
        check_variables(environment, environ, path_info, length)
    check_fields(fields()[which % 2], environ, path_info, length)
    query_arguments(environ.get("QUERY_STRING", ""))


def check_variables(environment: MetaVariables, environ: Mapping[str, str], path_info: str, length: int | None) -> None:
    try:
        variables = environment.build(
            environ,
            script_name="/s",
            path_info=path_info,
            request_id="1",
            content_length=length,
            script_filename="/x.py",
        )
    except BadRequest as error:
        check_message(error)
        return
    found: dict[str, str] = {}
    for variable in variables:
        assert b"\0" not in variable
        name, equals, value = variable.decode("latin-1").partition("=")
        assert equals
        assert name.isascii()
        assert name.replace("_", "a").isalnum(), name
        assert not name[:1].isdigit()
        assert name not in found, name
        found[name] = value
        if name.startswith(("HTTP_", "CONTENT_")):
            assert not {"\r", "\n"} & set(value)
    assert "HTTP_PROXY" not in found
    assert not {f"HTTP_{name}" for name in names.CONNECTION_HEADERS | names.BODY_HEADERS} & set(found)
    assert found["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert found["SCRIPT_NAME"] == "/s"
    assert found["PATH_INFO"] == path_info
    assert found.get("CONTENT_LENGTH") == (None if length is None else str(length))
    assert ("HTTPS" in found) == (environ.get("wsgi.url_scheme") == "https")
    assert "/../" not in found.get("PATH_TRANSLATED", "") + "/"
    assert sum(map(len, variables)) <= 3 * sum(len(key) + len(value) + 2 for key, value in environ.items()) + 1000


def check_fields(made: RequestFields, environ: Mapping[str, str], path_info: str, length: int | None) -> None:
    try:
        arguments, environment = made.of_request(
            environ, script_name="/s", path_info=path_info, content_length=length, streamed_body=False
        )
    except BadRequest as error:
        check_message(error)
        return
    for argument in arguments:
        assert b"\0" not in argument
        argument.decode("utf-8")
    for argument in (arguments[1], *arguments[3:]):  # method and scheme are the server's own words
        assert not {*b"\r\n"} & {*argument}
    assert len(arguments) % 2 == 0
    passed = [name.decode() for name in arguments[4::2]]
    hidden = {name.replace("_", "-").lower() for name in names.CONNECTION_HEADERS | names.PROXY_HEADERS}
    assert not hidden & set(passed)
    assert all(b"\0" not in variable for variable in environment)


# --- host and path to a route ---

HOSTS = ("a.example", "*.example", "[::1]", "b")
PATHS = ("/", "/a", "/a/b", "/a/b/c", "/é", "/x y", "/%41", "/a.b")


@cache
def router() -> Router[tuple[str, str]]:
    def table(host: str) -> RouteTable[tuple[str, str]]:
        return RouteTable(Entry(path, path in ("/a/b", "/x y"), (host, path)) for path in PATHS)

    return Router(
        RouteTable(Entry(path, False, ("", path)) for path in PATHS[1:]), {host: table(host) for host in HOSTS}
    )


@cache
def pattern_table() -> PatternTable[str]:
    routes = ("/...", "/a", "/a/:id", "/a/:id/...", "/a/b/c", "/:x/b", "/.well-known/...", "/a/*")
    return PatternTable([(route, route) for route in routes], "/base")


def check_route(data: bytes) -> None:
    """`host NUL path`, the path as the client wrote it."""
    host_bytes, _, raw = data.partition(b"\0")
    host, path = host_bytes.decode("latin-1"), unquote_to_bytes(raw).decode("latin-1")
    found = router().match(host, path)
    if found is not None:
        assert found.script_name + found.path_info == path
        assert found.path_info[:1] in ("", "/")
        assert found.script_name == found.target[1].encode().decode("latin-1").rstrip("/")
    # Every spelling of the same path and host goes to the same place.
    quoted = quote_from_bytes(path.encode("latin-1"), safe="")
    assert router().match(host.upper(), unquote_to_bytes(quoted).decode("latin-1")) == router().match(
        host.upper(), path
    )
    if host.isascii() and not host.startswith("[") and ":" not in host:
        assert router().match(host.upper() + ":8080", path) == found or "." in host[-1:]
    normal_host(host)
    if path.startswith("/"):
        matched = pattern_table().match(path)
        if matched is not None:
            assert path.startswith("/base")
            assert all(value and "/" not in value for _, value in matched.names)
            assert matched.rest in path or matched.rest.removesuffix("/") in path


def check_target(data: bytes) -> None:
    """`target NUL host NUL protocol`: which host a request is for, or 400."""
    target, host, protocol = (*(part.decode("latin-1") for part in data.split(b"\0")), "", "")[:3]
    environ = {"REQUEST_URI": target, "HTTP_HOST": host, "SERVER_PROTOCOL": protocol, "wsgi.url_scheme": "http"}
    scheme, authority, rest = split_target(target)
    assert not scheme or rest.startswith("/")
    asked = host_asked(environ)
    try:
        variables = host_variables(environ)
    except BadRequest as error:
        check_message(error)
        return
    named = variables.get("HTTP_HOST", host)
    assert normal_host(named) == normal_host(asked or host)
    assert not {*"@/\\?# \r\n\0,"} & {*named}
    assert not scheme or normal_host(named) == normal_host(authority)
    assert variables.get("SERVER_PORT", "1").isdigit()


def check_hops(data: bytes) -> None:
    """A field's value, as `X-Forwarded-For` and as `Forwarded`, and what a proxy of ours writes behind it."""
    text = data.decode("latin-1")
    for read, own in ((listed_hops, "203.0.113.9"), (forwarded_hops, "for=203.0.113.9;proto=https")):
        count = 0
        for hop in read(text):
            count += 1
            assert not hop.address or str(normal_address(hop.address)) == hop.address
            assert not hop.port or 0 < int(hop.port) <= 65535
        assert count <= 2 * MOST_HOPS + 1
        client(read(text), lambda address: address.startswith("10."))
        found = client(read(f"{text},{own}"), lambda address: address.startswith("10."))
        assert found is not None
        assert found.address == "203.0.113.9"


# --- a path to a script ---


@cache
def tree() -> tuple[Path, Path]:
    """A directory of scripts with links of every kind, and what lies beside it. Of this process, and removed at its
    end with the system's other temporary files where it is killed."""
    outside = temporary()
    root = outside / "scripts"
    for folder in (root / "d" / "e", outside / "secret"):
        folder.mkdir(parents=True)
    for file in ("a.wasm", "d/b.wasm", "d/index.wasm", "d/e/c.wat", "é.wasm", "no.txt", ".hidden.wasm", "x y.wasm"):
        (root / file).write_bytes(b"")
    (outside / "secret" / "s.wasm").write_bytes(b"")
    (outside / "s.wasm").write_bytes(b"")
    os.mkfifo(root / "pipe.wasm")
    links = {
        "in.wasm": "a.wasm", "din": "d", "out.wasm": "../s.wasm", "dout": "../secret", "abs": str(outside / "secret"),
        "up": "..", "self": ".", "loop": "loop", "back.wasm": "../scripts/a.wasm", "dangling.wasm": "nowhere",
        "d/up2": "../..", "d/round": "../d/e", "d/e/out.wasm": "../../../secret/s.wasm", "chain": "din/up2/secret",
    }  # fmt: skip
    for name, leads_to in links.items():
        (root / name).symlink_to(leads_to)
    return root, outside


SCRIPT_PATHS = (
    *(b"/a.wasm", b"/d/b.wasm/info", b"/d", b"/d/", b"/d/e/c.wat//x", b"/in.wasm", b"/din/e/c.wat", b"/out.wasm"),
    *(b"/dout/s.wasm", b"/abs/s.wasm", b"/up/s.wasm", b"/self/a.wasm", b"/loop", b"/back.wasm", b"/d/up2/s.wasm"),
    *(b"/chain/s.wasm", b"/d/round/c.wat", b"/\xc3\xa9.wasm", b"/.hidden.wasm", b"/pipe.wasm", b"/x y.wasm", b"/.."),
)


def check_script(data: bytes) -> None:
    root, _ = tree()
    path_info = "/" + data.decode("latin-1")  # as every path below a route begins
    try:
        script = find_script(root, path_info, ["index.wasm"], ProgramKinds(["suffix"], (), False))
    except (NotFound, Forbidden) as error:
        check_message(error)
        return
    real = Path(os.path.realpath(script.program.file.path))
    assert real.is_relative_to(root), (path_info, real)
    assert stat.S_ISREG(real.lstat().st_mode)
    assert script.program.file.path.suffix in (".wasm", ".wat")
    assert not any(part.startswith(".") for part in Path(script.name).parts)
    assert script.path_info[:1] in ("", "/")
    if not path_info.endswith("/") and script.program.file.path.name != "index.wasm":
        assert script.wsgi_name + script.path_info == path_info


TARGETS = (
    Target(
        "environ",
        "a guest's variables and fields: names in order, each once, no NUL, nothing overridden that the server says",
        check_environ,
        lambda: [b"\0\0" + seed for seed in ENVIRON_SEEDS],
        ENVIRON_WORDS,
        tries=20000,
        longest=1000,
    ),
    Target(
        "route",
        "host and path to a route: the parts add up, and each spelling that one decoding makes equal leads to the same",
        check_route,
        lambda: (
            b"a.example\0/a/b",
            b"x.example:80\0/a/b/c/d",
            b"[::1]:80\0/%C3%A9/x",
            b"b.\0/x%20y",
            b"\0/base/a/7",
            b"\0/base/a/7/x/",
            b"\0/base/.well-known/spin/x",
            b"*.example\0//a",
        ),
        (b"/a", b"%2f", b"%2F", b"%2e%2e", b"/../", b"//", b".example", b":80", b"/base/a/", b"%00", b"%c3%a9", b"\0"),
        tries=20000,
        longest=300,
    ),
    Target(
        "target",
        "which host a request is for: the target's, else that of Host, and nothing that two readers take for two hosts",
        check_target,
        lambda: (
            b"/a?b\0a.example:80\0HTTP/1.1",
            b"http://b.example:81/x\0a.example\0HTTP/1.1",
            b"https://a.example\0a.example\0HTTP/1.0",
            b"*\0[::1]:80\0HTTP/1.1",
            b"http://[fe80::1]?x\0B.\0",
        ),
        (b"http://", b"https://", b"@", b":80", b"[", b"]", b"#", b"?", b"..", b"\0", b",", b"_", b"::", b"%2f", b"//"),
        tries=20000,
        longest=300,
    ),
    Target(
        "hops",
        "X-Forwarded-For and Forwarded: addresses or nobody, and nothing before a proxy's own entry can hide it",
        check_hops,
        lambda: (
            b"203.0.113.9, 10.0.0.2:80, [2001:db8::1]:4711,::1",
            b'for=203.0.113.9;proto=https;host="a.example:81", for="[2001:db8::1]:_x";by=unknown',
            b'for="_a\\"b", FOR=unknown;;x="a, b;c"',
            b"::ffff:10.0.0.1,,10.0.0.1",
        ),
        (
            b"for=",
            b'"',
            b"\\",
            b",",
            b";",
            b"=",
            b"[",
            b"]",
            b":80",
            b"10.0.0.1,",
            b"for=10.0.0.1,",
            b"unknown",
            b" \t",
        ),
        tries=20000,
        longest=600,
    ),
    Target(
        "script",
        "a path to a script: a regular file of the tree, whatever links stand in it",
        check_script,
        lambda: [path[1:] for path in SCRIPT_PATHS],
        (*SCRIPT_PATHS, b"/../", b"/./", b"\\", b"/.", b"//", b"/index.wasm", b"\xed\xa0\x80", b"/d/e/", b"a" * 300),
        tries=20000,
        longest=600,
    ),
)
