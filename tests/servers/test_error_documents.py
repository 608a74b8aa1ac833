"""Guests as `ErrorDocument`: what Apache tells besides the request, and the status that an answer keeps.

The same requests go to pages that the same program makes natively under mod_cgid. What differs has a name in
docs/cgi.md.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from guests.build import component, guest
from guests.printed import variables
from spin.conftest import write_app

from .apache import Apache, put
from .beside_cgid import PROGRAMS, WAYS, path_of, serve_beside
from .client import Answer, Connection, chunked, get, request

MODULES = (
    *("rewrite", "actions", "authz_host", "authz_user", "authn_core", "authn_file", "auth_basic", "filter"),
    "headers",
)

# By way: URL paths below /e/WAY/, whose errors the program PAGE answers.
ERRORS = """
<Location /e/{way}>
    ErrorDocument 301 {page}
    ErrorDocument 403 {page}
    ErrorDocument 404 {page}
    ErrorDocument 405 {page}
    ErrorDocument 410 {page}
    ErrorDocument 413 {page}
    ErrorDocument 500 {page}
    ErrorDocument 503 {page}
</Location>
<Location /e/{way}/denied>
    Require all denied
</Location>
<Location /e/{way}/members>
    AuthType Basic
    AuthName members
    AuthUserFile "{place}/members"
    Require valid-user
    ErrorDocument 401 {page}
</Location>
RewriteEngine On
RewriteRule ^/e/{way}/forbidden - [F]
RewriteRule ^/e/{way}/gone - [G]
RewriteRule ^/e/{way}/code403 - [R=403]
RewriteRule ^/e/{way}/code404 - [R=404]
RewriteRule ^/e/{way}/code410 - [R=410]
RewriteRule ^/e/{way}/code500 - [R=500]
RewriteRule ^/e/{way}/code503 - [R=503]
RewriteRule ^/e/{way}/set - [R=404,E=SECRET:s,E=SHOWN:y,E=HTTP_AUTHORIZATION:secret,E=HTTP_PROXY:http://evil/]
Redirect permanent /e/{way}/moved /there
Redirect gone /e/{way}/old
<LocationMatch "^/e/{way}/page/info">
    ErrorDocument 404 {page}/more%20info?q=1&r=%2f
</LocationMatch>
<LocationMatch "^/e/{way}/page/status200">
    ErrorDocument 404 {page}?head=Status:%20200%0aContent-Type:%20text/plain
</LocationMatch>
<LocationMatch "^/e/{way}/page/status500">
    ErrorDocument 404 "{page}?head=Status:%20500%20Broken%0aContent-Type:%20text/plain"
</LocationMatch>
<LocationMatch "^/e/{way}/page/away">
    ErrorDocument 404 {page}?head=Location:%20http://other.example/
</LocationMatch>
<LocationMatch "^/e/{way}/page/away-typed">
    ErrorDocument 404 {page}?head=Location:%20http://other.example/%0aContent-Type:%20text/plain
</LocationMatch>
<LocationMatch "^/e/{way}/page/found">
    ErrorDocument 404 "{page}?head=Status:%20302%20Found%0aLocation:%20http://other.example/"
</LocationMatch>
<LocationMatch "^/e/{way}/page/local">
    ErrorDocument 404 {page}?head=Location:%20/elsewhere
</LocationMatch>
<LocationMatch "^/e/{way}/page/validator">
    ErrorDocument 404 {page}?head=Content-Type:%20text/plain%0aETag:%20%22a%22
</LocationMatch>
<LocationMatch "^/e/{way}/page/trap">
    ErrorDocument 404 {page}?trap=1
</LocationMatch>
<LocationMatch "^/e/{way}/page/unread">
    ErrorDocument 404 {page}?unread=1
</LocationMatch>
<LocationMatch "^/e/{way}/limited">
    LimitRequestBody 1000
</LocationMatch>
Alias /front/{way} "{place}/front-{way}"
<Directory "{place}/front-{way}">
    Require all granted
    RewriteEngine On
    RewriteCond %{{REQUEST_FILENAME}} !-f
    RewriteRule ^(.*)$ {page}/$1 [QSA,L,E=SHOWN:y]
</Directory>
Alias /fallback/{way} "{place}/fallback"
<Location /fallback/{way}>
    FallbackResource {page}
</Location>
Alias /acted/{way} "{place}/acted"
<Location /acted/{way}>
    Action tell-{way} {page}
    SetHandler tell-{way}
</Location>
"""

BEYOND = """
RewriteRule ^/o/app/listed - [R=404,E=SECRET:s,E=SHOWN:y,E=HTTP_AUTHORIZATION:secret,E=HTTP_PROXY:http://evil/]
<DirectoryMatch "^{place}/(acted|fallback)">
    Require all granted
</DirectoryMatch>
WSGIScriptAlias /override "${{SERVER_SCRIPTS}}/wsgi_wasm.wsgi" process-group=wsgi-wasm application-group=%{{GLOBAL}}
<Location /o/unknown>
    AuthType Basic
    AuthName members
    AuthUserFile "{place}/members"
    Require valid-user
</Location>
<Location /o/unknown/native>
    ErrorDocument 401 /native/nothing
</Location>
<Location /o/unknown/daemon>
    ErrorDocument 401 /app/nothing
</Location>
<Location /o/unknown/embedded>
    ErrorDocument 401 /embedded/nothing
</Location>
WSGIScriptAlias /except "${{SERVER_SCRIPTS}}/wsgi_wasm.wsgi" process-group=wsgi-wasm application-group=%{{GLOBAL}}
<Location /except>
    WSGIErrorOverride On
    <If "%{{ENV:REDIRECT_STATUS}} -ge 400">
        WSGIErrorOverride Off
    </If>
    ErrorDocument 410 /except/tell/itself
</Location>
<LocationMatch "^/override">
    WSGIErrorOverride On
    WSGIPassAuthorization On
    WSGIChunkedRequest On
    ErrorDocument 404 /app/tell/override
    ErrorDocument 403 /native/tell/override
    ErrorDocument 410 /override/tell/itself
    ErrorDocument 502 "/static text"
</LocationMatch>
"""


def configuration(place: Path, way: str) -> str:
    (place / f"front-{way}").mkdir(mode=0o755)
    text = ERRORS.format(way=way, page=path_of(way, "tell"), place=place)
    if way == "native":
        text += BEYOND.format(place=place)
    for mount in ("app", "embedded") if way == "native" else ():
        for name, page in OTHERS.items():
            text += f"<Location /o/{mount}/{name}>\n    ErrorDocument 404 /{mount}{page}\n</Location>\n"
    return text


# Guests of other kinds: by name, the page of their route.
OTHERS: Mapping[str, str] = {
    "component": "/http/hello",
    "component-traps": "/http/trap",
    "component-target": "/http/request?a=%20b",
    "worker": "/worker",
    "raw": "/raw",
    "wagi": "/spin/env/1/rest",
    "static": "/spin/robots.txt",
    "broken": "/broken",
    "post-only": "/post",
    "streams": "/stream",
    "listed": "/listed",
}


@pytest.fixture(scope="module")
def apache(open_module_tmp: Path) -> Iterator[Apache]:
    place = open_module_tmp
    for folder in ("acted", "fallback"):
        (place / folder).mkdir(mode=0o755)
    put(place / "acted" / "file.txt", b"text\n")
    put(place / "members", b"ann:{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()) + b"\n")
    put(place / "http.wasm", component("http").read_bytes())
    put(place / "worker.wasm", guest("worker").read_bytes())
    put(place / "hello.wat", guest("hello").read_bytes())
    put(place / "broken.wasm", b"\0asm")
    write_app(place / "app")
    routes = {
        "/http": {"module": "http.wasm"},
        "/worker": {"module": "worker.wasm", "interface": "wws"},
        "/raw": {"module": "hello.wat", "interface": "raw"},
        "/spin": {"spin": "app/spin.toml"},
        "/broken": {"module": "broken.wasm"},
        "/post": {"module": "docroot/tell.wasm", "methods": ["POST"]},
        "/stream": {"module": "docroot/tell.wasm", "stream_request": True},
        "/listed": {"module": "docroot/tell.wasm", "pass_env": ["SHOWN"], "pass_authorization": True},
    }
    ready = ["/http/hello", "/worker", "/raw", "/spin/env/1", "/stream", "/listed"]
    text = partial(configuration, place)
    with serve_beside(place, ["tell"], text, routes=routes, ready=ready, modules=MODULES) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Case:
    """A request to /e/WAY/`path`, the status that it gets, and variables that the page is told, as far as they are not
    simply the same as natively."""

    path: str
    status: int
    told: Mapping[str, str | None] = field(default_factory=dict)
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def ask(server: Apache, way: str, case: Case) -> Answer:
    with Connection(server.address) as connection:
        target = f"/e/{way}/{case.path}"
        connection.send_request(case.method, target, fields=(*case.fields, ("Connection", "close")), body=case.body)
        return connection.read_answer()


LOGIN = ("Authorization", "Basic " + base64.b64encode(b"ann:secret").decode())
WRONG = ("Authorization", "Basic " + base64.b64encode(b"ann:wrong").decode())
CHUNKED = ("Transfer-Encoding", "chunked")

CASES = (
    Case("missing", 404, {"REDIRECT_STATUS": "404", "REDIRECT_URL": "/e/WAY/missing", "REDIRECT_QUERY_STRING": None}),
    Case("missing?a=%20b", 404, {"REDIRECT_QUERY_STRING": "a=%20b", "QUERY_STRING": ""}),
    Case("missing", 404, method="HEAD"),
    Case("forbidden", 403, {"REDIRECT_REQUEST_METHOD": "DELETE", "REQUEST_METHOD": "GET"}, method="DELETE"),
    Case("missing", 404, {"REDIRECT_REQUEST_METHOD": "POST", "BODY": "0 0"}, method="POST", body=b"abc"),
    Case("missing", 404, {"BODY": "0 0"}, method="POST", body=b"x" * 3_000_000),
    Case("missing", 404, {"BODY": "0 0"}, "POST", (CHUNKED,), chunked([b"ab", b"c"])),
    Case("missing", 404, {"BODY": "0 0"}, "POST", (("Expect", "100-continue"),), b"abc"),
    Case("missing", 404, fields=(("Redirect-Status", "200"), ("Redirect_Status", "200"), ("REDIRECT-URL", "/x"))),
    Case("forbidden", 403, {"REDIRECT_STATUS": "403"}),
    Case("forbidden", 403, {"BODY": "3 96354"}, method="POST", body=b"abc"),
    Case("missing", 405, {"REDIRECT_STATUS": "405", "REDIRECT_REQUEST_METHOD": "DELETE"}, method="DELETE"),
    Case("limited", 413, {"REDIRECT_STATUS": "413"}, method="POST", body=b"x" * 1001),
    Case("gone", 410),
    Case("old", 410),
    Case("moved/a?b", 301, {"REDIRECT_STATUS": "301"}),
    *(Case(f"code{status}", status) for status in (403, 404, 410, 500, 503)),
    Case("set", 404, {"REDIRECT_SHOWN": None, "REDIRECT_HTTP_AUTHORIZATION": None, "REDIRECT_HTTP_PROXY": None}),
    Case("denied/x", 403),
    Case("members/x", 401, {"REDIRECT_STATUS": "401", "REDIRECT_REMOTE_USER": None}),
    Case("members/x", 401, {"BODY": "3 96354"}, method="POST", body=b"abc"),
    Case("members/x", 401, fields=(WRONG,)),
    Case("members/x", 404, {"REDIRECT_REMOTE_USER": "ann", "REMOTE_USER": None}, fields=(LOGIN,)),
    Case("page/info", 404, {"PATH_INFO": "/more info", "QUERY_STRING": "q=1&r=%2f"}),
    Case("page/info/more?z", 404, {"REDIRECT_QUERY_STRING": "z", "QUERY_STRING": "q=1&r=%2f"}),
    Case("page/status200", 200),
    Case("page/status500", 500),
    Case("page/away", 404),
    Case("page/away-typed", 404),
    Case("page/found", 302),
    Case("page/local", 404),
    Case("page/validator", 404, fields=(("If-None-Match", '"a"'),)),
    Case("page/validator", 404, fields=(("If-Match", '"b"'),)),
    Case("page/unread", 404, method="POST", body=b"x" * 100_000),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What has to be the same: the answer, and what the page was told of the redirect."""

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    told: Mapping[str, str]


COMPARED = ("BODY", "QUERY_STRING", "REQUEST_METHOD", "REQUEST_URI", "REMOTE_USER", "SCRIPT_NAME", "PATH_INFO")

# Variables that an administrator has set reach a guest where `pass_env` names them: difference `variables`.
NOT_HERE = ("REDIRECT_SECRET", "REDIRECT_SHOWN", "REDIRECT_HTTP_AUTHORIZATION", "REDIRECT_HTTP_PROXY")


def seen(server: Apache, way: str, answer: Answer) -> Seen:
    told = {
        name: value
        for name, value in variables(answer.text).items()
        if name in COMPARED or name.startswith("REDIRECT_")
    }
    if told.get("PATH_INFO") == "":  # natively it is left out
        del told["PATH_INFO"]
    own = {name: told[name].replace(f"/e/{way}/", "/e/WAY/").replace(path_of(way, "tell"), "PAGE") for name in told}
    own = {name: value.replace(f":{server.port}", "") for name, value in own.items()}
    names = ("content-type", "etag", "location", "www-authenticate")
    fields = [(name.lower(), value) for name, value in answer.fields if name.lower() in names]
    return Seen(answer.status, answer.reason, tuple(sorted(fields)), own)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method}-{case.path}-{len(case.fields)}")
def test_as_natively(apache: Apache, case: Case) -> None:
    theirs = seen(apache, "native", ask(apache, "native", case))
    expected = replace(theirs, told={name: theirs.told[name] for name in theirs.told if name not in NOT_HERE})
    assert expected.status == case.status
    for way in WAYS:
        ours = seen(apache, way, ask(apache, way, case))
        assert ours == expected, way
        assert {name: ours.told.get(name) for name in case.told} == dict(case.told)


def test_a_login_is_asked_for_and_possible(apache: Apache) -> None:
    for way in PROGRAMS:
        asked = get(apache.address, f"/e/{way}/members/x")
        assert (asked.status, asked.field("WWW-Authenticate")) == (401, 'Basic realm="members"')


def test_a_page_that_fails_leaves_the_error(apache: Apache) -> None:
    """httpd has a page of its own then, and so has the gateway."""
    for name in ("native", "daemon", "embedded"):
        asked = get(apache.address, f"/o/unknown/{name}")
        assert (asked.status, asked.field("WWW-Authenticate")) == (401, 'Basic realm="members"')
    for way in PROGRAMS:
        assert get(apache.address, f"/e/{way}/page/trap").status == 404
    for mount in ("app", "embedded"):
        for name in ("broken", "component-traps", "post-only"):
            answer = get(apache.address, f"/o/{mount}/{name}")
            assert (answer.status, answer.text.splitlines()[0]) == (404, "404 Not Found"), name
    apache.wait_for_log("502, on the page for a 404: the guest trapped")


def test_no_request_can_make_itself_one_for_an_error(apache: Apache) -> None:
    for way in PROGRAMS:
        fields = [("Redirect-Status", "404"), ("REDIRECT_STATUS", "404"), ("Redirect-Url", "/x")]
        answer = get(apache.address, path_of(way, "tell"), fields=fields)
        told = variables(answer.text)
        assert answer.status == 200
        assert told.get("REDIRECT_STATUS", "200") == "200"
        assert told["HTTP_REDIRECT_STATUS"] == "404"
        assert "REDIRECT_URL" not in told


def test_redirects_that_are_no_errors(apache: Apache) -> None:
    """`Action` keeps the method and the body."""
    found = {}
    for way in PROGRAMS:
        answer = request(apache.address, "POST", f"/acted/{way}/file.txt?q", body=b"abc")
        found[way] = seen(apache, way, answer)
        assert found[way].status == 200
        told = {name: value.replace(way, "WAY") for name, value in found[way].told.items()}
        found[way] = replace(found[way], told=told)
        assert (told["REDIRECT_STATUS"], told["REDIRECT_HANDLER"], told["BODY"]) == ("200", "tell-WAY", "3 96354")
    assert all(found[way] == found["native"] for way in WAYS)


def test_a_front_controller(apache: Apache) -> None:
    """A `RewriteRule` of a directory, as in .htaccess files."""
    for method, body in (("GET", b""), ("POST", b"abc")):
        found = {}
        for way in PROGRAMS:
            answer = request(apache.address, method, f"/front/{way}/blog/a%20b?c=%20d", body=body or None)
            told = seen(apache, way, answer).told
            found[way] = {name: told[name].replace(f"/front/{way}/", "/front/WAY/") for name in told}
            found[way].pop("REDIRECT_SHOWN", None)
            assert (answer.status, told["REDIRECT_STATUS"], told["PATH_INFO"]) == (200, "200", "/blog/a b")
        assert all(found[way] == found["native"] for way in WAYS), found


def test_a_resource_to_fall_back_to(apache: Apache) -> None:
    """httpd makes no redirect of it that a program could see."""
    for way in PROGRAMS:
        answer = get(apache.address, f"/fallback/{way}/x?q")
        told = seen(apache, way, answer).told
        assert (answer.status, told["SCRIPT_NAME"], told["QUERY_STRING"]) == (200, "PAGE", "q")
        assert [name for name in told if name.startswith("REDIRECT")] == ["REDIRECT_STATUS"] * (way != "native")


@pytest.mark.parametrize("mount", ["app", "embedded"])
def test_guests_of_every_kind(apache: Apache, mount: str) -> None:
    for name in ("component", "worker", "raw", "wagi", "static", "streams"):
        for method in ("GET", "HEAD", "POST"):
            answer = request(apache.address, method, f"/o/{mount}/{name}", body=b"abc" if method == "POST" else None)
            assert answer.status == 404, (name, method)
            assert bool(answer.body) is (method != "HEAD")
            assert not answer.text.startswith("404 Not Found\nRequest ID"), "a page of the gateway's own"


def test_what_a_component_is_told(apache: Apache) -> None:
    answer = get(apache.address, "/o/app/component-target?x")
    lines = answer.text.splitlines()
    assert answer.status == 404
    assert "path /app/http/request?a=%20b" in lines
    assert {"env REDIRECT_STATUS=404", "env REDIRECT_URL=/o/app/component-target"} < set(lines)
    assert [line for line in get(apache.address, "/app/http/request").text.splitlines() if "REDIRECT" in line] == []


def test_what_an_administrator_has_set(apache: Apache) -> None:
    answer = get(apache.address, "/o/app/listed")
    told = variables(answer.text)
    assert answer.status == 404
    assert (told["REDIRECT_SHOWN"], told["REDIRECT_HTTP_AUTHORIZATION"]) == ("y", "secret")
    assert told.keys().isdisjoint({"REDIRECT_SECRET", "REDIRECT_HTTP_PROXY"})


def test_answers_that_the_server_replaces(apache: Apache) -> None:
    """`WSGIErrorOverride`, which works in daemon mode alone: the variables of the request that failed come with it,
    credentials and all."""
    target = "/override/tell/x?head=Status:%20404%0aContent-Type:%20text/plain"
    answer = request(apache.address, "POST", target, body=b"abc", fields=[LOGIN])
    told = variables(answer.text)
    assert (answer.status, told["SCRIPT_NAME"], told["PATH_INFO"]) == (404, "/app/tell", "/override")
    assert (told["REDIRECT_STATUS"], told["REDIRECT_URL"]) == ("404", "/override/tell/x")
    assert (told["REDIRECT_SCRIPT_NAME"], told["REDIRECT_PATH_INFO"]) == ("/override", "/tell/x")
    assert (told["BODY"], told["REDIRECT_CONTENT_LENGTH"]) == ("0 0", "3")
    assert told.keys().isdisjoint({"REDIRECT_HTTP_AUTHORIZATION", "REDIRECT_DOCUMENT_ROOT", "REDIRECT_PATH"})
    assert not [name for name in told if "mod_wsgi" in name or "SCRIPT_FILENAME" in name]
    assert get(apache.address, "/override/tell?head=Status:%20502%0aContent-Type:%20x").text == "/static text"
    native = get(apache.address, "/override/tell?head=Status:%20403%0aContent-Type:%20text/plain")
    assert (native.status, "REDIRECT_STATUS=403" in native.text) == (403, True)


def test_a_page_for_its_own_error(apache: Apache) -> None:
    """Apache would ask it for its own page until LimitInternalRecursion is reached."""
    answer = get(apache.address, "/override/tell?head=Status:%20410%0aContent-Type:%20text/plain")
    told = variables(answer.text)
    assert (answer.status, told["REDIRECT_REDIRECT_STATUS"], told["PATH_INFO"]) == (200, "410", "/itself")
    apache.wait_for_log("set WSGIErrorOverride Off for the path of the ErrorDocument")
    answer = get(apache.address, "/except/tell?head=Status:%20410%0aContent-Type:%20text/plain")
    told = variables(answer.text)
    assert (answer.status, told["REDIRECT_STATUS"], told["PATH_INFO"]) == (410, "410", "/itself")
