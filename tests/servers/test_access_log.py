"""The access log of `wsgi-wasm serve` beside httpd's, for the same requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.programs import printing

from .apache import Apache, Site
from .client import Connection, request
from .command import serve_command
from .process import wait_for
from .server import Server

COMBINED = r'"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""'
LINE = re.compile(
    r'(\S+) - (\S+) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) '
    r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"'
)


class Logs(NamedTuple):
    """Both servers, and the files of their access logs."""

    ours: Server
    our_log: Path
    apache: Server
    apache_log: Path


@pytest.fixture(scope="module")
def logs(open_module_tmp: Path) -> Iterator[Logs]:
    """/ok and /empty say the same on both."""
    tmp = open_module_tmp
    docroot = tmp / "docroot"
    docroot.mkdir()
    (docroot / "ok").write_text("it is")
    (docroot / "empty").touch()
    (tmp / "ok.wat").write_text(printing("Content-Type: text/plain\\n\\nit is"))
    (tmp / "empty.wat").write_text(printing("Content-Type: text/plain\\n\\n"))
    (tmp / "site.yaml").write_text("routes: {/ok: {module: ok.wat}, /empty: {module: empty.wat}}")
    log = tmp / "access.log"
    text = f'LogFormat {COMBINED} combined\nCustomLog "{log}" combined\n<Directory "{docroot}">\nRequire all granted\n'
    with ExitStack() as stack:
        site = Site(text=f"{text}</Directory>\n", docroot=docroot, wsgi=False)
        apache = stack.enter_context(Apache.start(site, tmp))
        ours = stack.enter_context(serve_command(tmp / "site.yaml", tmp, "--access-log", "ours.log"))
        yield Logs(ours, tmp / "ours.log", apache, log)


def last_line(server: Server, log: Path, send: bytes) -> str:
    """What is logged of one request, sent as it is."""
    before = len(lines(log))
    with Connection(server.address) as connection:
        connection.send(send)
        connection.read_until_end()
    wait_for("the line", lambda: len(lines(log)) > before)
    found = lines(log)[before:]
    assert len(found) == 1
    return found[0]


def lines(log: Path) -> list[str]:
    return log.read_bytes().decode("ascii").splitlines() if log.exists() else []


def without_time(line: str) -> str:
    match = LINE.fullmatch(line)
    assert match, line
    return line.replace(match[3], "TIME")


SAME = [
    b"GET /ok HTTP/1.1\r\nHost: x\r\n",
    b"GET /ok?a=%22b HTTP/1.0\r\n",
    b"HEAD /ok HTTP/1.1\r\nHost: x\r\n",
    b"GET /empty HTTP/1.1\r\nHost: x\r\nReferer: http://a.example/\r\nUser-Agent: curl/8\r\n",
    b'GET /ok HTTP/1.1\r\nHost: x\r\nUser-Agent: a "b" \\ \\" c\\\r\n',
    b"GET /ok HTTP/1.1\r\nHost: x\r\nReferer: \xc3\xa9\xff\x80 \t tab\r\nUser-Agent:\r\n",
    b'GET /ok HTTP/1.1\r\nHost: x\r\nReferer: %0a" 200 5 "-" "forged\r\nAuthorization: Basic YTpi\r\n',
]


@pytest.mark.parametrize("head", SAME)
def test_the_line_is_httpds(logs: Logs, head: bytes) -> None:
    send = head + b"Connection: close\r\n\r\n"
    ours = without_time(last_line(logs.ours, logs.our_log, send))
    assert ours == without_time(last_line(logs.apache, logs.apache_log, send))


REFUSED = [
    (b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404", "GET /none HTTP/1.1"),
    (b"TRACE /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405", "TRACE /ok HTTP/1.1"),
    (b"GET /ok HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", "400", "GET /ok HTTP/1.1"),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "414", None),
    (b"GET /ok HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n", "400", None),
    (b"GET /ok\x01 HTTP/9.9\r\n\r\n", "400", None),
    (b'"\\\x1b[2J\xff\r\n\r\n', "400", None),
]


@pytest.mark.parametrize(("send", "status", "first"), REFUSED)
def test_what_is_refused_is_logged_too(logs: Logs, send: bytes, status: str, first: str | None) -> None:
    match = LINE.fullmatch(last_line(logs.ours, logs.our_log, send))
    assert match
    assert (match[1], match[5]) == ("127.0.0.1", status)
    assert first is None or match[4] == first


@contextmanager
def one(tmp: Path, log: str) -> Iterator[Server]:
    """A program that is served with the access log `log`, and has been asked once."""
    (tmp / "x.wat").write_text(printing("Content-Type: text/plain\\n\\nit is"))
    with serve_command(tmp / "x.wat", tmp, "--access-log", log) as server:
        assert request(server.address, "GET", "/").status == 200
        yield server


def test_a_full_disk_costs_lines_alone(tmp_path: Path) -> None:
    with one(tmp_path, "/dev/full") as server:
        assert request(server.address, "GET", "/").status == 200
        wait_for("the log", lambda: "the access log cannot be written" in server.log())
        assert server.log().count("the access log cannot be written") == 1
        assert "Traceback" not in server.log()


def test_none(tmp_path: Path) -> None:
    with one(tmp_path, "off"):
        pass
    assert '"GET / HTTP/1.1"' not in (tmp_path / "serve.log").read_text()
