"""What guests, their files and clients say adds no line to a server's log, and commands no terminal that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.test_cli_hostile_names import BROKEN, EVIL, EVIL_FILE, SITE, check, files

from .client import Connection, Truncated, get
from .command import serving
from .fixtures import serve
from .process import ServerError, wait_for
from .server import Server

SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon", "serve")

TARGETS = (
    *("/imports", "/exports", "/traps", "/syntax", "/garbage", "/component", "/prints", "/head", "/p/ok.wat"),
    *(f"/p/{quote(name)}" for name in (EVIL, f"{EVIL}.wat")),
    f"/p/{quote(EVIL_FILE.encode('utf-8', 'surrogateescape'))}.wat",
    f"/p/{quote(EVIL_FILE.encode('utf-8', 'surrogateescape'))}link.wasm",
    f"/p/ok.wat/{quote(EVIL)}?{quote(EVIL)}",
)

# Bytes that no client's library would send.
BYTES = (
    b"GET /p/\x1b[31mFORGED HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /p/\xc2\x9b31m\xe2\x80\xae HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /p/x HTTP/1.1\r\nHost: \x1b[31mFORGED\r\n\r\n",
    b"GET /p/x HTTP/1.1\r\nHost: \xe2\x80\xae.example\r\n\r\n",
    b"GET /p/x HTTP/1.1\r\nHost: x\r\nUser-Agent: \x1b]0;x\x07\r\nReferer: \xc2\x9b\r\n\r\n",
    b"GET /p/x HTTP/1.1\r\nHost: x\r\nX-\x1b[31m: y\r\n\r\n",
    b"G\x1b[31mT /p/x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /p/x HTTP/\x1b[31m\r\nHost: x\r\n\r\n",
    b"GET http://\x1b[31mFORGED/p/x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /p/x\rFORGED HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /p/ok.wat HTTP/1.1\r\nHost: x\r\nContent-Length: \x1b[31m\r\n\r\n",
    b"POST /p/ok.wat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[31mFORGED\r\n",
)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    """The site of the commands' tests, which is broken in all ways but two."""
    place = open_module_tmp / str(request.param)
    place.mkdir()
    files(place)
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    site = place / "site.yaml"
    site.write_text(f"reload: true\n{SITE}  /env: {{module: prints.wat}}\n", encoding="utf-8")
    site.chmod(0o644)
    with serving(str(request.param), site, place) as running:
        yield running


@pytest.mark.timeout(600)
def test_the_log_of_a_hostile_day(server: Server) -> None:
    for target in TARGETS:
        get(server.address, target)
        wait_for(f"{target} to be compiled or refused", partial(settled, server, target))
    for request in BYTES:
        with Connection(server.address) as connection:
            connection.send(request)
            try:
                connection.read_head()
            except (Truncated, ConnectionError, ValueError):
                continue  # gunicorn closes some without an answer
    log = server.log().replace("\\\\", "\\")  # httpd writes backslashes twice
    check(log.encode(), ["FORGED\\x1b[31m", "in e\\x0aFORGED line"])

    site = server.process.output.parent / "site.yaml"
    site.write_text(f"reload: true\n{BROKEN}", encoding="utf-8")

    def said() -> bool:
        get(server.address, "/prints")
        return "stays in use" in server.log()

    wait_for("the mistakes in the log", said)
    assert get(server.address, "/prints").status == 200
    log = server.log()
    check(log.encode())
    mistakes = [line for line in log.splitlines() if "stays in use: " in line]
    assert len(mistakes) > 5, "a line for each"
    assert all("site.yaml:" in line for line in mistakes)


def settled(server: Server, target: str) -> bool:
    """Whether a module is no longer being compiled."""
    answer = get(server.address, target)
    return answer.status != 503 or answer.field("Retry-After") != "5"


# What stands in a file as it is, where YAML allows it or not.
RAW = {
    "characters": b'routes: {"/a": {module: "\xe2\x80\xae\xc2\x9b31m\xe2\x80\xa8FORGED\xef\xbb\xbf", x: 1}}\n',
    "controls": b"routes: {/a: {module: \x1b[31m\x07FORGED}}\n",
    "no text": b"routes: {/a: {module: \xff\xfeFORGED}}\n",
    "NUL": b"routes: {/a: {module: a\0FORGED}}\n",
    "an unknown key": b'"\xe2\x80\xae\xe2\x80\xa9FORGED": 1\n',
    "an anchor": b"routes: *\xe2\x80\xaeFORGED\n",
    "a tag": b"routes: !\xe2\x80\xaeFORGED {}\n",
    "a long line": b"routes: {/a: {" + b"x" * 300_000 + b": 1}}\n",
}


@pytest.mark.parametrize("case", RAW)
def test_a_file_that_nobody_can_start_with(open_tmp: Path, case: str) -> None:
    site = open_tmp / "site.yaml"
    site.write_bytes(RAW[case])
    with pytest.raises(ServerError), serve("gunicorn-sync", site, open_tmp, workers=1, ready="/a"):
        pass
    log = (open_tmp / "gunicorn-sync.log").read_bytes()
    assert b"site.yaml" in log
    check(log)
    assert max(map(len, log.split(b"\n"))) < 30_000
