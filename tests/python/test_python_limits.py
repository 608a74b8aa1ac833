"""Limits and streaming for scripts under `interpreters: {.py: python}`, in a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from python.cases import interpreter
from servers.client import Connection, Truncated, get, request, wait_compiled
from servers.fixtures import serve
from servers.server import Server

HEAD = 'print("Content-Type: text/plain\\n", flush=True)\n'

SCRIPTS = {
    # Goes on when the test has read the first line: the order is certain, whatever the time.
    "stream.py": HEAD
    + """
import os, time
print("first", flush=True)
for _ in range(2000):
    if os.path.exists("/gate/open"):
        break
    time.sleep(0.01)
print("second")
""",
    "loop.py": "while True: pass\n",
    "sleep.py": "import time\ntime.sleep(600)\n",
    "flood.py": HEAD + "while True: print('x' * 10000)\n",
    "echo.py": HEAD + "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n",
    "form.py": HEAD + "import sys, urllib.parse\nprint(len(urllib.parse.parse_qs(sys.stdin.read(), True)))\n",
    "fine.py": HEAD + "print('fine')\n",
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[Server]:
    interpreter()
    folder = tmp_path_factory.mktemp("python")
    (folder / "scripts").mkdir()
    for name, text in SCRIPTS.items():
        (folder / "scripts" / name).write_text(text, encoding="utf-8")
    route = {"directory": "scripts", "interpreters": {".py": "python"}, "dirs": {"/gate": str(gate)}}
    quick = {**route, "timeout": "500ms"}
    little = {**route, "max_output": "1MiB"}
    short = {**route, "cpu": "2s", "timeout": "5m"}
    site = folder / "site.yaml"
    routes = {"/s": route, "/quick": quick, "/little": little, "/short": short}
    site.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    cache = interpreter().parent
    with serve("gunicorn-gthread", site, folder, ready="/nothing", cache=cache) as server:
        wait_compiled(server.address, "/s/fine.py")
        yield server


def test_lines_come_as_they_are_flushed(server: Server, gate: Path) -> None:
    with Connection(server.address) as connection:
        connection.send_request("GET", "/s/stream.py")
        pieces = connection.pieces(connection.read_head())
        assert next(pieces)[1] == b"first\n"
        (gate / "open").touch()
        assert b"".join(piece for _, piece in pieces) == b"second\n"


def test_a_large_body_both_ways(server: Server) -> None:
    body = os.urandom(3 << 20)
    assert request(server.address, "POST", "/s/echo.py", body=body).body == body


@pytest.mark.parametrize("name", ["loop.py", "sleep.py"])
def test_a_script_that_does_not_end_is_ended(name: str, server: Server) -> None:
    assert get(server.address, f"/quick/{name}").status == 504
    assert get(server.address, "/s/fine.py").text == "fine\n"


def form(count: int, *, colliding: bool) -> bytes:
    """A form of so many fields. They collide because the highest bit of a word and that of the next cancel each other
    out in FNV, whatever the seed."""
    other = "aaa\xe1bbb\xe2" if colliding else "aaabbbbb"
    names = ["".join(parts) for parts in islice(product(("aaaabbbb", other), repeat=16), count)]
    return "&".join(f"{quote(name)}=" for name in names).encode()


@pytest.mark.parametrize(("colliding", "status"), [(True, 504), (False, 200)])
def test_fields_that_collide_on_purpose_are_ended(colliding: bool, status: int, server: Server) -> None:
    body = form(40_000 if colliding else 8_000, colliding=colliding)  # alone: some 25 s, and 0.1
    assert request(server.address, "POST", "/short/form.py", body=body).status == status
    assert get(server.address, "/short/fine.py").text == "fine\n"


def test_few_such_fields_are_no_matter(server: Server) -> None:
    assert request(server.address, "POST", "/short/form.py", body=form(500, colliding=True)).text == "500\n"


def test_a_flood_is_cut_off(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send_request("GET", "/little/flood.py")
        with pytest.raises(Truncated) as cut:
            connection.read_answer()
    assert 0 < len(cut.value.body) <= 1 << 20
    assert get(server.address, "/little/fine.py").text == "fine\n"
