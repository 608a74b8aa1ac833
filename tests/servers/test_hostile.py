"""Hostile guests and clients under every server: the status that was promised, and a server that goes on as before."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import guest

from .apache import put
from .client import Connection, Truncated, get, request, wait_compiled
from .fixtures import SERVERS, serve
from .process import wait_for
from .server import Server

ORDINARY = 1000  # requests that must all succeed afterwards
CLIENTS = 64

GUESTS = ("loop", "sleep", "alloc", "trap", "recurse", "recurse_calls", "flood", "stream", "echo", "hello", "stderr")


def site(tmp: Path) -> Path:
    """Modules are copied, since Apache's user may not enter the directory that the tests lie in."""
    routes: dict[str, Any] = {}
    for name in GUESTS:
        module = tmp / guest(name).name
        put(module, guest(name).read_bytes())
        routes[f"/{name}"] = {"module": module.name, "timeout": "5m", "memory": "16MiB", "max_output": "200MiB"}
    for name in ("loop", "sleep"):
        routes[f"/{name}"]["timeout"] = "1s"
    path = tmp / "site.yaml"
    path.write_text(yaml.safe_dump({"routes": routes, "engine": {"instances": 80}}), encoding="utf-8")
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    with serve(str(request.param), site(open_module_tmp), open_module_tmp, ready="/hello") as running:
        compile_all(running, GUESTS)
        yield running


def compile_all(server: Server, names: Iterable[str]) -> None:
    """Before anything is measured against a limit."""
    queries = {"flood": "bytes=1", "stream": "lines=1&ms=1", "alloc": "most=1"}
    wait_compiled(server.address, *(f"/{name}?{queries.get(name, '')}" for name in names))


ENDS = [
    ("/loop", 504),
    ("/loop?how=yield", 504),
    ("/sleep", 504),
    ("/alloc?then=trap", 502),
    ("/alloc", 200),
    ("/trap?kind=unreachable", 502),
    ("/trap?kind=oob", 502),
    ("/trap?kind=div", 502),
    ("/recurse", 502),
    ("/recurse_calls", 502),
    ("/flood?where=head", 502),
]


def test_each_end_has_its_status(server: Server) -> None:
    pids = set(server.pids())
    for target, status in ENDS:
        assert get(server.address, target).status == status, target
    assert set(server.pids()) == pids, "a guest must never end a worker"
    ordinary(server)


@pytest.mark.parametrize("target", ["/loop?when=after", "/sleep?when=after", "/trap?when=after&kind=oob"])
def test_a_late_failure_breaks_the_answer_off(server: Server, target: str) -> None:
    """After the head has gone out the connection is closed, so that nobody takes the answer for a whole one. Apache
    does not let a WSGI application do that: there the answer ends, and the log has it."""
    if "trap" in target:
        assert get(server.address, target).status == 502  # nothing had been sent yet
        return
    with Connection(server.address) as connection:
        connection.send_request("GET", target)
        head = connection.read_head()
        assert head.status == 200
        if server.name.startswith("mod_wsgi"):
            assert b"".join(piece for _, piece in connection.pieces(head)) == b"started\n"
        else:
            with pytest.raises(Truncated):
                list(connection.pieces(head))
    wait_for("a line in the log", lambda: "is cut off" in server.log())


def test_100_megabytes(server: Server) -> None:
    total = 100_000_000
    answer = get(server.address, f"/flood?bytes={total}")
    assert answer.status == 200
    assert len(answer.body) == total
    ordinary(server)


def test_clients_that_leave(server: Server) -> None:
    """In the middle of an answer, and before one: the guests are stopped and their slots are free again."""
    for target in ("/flood?bytes=100000000", "/loop", "/stream?lines=1000&ms=10"):
        for _ in range(5):
            connection = Connection(server.address)
            connection.send_request("GET", target)
            if "loop" not in target:
                connection.read_some(1000)
            connection.abort()
    ordinary(server)


def test_a_client_that_leaves_stops_the_guest(server: Server) -> None:
    """gunicorn shows its socket, and the guest is stopped within a tick, here in its sleep; elsewhere at one of its
    next writes. Long before its timeout in any case."""
    before = server.log().count("the client has disconnected")
    query = "lines=2&ms=299000" if server.name.startswith("gunicorn") else "lines=2990&ms=100"
    connection = Connection(server.address)
    connection.send_request("GET", f"/stream?{query}")
    connection.read_some(1000)
    connection.abort()
    wait_for("the guest to be stopped", lambda: server.log().count("the client has disconnected") > before)


def test_64_clients_at_once(server: Server) -> None:
    started = threading.Barrier(CLIENTS)

    def one(number: int) -> tuple[int, bytes]:
        started.wait(60)
        answer = request(server.address, "POST", "/echo", body=b"%d" % number)
        return answer.status, answer.body

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(one, range(CLIENTS)))
    assert answers == [(200, b"POST %d\n%d" % (len(str(number)), number)) for number in range(CLIENTS)]
    ordinary(server)


def test_memory_does_not_grow(server: Server) -> None:
    """Resident memory after 10,000 mixed requests is within 10 % of that after 1,000."""
    mix = ["/hello", "/echo", "/trap?kind=oob", "/hello", "/stderr?kind=lines&n=1", "/flood?bytes=10000", "/recurse"]

    def ask(count: int) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: get(server.address, mix[number % len(mix)]), range(count)))

    ask(1000)
    before = resident(server)
    ask(9000)
    assert resident(server) < before * 1.10


def resident(server: Server) -> int:
    """Bytes, of all workers together."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in server.pids())


def ordinary(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: get(server.address, "/hello").status, range(ORDINARY)))
    assert statuses == {200}


def test_a_flushed_line_arrives_before_the_next_is_printed(server: Server) -> None:
    """The guest sleeps for a second between two lines; the first must be here while it sleeps."""
    with Connection(server.address) as connection:
        connection.send_request("GET", "/stream?lines=2&ms=1000")
        pieces = list(connection.pieces(connection.read_head()))
    assert len(pieces) >= 2, "both lines came at once"
    assert pieces[0][1].count(b"\n") == 1
    assert b"".join(piece for _, piece in pieces).count(b"\n") == 2
