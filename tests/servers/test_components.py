"""Components under every server: statuses, streaming, a cut, large bodies, and a thousand requests afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from guests.build import component

from .apache import put
from .client import Connection, Truncated, get, request, wait_compiled
from .fixtures import SERVERS, serve
from .process import wait_for
from .server import Server


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    routes = {}
    for name in ("http", "program"):
        module = open_module_tmp / component(name).name
        put(module, component(name).read_bytes())
        routes[f"/{name}"] = {"module": module.name, "timeout": "5m", "memory": "16MiB"}
        routes[f"/quick/{name}"] = {"module": module.name, "timeout": "2s", "memory": "16MiB"}
    site = open_module_tmp / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes, "engine": {"instances": 80}}), encoding="utf-8")
    site.chmod(0o644)
    with serve(str(request.param), site, open_module_tmp, ready="/http/hello") as running:
        wait_compiled(running.address, *routes)
        yield running


ENDS = [
    ("/http/hello", 200),
    ("/http/empty", 204),
    ("/http/trap", 502),
    ("/http/none", 502),
    ("/http/error", 502),
    ("/quick/http/loop", 504),
    ("/quick/http/sleep", 504),
    ("/program", 200),
    ("/program?fail", 200),
]


def test_each_end_has_its_status(server: Server) -> None:
    pids = set(server.pids())
    for target, status in ENDS:
        assert get(server.address, target).status == status, target
    assert set(server.pids()) == pids, "a guest must never end a worker"


@pytest.mark.parametrize(
    "target", ["/http/half", "/http/unfinished", "/quick/http/sleep-after", "/quick/program?sleep"]
)
def test_a_late_failure_breaks_the_answer_off(server: Server, target: str) -> None:
    with Connection(server.address) as connection:
        connection.send_request("GET", target)
        head = connection.read_head()
        assert head.status == 200
        if server.name.startswith("mod_wsgi"):
            assert b"".join(piece for _, piece in connection.pieces(head))
        else:
            with pytest.raises(Truncated):
                list(connection.pieces(head))
    wait_for("a line in the log", lambda: "is cut off" in server.log())


def test_an_answer_streams(server: Server) -> None:
    """Each piece is there before the next one is written."""
    with Connection(server.address) as connection:
        connection.send_request("GET", "/http/stream")
        pieces = list(connection.pieces(connection.read_head()))
    assert b"".join(piece for _, piece in pieces) == b"piece\n" * 3
    assert len(pieces) >= 3


def test_bodies_both_ways(server: Server) -> None:
    data = bytes(range(256)) * 20_000
    assert request(server.address, "POST", "/http/echo", body=data).body == data
    assert request(server.address, "POST", "/program?echo", body=data).body == data
    assert len(get(server.address, "/http/big?20000000").body) == 20_000_000


def test_a_thousand_requests_from_many(server: Server) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: get(server.address, "/http/hello"), range(1000)))
    assert {(answer.status, answer.text) for answer in answers} == {(200, "hello from wasi:http\n")}
