"""`wsgi-wasm compare`: what it finds between two sites, what rules allow, and what bad sites and files do to it."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migration.answering import Answer, Answering, answer, answering, dripping, endless
from servers.process import closed_port
from wsgi_wasm.cli import main
from wsgi_wasm.migration.access_log import read_access_log
from wsgi_wasm.migration.body_rows import rows_of
from wsgi_wasm.migration.figures import quantile
from wsgi_wasm.migration.har import read_har
from wsgi_wasm.migration.planned import MOST_REASONS, MOST_REQUESTS, BadRequests, read_list

PLAIN = "Content-Type: text/plain"


@dataclass
class Compared:
    """How a comparison ended, and what each site was asked."""

    status: int
    out: str
    err: str
    native: Answering
    ours: Answering

    @property
    def found(self) -> dict[str, Any]:
        """With --json."""
        value: dict[str, Any] = json.loads(self.out)
        return value

    def differences(self) -> dict[str, list[tuple[str, str, str]]]:
        """With --json: by target."""
        return {
            one["target"]: [(d["part"], d["native"], d["ours"]) for d in one["differences"]]
            for one in self.found["outcomes"]
        }


Comparer = Callable[..., Compared]


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Comparer:
    """`compare(native answers, our answers, options..., requests="/a\\n")`; without a list, every target is sent."""
    monkeypatch.chdir(tmp_path)

    def run(
        native: Mapping[str, Answer],
        ours: Mapping[str, Answer],
        *options: str,
        requests: str | None = None,
        name: str = "requests.txt",
    ) -> Compared:
        text = "".join(f"{target}\n" for target in native) if requests is None else requests
        Path(name).write_text(text, encoding="utf-8")
        with answering(native) as theirs, answering(ours) as mine:
            status = main(["compare", theirs.url, mine.url, name, *options])
        shown = capsys.readouterr()
        return Compared(status, shown.out, shown.err, theirs, mine)

    return run


# --- what differs ---


def test_the_same(compare: Comparer) -> None:
    site = {"/": answer("hello", "200 OK", PLAIN), "/gone": answer("", "404 Not Found")}
    done = compare(site, site)
    assert done.status == 0
    assert done.out.splitlines()[0] == "2 requests: 2 the same, 0 that differ"
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["native", "ours"]


def test_status_fields_and_body(compare: Comparer) -> None:
    native = {"/a": answer("one\ntwo\n", "200 OK", PLAIN, "X-There: 1"), "/b": answer("x")}
    ours = {"/a": answer("one\n2\n", "502 Bad Gateway", "Content-Type: text/html", "X-Here: 2"), "/b": answer("x")}
    done = compare(native, ours, "--json")
    assert done.status == 1
    assert (done.found["same"], done.found["differing"]) == (1, 1)
    assert done.differences() == {
        "/a": [
            ("status", "200", "502"),
            ("content-type", "text/plain", "text/html"),
            ("x-here", "", "2"),
            ("x-there", "1", ""),
            ("body", "8 bytes", "6 bytes"),
        ]
    }
    body = done.found["outcomes"][0]["differences"][-1]
    assert body["offset"] == 4
    assert {"kind": "differs", "number": 2, "native": "two", "ours": "2"} in body["rows"]


def test_what_differs_by_nature(compare: Comparer) -> None:
    native = {
        "/": answer("x", "200 OK", "Date: a", "Server: Apache", "Keep-Alive: timeout=5", "Vary: a,  b", "Vary: c")
    }
    ours = {"/": b"HTTP/1.1 200 Fine\r\nServer: x\r\nX-Request-ID: 1\r\nvary: a, b, c\r\nConnection: close\r\n\r\nx"}
    assert compare(native, ours).status == 0


def test_cookies_are_no_list(compare: Comparer) -> None:
    native = {"/": answer("", "200 OK", "Set-Cookie: a=1", "Set-Cookie: b=2")}
    assert compare(native, {"/": answer("", "200 OK", "Set-Cookie: a=1, b=2")}).status == 1


def test_where_a_site_is_does_not_count(compare: Comparer) -> None:
    def here(connection: Any) -> None:
        own = f"http://127.0.0.1:{connection.getsockname()[1]}"
        connection.sendall(answer(f"<a href='{own}/x'>", "302 Found", f"Location: {own}/x"))

    assert compare({"/": here}, {"/": here}).status == 0


def test_redirects_are_not_followed(compare: Comparer) -> None:
    done = compare(
        {"/": answer("", "302 Found", "Location: /x")}, {"/": answer("", "302 Found", "Location: /y")}, "--json"
    )
    assert done.differences() == {"/": [("location", "/x", "/y")]}
    assert len(done.ours.requests) == 1


@pytest.mark.parametrize("size", [1000, 5 << 20])
def test_large_bodies(size: int, compare: Comparer) -> None:
    body = os.urandom(size)
    changed = bytearray(body)
    changed[size - 10] ^= 1
    done = compare({"/": answer(body)}, {"/": answer(bytes(changed))}, "--json")
    (difference,) = done.found["outcomes"][0]["differences"]
    assert (difference["part"], difference["offset"]) == ("body", size - 10)
    assert any(row["kind"] != "same" for row in difference["rows"])


def test_a_body_that_ends_early(compare: Comparer) -> None:
    done = compare({"/": answer("abcdef")}, {"/": answer("abc")}, "--json")
    assert done.found["outcomes"][0]["differences"][0]["offset"] == 3


def test_bodies_beyond_the_bound(compare: Comparer) -> None:
    assert compare({"/": endless}, {"/": endless}, "--max-body", "256KiB").status == 0
    done = compare({"/": endless}, {"/": answer("x" * (256 << 10))}, "--max-body", "256KiB", "--json")
    assert done.differences() == {"/": [("body", "262,144 bytes and more", "262,144 bytes")]}


def test_answers_that_change_by_themselves_are_told(compare: Comparer) -> None:
    count = iter(range(100))

    def counting(connection: Any) -> None:
        connection.sendall(answer(f"visitor {next(count)}"))

    done = compare({"/": counting}, {"/": counting})
    assert done.status == 1
    assert "does not give the same answer twice" in done.out
    assert compare({"/": counting}, {"/": counting}, "--mask", r"visitor \d+").status == 0


# --- rules ---

RULES = """
ignore: [X-Powered-By]
mask: ['now=[0-9]+']
expect:
  error-status: {path: /broken*, status: [500, 502], body: any, fields: [Content-Type]}
  software: {path: [/env, /env/*], mask: 'SOFTWARE=.*'}
  other: {path: /env, mask: ['PORT=\\d+', 'NAME=\\w+']}
  unused: {path: /x, status: [1, 2]}
"""


def test_rules(compare: Comparer, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    native = {
        "/broken.cgi": answer("<h1>500</h1>", "500 X", "Content-Type: text/html"),
        "/env": answer("A=1\nSOFTWARE=Apache\nPORT=80\n", "200 OK", "X-Powered-By: a"),
        "/env/x": answer("SOFTWARE=a\nnow=1"),
        "/now": answer("now=1", "200 OK", "X-Time: now=1"),
    }
    ours = {
        "/broken.cgi": answer("502", "502 X", PLAIN),
        "/env": answer("A=1\nSOFTWARE=ours\nPORT=81\n", "200 OK", "X-Powered-By: b"),
        "/env/x": answer("SOFTWARE=b\nnow=2"),
        "/now": answer("now=2", "200 OK", "X-Time: now=2"),
    }
    done = compare(native, ours, "--rules", "rules.yaml", "--json")
    assert done.status == 0
    assert done.found["rules"] == {"error-status": 1, "other": 1, "software": 2}
    assert (done.found["same"], done.found["allowed"]) == (1, 3)
    assert "the rule unused was not needed" in done.found["remarks"]
    ours["/env/x"] = answer("SOFTWARE=b\nnow=2\nmore")
    ours["/broken.cgi"] = answer("502", "504 X", PLAIN)
    done = compare(native, ours, "--rules", "rules.yaml", "--json")
    assert done.status == 1
    assert {one["target"]: one["verdict"] for one in done.found["outcomes"]} == {
        "/broken.cgi": "differs",
        "/env": "allowed",
        "/env/x": "differs",
    }


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("- a", "the file: must have keys (ignore, mask, expect)"),
        ("ignored: [a]", "unknown key 'ignored'; did you mean 'ignore'?"),
        ("ignore: [1]", "ignore: must be a text or a list of texts"),
        ("mask: '('", "mask: '(' is no regular expression"),
        ("expect: [a]", "expect: must have a name for each difference"),
        ("expect: {a: {path: /}}", "expect: a: must say what may differ"),
        ("expect: {a: {status: 500}}", "expect: a: status: must be two numbers"),
        ("expect: {a: {status: [a, b]}}", "expect: a: status: must be two numbers"),
        ("expect: {a: {body: some}}", "expect: a: body: can only be `any`"),
        ("expect: {a: {body: any, path: 5}}", "expect: a: path: must be a text"),
        ("a: [", "is no YAML"),
        ("a: &a [*a]", "unknown key 'a'"),
        ("[" * 5000, "is no YAML"),
    ],
)
def test_bad_rules_are_wrong_usage(rules: str, words: str, compare: Comparer) -> None:
    Path("rules.yaml").write_text(rules, encoding="utf-8")
    done = compare({}, {}, "--rules", "rules.yaml", requests="/\n")
    assert (done.status, done.out) == (2, "")
    assert "rules.yaml: " in done.err
    assert words in done.err
    assert done.native.requests == []


# --- which requests are sent ---


def test_side_effects_only_where_asked(compare: Comparer) -> None:
    site = {"/": answer("x"), "/form": answer("y")}
    requests = "/\nPOST /form\n    = a=b\nDELETE /form\n"
    done = compare(site, site, "--json", requests=requests)
    assert done.found["requests"] == 1
    assert "1 left out: POST: it may have side effects, --unsafe sends it" in done.found["remarks"]
    done = compare(site, site, "--unsafe", "--repeat", "5", requests=requests)
    assert sorted(one.split(b" ")[0] for one in done.ours.requests) == [b"DELETE", *[b"GET"] * 5, b"POST"]
    (post,) = (one for one in done.ours.requests if one.startswith(b"POST"))
    assert post.endswith(b"\r\n\r\na=b")
    assert b"\r\nContent-Length: 3\r\n" in post


def test_what_is_sent(compare: Comparer) -> None:
    done = compare(
        {"/p/a?b=%C3%A9": answer()},
        {},
        "--host",
        "shop.example",
        "-H",
        "X-More: yes",
        requests="/p/a?b=é\n  Accept: text/plain\n  Connection: x\n  User-Agent: me\n",
    )
    (request,) = done.ours.requests
    assert request.decode().split("\r\n")[:-2] == [
        "GET /p/a?b=%C3%A9 HTTP/1.1",
        "Host: shop.example",
        "Accept: text/plain",
        "User-Agent: me",
        "X-More: yes",
        "Connection: close",
    ]


def test_a_site_below_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.txt").write_text("/x?y\n", encoding="utf-8")
    with answering({"/x?y": answer("a")}) as native, answering({"/app/x?y": answer("a")}) as ours:
        assert main(["compare", native.url + "/", ours.url + "/app/", str(tmp_path / "r.txt")]) == 0


def test_a_list() -> None:
    text = "# comment\n\n/a\nHEAD /b?c\n\n  X-One:  1 \n\t# no\n\tX-Two: a:b\n"
    text += "PUT /d\n  = one\n  =\n  = two\n/a\n/e\n  = x\n"
    plan = read_list(Path("r.txt"), text)
    assert [(one.method, one.target, one.fields, one.body, one.source) for one in plan.requests] == [
        ("GET", "/a", (), b"", "r.txt:3"),
        ("HEAD", "/b?c", (("X-One", "1"), ("X-Two", "a:b")), b"", "r.txt:4"),
        ("PUT", "/d", (), b"one\n\ntwo", "r.txt:9"),
        ("POST", "/e", (), b"x", "r.txt:14"),
    ]
    assert plan.left_out == {"the same as another": 1}


def test_a_body_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "body.bin").write_bytes(b"\0\xff")
    plan = read_list(tmp_path / "r.txt", "POST /\n  @ body.bin\n")
    assert plan.requests[0].body == b"\0\xff"


@pytest.mark.parametrize(
    "text",
    [
        "  X: y\n",
        "/a b c\n",
        "GET x\n",
        "GET /\n  what\n",
        "G@T /\n",
        "CONNECT /\n",
        "/\n  @ nowhere\n",
        "/\n  a b: c\n",
    ],
)
def test_bad_lists(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequests, match=r"r\.txt:1: "):
        read_list(tmp_path / "r.txt", text)


COMBINED = r"""
127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.cgi?x=1 HTTP/1.0" 200 2326
shop.example:443 ::1 - - [10/Oct/2000:13:55:36 -0700] "HEAD /b HTTP/1.1" 304 - "http://x/\"y" "agent \x41"
10.0.0.1 - "a b" [10/Oct/2000:13:55:36 -0700] "GET http://other.example/c?d HTTP/1.1" 200 5 "-" "-"
10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "POST /form HTTP/1.1" 200 5 "-" "-"
10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a.cgi?x=1 HTTP/1.1" 200 2326
10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 226 "-" "-"
10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "-" 408 - "-" "-"
10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /x\r\nX-Evil:1 HTTP/1.1" 200 5
nonsense
""".strip()


def test_an_access_log() -> None:
    plan = read_access_log(Path("access.log"), COMBINED)
    assert [(one.method, one.target, one.fields) for one in plan.requests] == [
        ("GET", "/a.cgi?x=1", ()),
        ("HEAD", "/b", (("Referer", 'http://x/"y'), ("User-Agent", "agent A"))),
        ("GET", "/c?d", ()),
    ]
    assert sum(plan.left_out.values()) == 6
    assert plan.left_out["POST: a log has no bodies"] == 1


def test_a_log_of_strangers_is_bounded() -> None:
    """Each line another request, and each another mistake."""
    line = '10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "{} HTTP/1.1" 200 5\n'
    good = "".join(line.format(f"GET /{number}") for number in range(MOST_REQUESTS + 10))
    bad = "".join(line.format(f"GET {number}") for number in range(1000))
    plan = read_access_log(Path("access.log"), good + bad)
    assert len(plan.requests) == MOST_REQUESTS
    assert len(plan.left_out) == MOST_REASONS + 1
    assert sum(plan.left_out.values()) == 1010


def har(*entries: Mapping[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": [{"request": entry} for entry in entries]}})


SECRET = "s3cr3t-value-of-a-cookie"
ENTRIES = (
    {
        "method": "get",
        "url": "https://shop.example/a?b=c#d",
        "headers": [
            {"name": ":method", "value": "GET"},
            {"name": "Cookie", "value": f"id={SECRET}; other=12345"},
            {"name": "Authorization", "value": "Basic dXNlcjpwYXNzd29yZA=="},
            {"name": "Accept-Encoding", "value": "gzip"},
            {"name": "Host", "value": "shop.example"},
        ],
    },
    {"method": "GET", "url": "https://cdn.example/x.js", "headers": []},
    {"method": "POST", "url": "https://shop.example/f", "postData": {"mimeType": "text/x", "text": "é"}},
    {"method": "POST", "url": "https://shop.example/g", "postData": {"params": [{"name": "a b", "value": "&"}]}},
    {"method": "GET", "url": "data:text/plain,x"},
    {"url": 5},
)


def test_a_har_file() -> None:
    plan = read_har(Path("site.har"), har(*ENTRIES))
    first, *posts = plan.requests
    assert (first.method, first.target) == ("GET", "/a?b=c")
    assert [name for name, _ in first.fields] == ["Cookie", "Authorization"]
    assert [(one.target, one.fields, one.body) for one in posts] == [
        ("/f", (("Content-Type", "text/x"),), "é".encode()),
        ("/g", (), b"a+b=%26"),
    ]
    assert sum(plan.left_out.values()) == 3


@pytest.mark.parametrize("text", ["{", "{}", '{"log": {"entries": {}}}', '{"a":' * 5000, '{"log": 5}'])
def test_bad_har_files(text: str) -> None:
    with pytest.raises(BadRequests, match=r"x\.har: is no "):
        read_har(Path("x.har"), text)


@pytest.mark.parametrize("requests", ["", "# nothing\n", "nonsense\n", "POST /x\n"])
def test_no_requests_is_wrong_usage(requests: str, compare: Comparer) -> None:
    done = compare({}, {}, requests=requests)
    assert done.status == 2
    assert "requests.txt" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("ftp://x", "http://y", "r"),
        ("http://user:pw@x", "http://y", "r"),
        ("http://x:99999", "http://y", "r"),
        ("http://x?y", "http://y", "r"),
        ("http://x", "http://y", "nowhere.txt"),
        ("http://x", "http://y", "r", "--repeat", "0"),
        ("http://x", "http://y", "r", "--timeout", "5"),
        ("http://x", "http://y", "r", "--header", "none"),
        ("http://x", "http://y", "r", "--mask", "("),
        ("http://x", "http://y", "r", "--ca", "nowhere.pem"),
        ("http://x", "http://y", "r", "--ours-cpu", "x"),
        ("http://x", "http://y", "r", "--ours-cpu", "/nowhere"),
        ("http://x", "http://y", "r", "--ours-cpu", "4194305"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r").write_text("/\n", encoding="utf-8")
    assert main(["compare", *arguments]) == 2
    assert "usage: wsgi-wasm compare" in capsys.readouterr().err


# --- secrets ---


def test_secrets_are_in_no_report(compare: Comparer, tmp_path: Path) -> None:
    echoed = f"HTTP_COOKIE=id={SECRET}; other=12345\nuser:password\nnew={SECRET[::-1]}\n"
    cookie = f"Set-Cookie: sid={SECRET[::-1]}; Path=/"
    native = {"/a?b=c": answer(echoed, "200 OK", cookie)}
    ours = {"/a?b=c": answer(f"other\n{echoed}", "200 OK", cookie.replace("sid=", "sid=x"), f"X-Was: {SECRET}")}
    done = compare(native, ours, "--html", "report.html", requests=har(ENTRIES[0]), name="site.har")
    assert done.status == 1
    assert f"id={SECRET}".encode() in done.ours.requests[0]
    again = compare(native, ours, "--json", requests=har(ENTRIES[0]), name="site.har")
    page = (tmp_path / "report.html").read_text("utf-8")
    for report in (done.out, done.err, page, again.out, again.err):
        for secret in (SECRET, SECRET[::-1], "12345", "dXNlcjpwYXNz", "password"):
            assert secret not in report
    (difference,) = (d for d in again.found["outcomes"][0]["differences"] if d["part"] == "set-cookie")
    assert re.fullmatch(r"sid=\(hidden [0-9a-f]{6}\); Path=/", difference["native"])
    assert difference["native"] != difference["ours"]


# --- bad sites ---


def test_a_site_that_is_not_there(compare: Comparer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.txt").write_text("".join(f"/{number}\n" for number in range(100)), encoding="utf-8")
    with answering({}) as native, closed_port() as port:
        status = main(["compare", native.url, f"http://127.0.0.1:{port}", str(tmp_path / "r.txt")])
    assert status == 1
    shown = capsys.readouterr()
    assert "Connection refused" in shown.out
    assert "gave no answer 10 times in a row: the other 90 requests were not sent" in shown.err


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "broke off, 7 bytes are missing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "no HTTP answer"),
        (dripping(0.05), "no whole answer in time"),
        (endless, "no whole answer in time"),
    ],
)
def test_bad_answers(bad: Answer, words: str, compare: Comparer) -> None:
    done = compare({"/": answer("x")}, {"/": bad}, "--timeout", "1s", "--max-body", "100GiB", "--json")
    assert done.status == 1
    ((part, native, ours),) = done.differences()["/"]
    assert (part, native) == ("answer", "status 200")
    assert words in ours


def test_hostile_answers_in_reports(compare: Comparer, tmp_path: Path) -> None:
    hostile = "\x1b[2J\u202e<script>alert(1)</script>&\r\n\x00\xff<!--"
    evil = {'/?"><script>': answer(hostile.encode("latin-1", "replace"), "200 OK", "X-Evil: <img src=x>\x1b[31m")}
    done = compare(evil, {}, "--html", "report.html")
    assert done.status == 1
    for line in (done.out + done.err).splitlines():
        assert line.isprintable()
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "<img" not in page
    assert all(line.isprintable() for line in page.splitlines())


def test_tls_is_verified(compare: Comparer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    (tmp_path / "r.txt").write_text("/\n", encoding="utf-8")
    with answering({"/": answer("x")}) as native, answering({"/": answer("x")}, tls) as ours:
        for host, options, status, words in (
            ("localhost", (), 1, "the certificate is refused: self-signed certificate"),
            ("localhost", ("--ca", str(tmp_path / "cert.pem")), 0, "1 the same"),
            ("127.0.0.1", ("--ca", str(tmp_path / "cert.pem")), 1, "the certificate is refused: IP address mismatch"),
        ):
            url = f"https://{host}:{ours.port}"
            assert main(["compare", native.url, url, str(tmp_path / "r.txt"), *options]) == status
            assert words in capsys.readouterr().out


# --- figures ---


def test_figures(compare: Comparer) -> None:
    site = {"/a": answer("x"), "/b": answer("y")}
    own = str(os.getpid())
    done = compare(
        site, site, "--repeat", "5", "--native-cpu", own, "--ours-cpu", f"{own},{own}", "--json", "--html", "r.html"
    )
    for side in ("native", "ours"):
        figures = done.found["figures"][side]
        assert 0 < figures["median_ms"] <= figures["p95_ms"]
        assert figures["cpu_ms"] >= 0
    assert len(done.native.requests) == 10
    assert Path("r.html").read_text("utf-8").count("<rect") == 8
    assert "CPU each" in Path("r.html").read_text("utf-8")


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.95, 10), (0.0, 1), (1.0, 10)])
def test_quantile(share: float, value: int) -> None:
    assert quantile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == value
    assert quantile([], share) == 0


def test_rows_of_long_texts() -> None:
    lines = [f"line {number}" for number in range(10_000)]
    changed = [*lines[:5000], "other", *lines[5001:]]
    rows = rows_of("\n".join(lines), "\n".join(changed), str)
    assert [(row.kind, row.number) for row in rows if row.kind != "gap"] == [
        ("same", 4999),
        ("same", 5000),
        ("differs", 5001),
        ("same", 5002),
        ("same", 5003),
    ]
    (row,) = rows_of("x" * 100_000 + "a", "x" * 100_000 + "b", str)
    assert (row.native[-3:], row.ours[-3:]) == ("xxa", "xxb")
    assert len(rows_of("\n".join("a" * 1000), "\n".join("b" * 1000), str)) < 100
