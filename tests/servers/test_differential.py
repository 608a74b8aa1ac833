"""The same C programs under Apache's own mod_cgid and, as WebAssembly, under the gateway: how they differ.

Every difference has a name, which docs/cgi.md explains. A case of the corpus that differs without a name fails, and so
does one that has a name and no longer differs, and a name without a case.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import guest, native, native_of

from .apache import Apache, Site
from .client import Answer, Connection, Truncated, chunked, get, wait_compiled
from .fixtures import serve
from .server import Server

SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon", "mod_wsgi-embedded")
GUNICORN = ("gunicorn-gthread",)
PROGRAMS = ("emit", "env", "echo", "args", "exit", "cookies")
CORPUS = Path(__file__).parents[1] / "cgi" / "corpus"

# Settings of the parser that no route may have: `max_fields` is no key, so small a `max_head` is refused, and so are
# names in `response_fields` that belong to the connection.
NO_ROUTE = ("limit-*", "control-allowed-family-only")


def read_cases() -> dict[str, dict[str, Any]]:
    """Every case that can be served."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(CORPUS.glob("*.json"))}
    return {
        name: case
        for name, case in found.items()
        if "max_fields" not in case.get("parser", {}) and not any(fnmatchcase(name, pattern) for pattern in NO_ROUTE)
    }


CASES: Mapping[str, dict[str, Any]] = read_cases()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What the gateway does otherwise, and the cases of the corpus that show it, as patterns of their names, or the
    module of other tests that do."""

    about: str
    cases: tuple[str, ...] = ()
    servers: tuple[str, ...] = SERVERS
    shown_by: str = ""


DIFFERENCES: Mapping[str, Difference] = {
    "error-status": Difference(
        about="an answer that both refuse: 502 here, since the gateway is well and the program is not; 500 there",
    ),
    "strict-head": Difference(
        about="CR, NUL and control characters, an empty head, too many lines: refused, not repaired",
        cases=(
            *("cr-alone-line", "cr-in-value", "cr-only-then-lf", "crcrlf", "value-leading-cr", "nul-in-value"),
            *("empty-head-*", "empty-line-before-head", "utf16-be", "status-bad-control"),
            *("fields-101", "fields-all-dropped"),
            "location-cr",
        ),
    ),
    "status-range": Difference(
        about="`Status` is three digits from 200 to 599, then nothing or a space and a reason, once",
        cases=(
            *("status-bad-099", "status-bad-1??", "status-bad-600", "status-bad-decimal", "status-bad-plus"),
            *("status-bad-glued", "status-bad-tab", "status-bad-reason-tab", "status-twice", "status-twice-equal"),
        ),
    ),
    "duplicate-type": Difference(
        about="two `Content-Type` fields are refused", cases=("content-type-twice", "content-type-underscore*")
    ),
    "length-checked": Difference(
        about="a `Content-Length` that is no plain number, or two that differ, is refused",
        cases=("length-bad-*", "length-two-differ", "length-underscore*"),
    ),
    "length-cut": Difference(
        about="a body beyond its `Content-Length` is cut", cases=("length-smaller", "length-zero")
    ),
    "transfer-encoding": Difference(about="`Transfer-Encoding` is refused", cases=("transfer-encoding-*",)),
    "repeated-fields": Difference(
        about="repeated fields stay apart; under mod_wsgi it is Apache that joins them",
        cases=("repeated-field",),
        servers=GUNICORN,
    ),
    "hop-by-hop": Difference(
        about="fields that belong to the connection are dropped",
        cases=("hop-by-hop", "hop-by-hop-*", "connection-names-fields", "connection-names-underscores"),
    ),
    "server-control": Difference(
        about="fields that front servers obey are dropped unless the route allows them", cases=("control-*",)
    ),
    "local-redirect": Difference(
        about="a local path is served inside only if the route allows it, else it goes to the client as a 302",
        cases=("local-redirect-*",),
    ),
    "client-redirect": Difference(
        about="a `Location` beside other fields, or that is no path, goes to the client; a 200 that is said stays; "
        "an empty one, or a second, is refused",
        cases=(
            *("client-redirect-*", "location-and-*", "location-status-200", "location-status-200-local"),
            *("location-empty", "location-twice"),
        ),
    ),
    "nph": Difference(about="a status line first is understood, whatever the program is called", cases=("nph*",)),
    "reason-phrase": Difference(
        about="a status without a reason gets the registered one",
        cases=("status-trailing-space", "status-unknown-code"),
    ),
    "variables": Difference(about="meta-variables and arguments, see TOLD"),
    "chunked-body": Difference(about="a body without a length is spooled, and its length told, see TOLD"),
    "own-pages": Difference(
        about="errors that the server finds itself, and redirects without a body, have a page there",
        shown_by="test_own_pages",
    ),
    "delivered-body": Difference(about="`CONTENT_LENGTH` is what came", shown_by="test_delivered_bodies"),
    "conditions": Difference(
        about="preconditions in the order of RFC 9110, also for a 200 that is said",
        shown_by="test_conditions_and_heads",
    ),
    "long-fields": Difference(about="lines of more than 8,189 bytes pass", shown_by="test_conditions_and_heads"),
}


def names_of(case: str) -> list[str]:
    """The differences that a case of the corpus is listed under."""
    if "mod_cgid" not in CASES[case]:
        return ["error-status"] if "error" in CASES[case]["head"] else []
    return [
        name
        for name, difference in DIFFERENCES.items()
        if any(fnmatchcase(case, pattern) for pattern in difference.cases)
    ]


# What a program is told, and where: "here" alone, "there" alone, or in "both" but not the same.
TOLD: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    # the route says what a guest sees of the host's paths; here it sees none
    ("CONTEXT_DOCUMENT_ROOT", "there"): ("variables", SERVERS),
    ("CONTEXT_PREFIX", "there"): ("variables", SERVERS),
    ("DOCUMENT_ROOT", "there"): ("variables", SERVERS),
    ("PATH_TRANSLATED", "there"): ("variables", SERVERS),
    ("SCRIPT_FILENAME", "there"): ("variables", SERVERS),
    # the host's environment and the front server's: only what `env` and `pass_env` name
    ("CORPUS", "there"): ("variables", SERVERS),
    ("PATH", "there"): ("variables", SERVERS),
    ("SERVER_ADMIN", "there"): ("variables", SERVERS),
    ("SERVER_SIGNATURE", "there"): ("variables", SERVERS),
    # about the connection, not the message
    ("HTTP_CONNECTION", "there"): ("variables", SERVERS),
    ("HTTP_KEEP_ALIVE", "there"): ("variables", SERVERS),
    ("HTTP_TE", "there"): ("variables", SERVERS),
    # RFC 3875 4.1.3: with a body
    ("CONTENT_TYPE", "there"): ("variables", SERVERS),
    # always set here, also empty
    ("PATH_INFO", "here"): ("variables", SERVERS),
    ("REDIRECT_STATUS", "here"): ("variables", SERVERS),
    ("REQUEST_ID", "here"): ("variables", SERVERS),
    ("SERVER_SOFTWARE", "both"): ("variables", SERVERS),
    # in origin-form
    ("REQUEST_URI", "both"): ("variables", SERVERS),
    # the program's name, not its path; the query only with `query_args`
    ("arguments", "both"): ("variables", SERVERS),
    # gunicorn joins with a comma alone, takes no dots out of a target, and does not know its address
    ("HTTP_COOKIE", "both"): ("variables", GUNICORN),
    ("HTTP_X_TWICE", "both"): ("variables", GUNICORN),
    ("PATH_INFO", "both"): ("variables", GUNICORN),
    ("SERVER_ADDR", "there"): ("variables", GUNICORN),
    ("CONTENT_LENGTH", "here"): ("chunked-body", SERVERS),
    ("HTTP_TRANSFER_ENCODING", "there"): ("chunked-body", SERVERS),
}


# --- the servers ---


@pytest.fixture(scope="module")
def place(open_module_tmp: Path) -> Path:
    """Programs, native and not, and the corpus, where Apache's user may read them."""
    path = open_module_tmp
    for name in PROGRAMS:
        put_native(path, name, name)
        copy(guest(name), path / "wasm" / f"{name}.wasm", 0o644)
    for case in CORPUS.glob("*.guest"):
        copy(case, path / "corpus" / case.name, 0o644)
    for folder in (path, *(entry for entry in path.iterdir() if entry.is_dir())):
        folder.chmod(0o755)
    return path


def put_native(place: Path, name: str, script: str) -> None:
    """A native program, as a script for mod_cgid; see drain.c."""
    copy(drain(), place / "native" / script, 0o755)
    copy(native(name), place / "native" / f"{script}.program", 0o755)


def drain() -> Path:
    return native_of(Path(__file__).parent / "apps" / "drain.c", "drain.cgi")


def copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def settings_of(case: str) -> tuple[str, dict[str, Any]]:
    """The path of the route that a case needs, and the keys of that route."""
    parser = CASES[case].get("parser", {})
    keys = {"response_fields": parser["allowed"]} if "allowed" in parser else {}
    return ("/cgi/emit" if not keys else f"/cgi/emit-{case}", keys)


@pytest.fixture(scope="module")
def apache(place: Path) -> Iterator[Server]:
    """Apache with mod_cgid; `/cgi/emit-CASE` is the same program as `/cgi/emit`."""
    # where an answer breaks off, an open connection would leave the client waiting for the rest
    text = f"SetEnv CORPUS {place}/corpus\nKeepAlive Off"
    for case in CASES:
        if settings_of(case)[1]:
            put_native(place, "emit", Path(settings_of(case)[0]).name)
    site = Site(text=text, wsgi=False, native={"/cgi/": place / "native"})
    with Apache.start(site, place, name="native") as server:
        yield server


@pytest.fixture(scope="module", params=SERVERS)
def gateway(request: pytest.FixtureRequest, place: Path) -> Iterator[Server]:
    routes: dict[str, Any] = {f"/cgi/{name}": {"module": f"wasm/{name}.wasm"} for name in PROGRAMS}
    routes["/cgi/args-query"] = {"module": "wasm/args.wasm", "query_args": True}
    emit = {"module": "wasm/emit.wasm", "dirs": {"/corpus": f"{place}/corpus"}, "env": {"CORPUS": "/corpus"}}
    for case in CASES:
        path, keys = settings_of(case)
        routes[path] = emit | keys
    site = place / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    site.chmod(0o644)
    with serve(str(request.param), site, place, ready="/cgi/emit") as server:
        for path in routes:
            compiled(server, path)
        yield server


def compiled(server: Server, path: str) -> None:
    """Return once the module of a route is."""
    wait_compiled(server.address, path)


# --- answers ---

SERVERS_OWN = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request. The target begins with the program's name."""

    target: str
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Seen:
    """What counts of an answer: fields of the guest, those of one name in their order, without case."""

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes


def seen(status: int, reason: str, fields: Sequence[Sequence[str]], body: bytes) -> Seen:
    kept = [(name.lower(), value.strip(" \t")) for name, value in fields]
    kept = [field for field in kept if field[0] not in SERVERS_OWN | {"x-request-id"}]
    if 300 <= status < 400:  # httpd has a page of its own, and so has the gateway for a local redirect
        kept, body = [field for field in kept if field[0] != "content-type"], b""
    return Seen(status, reason.strip(), tuple(sorted(kept, key=lambda field: field[0])), body)


def look(answer: Answer) -> Seen:
    return seen(answer.status, answer.reason, answer.fields, answer.body)


def ask(server: Server, request: Request) -> Answer:
    """The gateway's answer, which must be whole; the connection is good for the next request, or closed."""
    with Connection(server.address) as connection:
        connection.send_request(request.method, request.target, fields=request.fields, body=request.body)
        answer = connection.read_answer()
        if "close" in (answer.field("Connection") or "").lower():
            assert connection.ended()
            return answer
        connection.send_request("GET", "/cgi/emit?case=lf.guest")
        following = connection.read_answer()
        assert (following.status, following.body) == (200, b"ok\n"), f"after {request}"
        return answer


def ask_natively(server: Server, request: Request) -> Seen | None:
    """mod_cgid's answer, None where it is no valid one. Some of its error pages end too early."""
    with Connection(server.address) as connection:
        connection.send_request(request.method, request.target, fields=request.fields, body=request.body)
        try:
            head = connection.read_head()
        except (Truncated, ValueError):  # what follows a final 1xx, which is skipped, has no status line
            return None
        try:
            body = b"".join(piece for _, piece in connection.pieces(head))
        except Truncated as error:
            assert head.status >= 500
            body = error.body
    return look(replace(head, body=body)) if head.status >= 200 else None


# --- the corpus ---


def request_of(case: str) -> Request:
    asked = CASES[case].get("request", {})
    fields = tuple((name, value) for name, value in asked.get("fields", []))
    target = f"{settings_of(case)[0]}?case={case}.guest"
    return Request(target, asked.get("method", "GET"), fields, asked.get("body", "").encode())


def body_of(expected: Mapping[str, Any]) -> bytes:
    if "body" in expected:
        return str(expected["body"]).encode("utf-8")
    return base64.b64decode(expected.get("body_base64", ""))


def merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Later parts win, and their body replaces one that is spelled the other way."""
    result: dict[str, Any] = {}
    for part in parts:
        if "body" in part:
            result.pop("body_base64", None)
        result |= part
    return result


def expected_here(case: str, server: str) -> Seen:
    """For an answer that is not refused."""
    expected = merged(CASES[case]["head"], CASES[case].get("response", {}))
    fields = expected["fields"]
    if server.startswith("mod_wsgi"):
        fields = [[name, served_by_apache(name, value, expected["status"])] for name, value in joined(fields)]
    return seen(expected["status"], expected["reason"], fields, body_of(expected))


def joined(fields: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Apache joins repeated fields, but for cookies."""
    result = [(name, value) for name, value in fields if name.lower() == "set-cookie"]
    others = sorted((field for field in fields if field[0].lower() != "set-cookie"), key=lambda field: field[0].lower())
    for _, same in groupby(others, key=lambda field: field[0].lower()):
        group = list(same)
        result.append((group[0][0], ",".join(value for _, value in group)))
    return result


def served_by_apache(name: str, value: str, status: int) -> str:
    """mod_wsgi would take a 200 with a local path for an order, so the gateway makes the path absolute."""
    if name.lower() == "location" and status == 200 and value.startswith("/"):
        return "http://ADDRESS" + value
    return value


def without_address(answer: Seen, server: Server) -> Seen:
    fields = tuple((name, value.replace(server.url, "http://ADDRESS")) for name, value in answer.fields)
    return Seen(answer.status, answer.reason, fields, answer.body)


@pytest.mark.parametrize("case", CASES)
def test_corpus(case: str, apache: Server, gateway: Server) -> None:
    answer = ask(gateway, request_of(case))
    ours, theirs = without_address(look(answer), gateway), ask_natively(apache, request_of(case))

    if "error" in CASES[case]["head"]:
        assert (ours.status, ours.reason) == (502, "Bad Gateway")
        assert answer.body == f"502 Bad Gateway\nRequest ID: {answer.field('X-Request-ID')}\n".encode()
        assert [name for name, _ in ours.fields] == ["content-type"]
    else:
        assert ours == expected_here(case, gateway.name)
    check_native(case, theirs)

    names = [name for name in names_of(case) if gateway.name in DIFFERENCES[name].servers]
    assert (ours != theirs) == bool(names), f"listed under {names}"


def check_native(case: str, theirs: Seen | None) -> None:
    """mod_cgid still does what was recorded (see the corpus's README)."""
    head, recorded = CASES[case]["head"], CASES[case].get("mod_cgid", {})
    if "error" in recorded or recorded.get("status", 200) < 200:
        assert theirs is None
        return
    assert theirs is not None
    if "error" in head and not recorded:
        assert theirs.status in (500, 502)
        return
    expected = merged(head, CASES[case].get("response", {}), recorded)
    assert theirs.status == expected["status"]
    if "fields" in recorded or ("status" not in recorded and "error" not in head):
        reason = "OK" if "error" in head else expected["reason"]
        assert theirs == seen(expected["status"], reason, expected["fields"], body_of(expected))


def test_every_case_that_differs_has_one_name() -> None:
    names = {case: names_of(case) for case in CASES if "mod_cgid" in CASES[case]}
    assert {case: found for case, found in names.items() if len(found) != 1} == {}


def test_the_names_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cgi.md").read_text("utf-8")
    table = text.partition("## Differences from Apache's mod_cgid\n")[2].partition("\n## ")[0]
    names = [line.split("|")[1].strip().strip("`") for line in table.splitlines() if line.startswith("| `")]
    assert sorted(names) == sorted(DIFFERENCES)


def test_every_name_has_cases() -> None:
    shown = {name for case in CASES for name in names_of(case)} | {name for name, _ in TOLD.values()}
    shown |= {name for name, difference in DIFFERENCES.items() if difference.shown_by}
    assert shown == set(DIFFERENCES)
    idle = [
        pattern
        for difference in DIFFERENCES.values()
        for pattern in difference.cases
        if not any("mod_cgid" in CASES[case] for case in CASES if fnmatchcase(case, pattern))
    ]
    assert idle == []


# --- what programs are told ---

EVERY_BYTE = bytes(range(256))
CHUNKED = (("Transfer-Encoding", "chunked"),)
HEADERS = (
    ("User-Agent", "test/1"),
    ("Accept", "*/*;q=0.1"),
    ("Accept-Encoding", "gzip"),
    ("Range", "bytes=0-1"),
    ("Referer", "http://other.example/?a=b"),
    ("X-Empty", ""),
    ("X-Latin", "caf\xe9"),
    ("X-Twice", "1"),
    ("X-Twice", "2"),
    ("Cookie", "a=1"),
    ("Cookie", "b=2"),
)
NEVER_TOLD = (  # neither here nor there
    ("Authorization", "Basic eDp5"),
    ("Proxy-Authorization", "Basic eDp5"),
    ("Proxy", "http://other.example/"),
    ("X_Under", "score"),
)
FOR_THE_SERVER = (("Connection", "close"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"))

TO_ENV = (
    Request("/cgi/env"),
    Request("/cgi/env?"),
    Request("/cgi/env/"),
    Request("/cgi/env/a%20b/c?x=1&y=%41;z=+"),
    Request("/cgi/env/%C3%A9%FF?%FF"),
    Request("/cgi/env/a//b/./c/../d"),
    Request("/cgi/env/a?%zz&?/"),
    Request("http://other.example/cgi/env?q"),
    Request("/cgi/env", fields=(("Host", "A.Example"),)),
    Request("/cgi/env", fields=(("Host", "a.example.:81"),)),
    Request("/cgi/env", fields=(("Host", "[::1]:81"),)),
    Request("/cgi/env", fields=HEADERS),
    Request("/cgi/env", fields=NEVER_TOLD),
    Request("/cgi/env", fields=FOR_THE_SERVER),
    Request("/cgi/env", fields=(("Content-Type", "text/x"),)),
    Request("/cgi/env", "POST", (("Content-Type", "text/x; charset=y"),), b"abc"),
    Request("/cgi/env", "POST", (("Content-Length", "0"),)),
    Request("/cgi/env", "POST", (*CHUNKED, ("Content-Type", "text/x")), chunked([b"ab", b"c"])),
    Request("/cgi/env", "PUT", (), EVERY_BYTE),
    Request("/cgi/env", "DELETE"),
    Request("/cgi/env", "OPTIONS"),
    Request("/cgi/env", "PROPFIND"),
    Request("/cgi/env", "INVENTED"),
)


def variables(answer: Seen, server: Server) -> dict[str, str]:
    """What `env` printed, without numbers that are of this server or connection alone."""
    assert (answer.status, answer.fields) == (200, (("content-type", "text/plain"),))
    lines = answer.body.decode("latin-1").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines), "a name twice"
    if found["SERVER_PORT"] in (str(server.port), "80") and not found["HTTP_HOST"].endswith(":80"):
        # a client that names no port means the scheme's; Apache tells its own
        found["SERVER_PORT"] = "PORT"
    assert found["REMOTE_PORT"].isdigit()
    found["REMOTE_PORT"] = "PORT"
    return {name: value.replace(f":{server.port}", ":PORT") for name, value in found.items()}


def kinds(ours: Mapping[str, str], theirs: Mapping[str, str]) -> set[tuple[str, str]]:
    differing = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    return {(name, "there" if name not in ours else "both" if name in theirs else "here") for name in differing}


def test_meta_variables(apache: Server, gateway: Server) -> None:
    found: dict[tuple[str, str], list[Request]] = {}
    for request in TO_ENV:
        ours = variables(look(ask(gateway, request)), gateway)
        native_answer = ask_natively(apache, request)
        assert native_answer is not None
        for kind in kinds(ours, variables(native_answer, apache)):
            found.setdefault(kind, []).append(request)

    listed = {kind for kind, (_, servers) in TOLD.items() if gateway.name in servers} - {("arguments", "both")}
    assert {kind: requests for kind, requests in found.items() if kind not in listed} == {}
    assert listed - found.keys() == set()
    only_chunked = {kind for kind in listed if TOLD[kind][0] == "chunked-body"}
    assert {request.fields[:1] for kind in only_chunked for request in found[kind]} == {CHUNKED}


def test_arguments(apache: Server, gateway: Server) -> None:
    """Apache makes arguments of a query without `=`; the gateway does if the route says so."""
    for query in ("", "?a=b", "?a+b%20c", "?%2D%2Dhelp"):
        theirs = arguments(ask_natively(apache, Request(f"/cgi/args{query}")))
        assert theirs[0].endswith("/args]")
        assert arguments(look(ask(gateway, Request(f"/cgi/args{query}")))) == ["[args.wasm]"]
        asked_for = arguments(look(ask(gateway, Request(f"/cgi/args-query{query}"))))
        assert asked_for[1:] == theirs[1:]


def arguments(answer: Seen | None) -> list[str]:
    assert answer is not None
    assert answer.status == 200
    return answer.body.decode().splitlines()[1:]


ALIKE = (
    Request("/cgi/echo"),
    Request("/cgi/echo", "HEAD"),
    Request("/cgi/echo", "POST", (("Content-Length", "0"),)),
    Request("/cgi/echo", "POST", (), EVERY_BYTE),
    Request("/cgi/echo", "POST", (), b"0123456789abcdef" * 20000),
    Request("/cgi/echo", "PUT", (), b"\0"),
    Request("/cgi/echo", "GET", (), b"a body\n"),
    Request("/cgi/echo", "POST", CHUNKED, chunked([b"ab", EVERY_BYTE, b"c"])),
    Request("/cgi/echo", "POST", CHUNKED, chunked([])),
    Request("/cgi/echo", "POST", (("Expect", "100-continue"),), b"abc"),
    Request("/cgi/cookies"),
    Request("/cgi/cookies", "HEAD"),
    Request("/cgi/cookies", fields=(("Cookie", "a=1; b=2"),)),
    Request("/cgi/exit?when=after"),
    Request("/cgi/exit?when=after&code=3"),
    Request("/cgi/exit?when=after&code=3&how=return"),
    Request("/cgi/exit?when=after&code=255&how=quick"),
)


@pytest.mark.parametrize("request_", ALIKE, ids=lambda r: f"{r.method}-{r.target}-{len(r.body)}")
def test_what_is_the_same(request_: Request, apache: Server, gateway: Server) -> None:
    assert look(ask(gateway, request_)) == ask_natively(apache, request_)


@pytest.mark.parametrize("query", ["when=before", "when=before&code=3", "when=half", "when=half&code=3"])
def test_ends_without_a_head(query: str, apache: Server, gateway: Server) -> None:
    """error-status again, for programs that say nothing or not enough."""
    theirs = ask_natively(apache, Request(f"/cgi/exit?{query}"))
    assert theirs is not None
    assert (ask(gateway, Request(f"/cgi/exit?{query}")).status, theirs.status) == (502, 500)


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        ("/cgi/emit?case=client-redirect-url.guest", (302, 302)),
        ("/cgi/nothing", (404, 404)),
        ("/cgi/", (403, 404)),
    ],
)
def test_own_pages(target: str, statuses: tuple[int, int], apache: Server, gateway: Server) -> None:
    """`look` leaves out what a redirect's page says, which is the difference here."""
    theirs, ours = (get(server.address, target) for server in (apache, gateway))
    assert (theirs.status, ours.status) == statuses
    assert theirs.body.startswith(b"<!DOCTYPE HTML")
    assert b"<" not in ours.body
