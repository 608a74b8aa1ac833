"""Hostile clients under every server: what they may not decide, and a server that goes on as before."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from servers.client import Answer, Connection, Truncated, get, request
from servers.fixtures import serve
from servers.process import wait_for
from servers.server import Server

from .client_cases import CLOSED, SENT, Sent
from .client_site import MAX_BODY
from .conftest import Started, spool_of
from .site import Watched


def answers(connection: Connection) -> list[Answer]:
    """Everything that comes until the connection ends."""
    found = []
    with contextlib.suppress(Truncated, ConnectionError):
        while True:
            found.append(connection.read_answer())
    return found


def talk(server: Server, sent: Sent) -> list[Answer]:
    with Connection(server.address) as connection:
        # what is refused early may be closed before all of it is sent
        with contextlib.suppress(OSError):
            connection.send(sent.data)
            if sent.half_close:
                connection.socket.shutdown(socket.SHUT_WR)
        if sent.data.startswith(b"HEAD"):  # after which there must be nothing at all
            head = connection.read_head()
            return [replace(head, body=b"".join(iter(connection.read_some, b"")))]
        return answers(connection)


@pytest.mark.parametrize("sent", SENT, ids=lambda sent: sent.id)
def test_request(server: Server, sent: Sent) -> None:
    with Watched(server):
        found = talk(server, sent)
        status = found[0].status if found else CLOSED
        text = "".join(answer.raw_head.decode("latin-1") + answer.text for answer in found)
        assert status in sent.statuses, text[:500]
        assert sent.body in (found[0].text if found else "")
        assert not sent.absent or sent.absent not in text


# requests that are refused or fail with their body unread, and the status
UNREAD = {
    "413": ("/c/echo", 1 << 21, 413),
    "502": ("/c/one/trap", 200_000, 502),
    "504": ("/c/one/loop", 200_000, 504),
    "404": ("/c/files/nothing", 200_000, 404),
    "200": ("/hello", 200_000, 200),
}


@pytest.mark.parametrize("case", UNREAD)
def test_the_next_answer_is_its_own(server: Server, case: str) -> None:
    """C3: what was left of a body is not taken for a request, on a connection that is kept alive or closed."""
    target, size, status = UNREAD[case]
    inner = b"GET /c/env/inner HTTP/1.1\r\nHost: x\r\n\r\n"
    with Watched(server), Connection(server.address) as connection:
        with contextlib.suppress(ConnectionError):
            connection.send_request("POST", target, body=inner * (size // len(inner)))
        assert connection.read_answer().status == status
        found = []
        with contextlib.suppress(ConnectionError):
            connection.send_request("GET", "/c/env/outer", fields={"Connection": "close"})
            found = answers(connection)
        assert [answer.status for answer in found] in ([], [200]), "one answer, or the connection is closed"
        assert all("PATH_INFO=/outer" in answer.text for answer in found)


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """C3: also after one that fails."""
    lines = [b"GET /c/env/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(3)]
    lines.insert(1, b"GET /c/one/trap HTTP/1.1\r\nHost: x\r\n\r\n")
    lines.append(b"GET /c/env/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    with Watched(server), Connection(server.address) as connection:
        connection.send(b"".join(lines))
        found = answers(connection)
    assert [answer.status for answer in found] == [200, 502, 200, 200, 200]
    paths = [answer.text.partition("PATH_INFO=/")[2].partition("\n")[0] for answer in found]
    assert paths == ["0", "", "1", "2", "last"]


def leave(server: Server, target: str, body: bytes = b"", read: int = 0) -> None:
    """Begin a request, and end the connection by a reset."""
    connection = Connection(server.address, receive_buffer=2048)
    length = {"Content-Length": "100000"} if body else {}
    connection.send_request("POST" if body else "GET", target, fields=length, body=body)
    if read:
        connection.read_exactly(read)
    connection.abort()


# where a client leaves: what it asks, what it sends of its body, what it reads; and a request that the same guest,
# which runs once at a time, must answer afterwards
LEAVING = {
    "during-the-body": (("/c/one/echo", b"half", 0), "/c/one/echo", 200),
    "before-the-head": (("/c/one/loop", b"", 0), "/c/one/loop", 504),
    "within-the-body-of-the-answer": (("/c/one/flood?bytes=40000000000", b"", 10_000), "/c/one/flood?bytes=10", 200),
}


@pytest.mark.parametrize("case", LEAVING)
def test_a_client_that_leaves_takes_no_slot_with_it(server: Server, case: str) -> None:
    """C2"""
    (target, body, read), afterwards, status = LEAVING[case]
    with Watched(server):
        for _ in range(3):
            leave(server, target, body, read)
        wait_for("the slot to be free", lambda: get(server.address, afterwards).status == status, 60)


def test_clients_that_ask_nothing(server: Server) -> None:
    """C2: connections that end before a request, or within its head."""
    with Watched(server):
        for data in (b"", b"GET", b"GET /hello HTTP/1.1\r\nHost", b"GET /hello HTTP/1.1\r\nHost: x\r\n"):
            for _ in range(20):
                connection = Connection(server.address)
                connection.send(data)
                connection.abort()


def test_a_closed_sending_side(server: Server) -> None:
    """C2: taken for a client that has left, or answered; the guest's slot is free either way."""
    with Watched(server):
        for _ in range(3):
            with Connection(server.address) as connection:
                connection.send_request("GET", "/c/one/trap", fields={"Connection": "close"})
                connection.socket.shutdown(socket.SHUT_WR)
                assert [answer.status for answer in answers(connection)] in ([502], [])
        assert get(server.address, "/c/one/trap").status == 502


def test_large_bodies_leave_no_file(server: Server, place: Path) -> None:
    """C6: what is spooled has no name, and no more than `max_body` is."""
    for size in (MAX_BODY, MAX_BODY + 1, 10):
        assert request(server.address, "POST", "/c/echo", body=b"x" * size).status == (413 if size > MAX_BODY else 200)
    assert not list(spool_of(place, server.name).iterdir())


def test_nothing_of_one_request_is_seen_by_another(server: Server) -> None:
    """One module fills its memory, another looks through all that it can reach, in turn and at the same time."""

    def pair(number: int) -> tuple[str, str]:
        filled = get(server.address, f"/c/fill?do=fill&mib={1 + number % 8}").text
        return filled, get(server.address, f"/c/scan?do=scan&mib={1 + number % 5}").text

    with Watched(server), ThreadPoolExecutor(4) as pool:
        assert set(pool.map(pair, range(200))) == {("filled\n", "found 0\n")}


def test_a_body_that_trickles(started: Started, place: Path) -> None:
    """C1: `body_timeout` is for the whole body; a byte now and then does not begin it anew."""
    with Watched(started("gunicorn-gthread")) as server, Connection(server.address) as connection:
        trickle(connection)
        assert connection.read_head().status == 408


@pytest.mark.parametrize("part", ["head", "body"])
def test_apache_ends_what_trickles(place: Path, open_tmp: Path, part: str) -> None:
    """C1: by mod_reqtimeout, which Debian switches on; here with a shorter time."""
    with (
        serve(
            "mod_wsgi-daemon",
            place / "site.yaml",
            open_tmp,
            cache=place / "cache",
            workers=1,
            modules=("reqtimeout",),
            apache_text="RequestReadTimeout handshake=0 header=1 body=1",
            ready="/hello",
        ) as server,
        Watched(server),
        Connection(server.address) as connection,
    ):
        trickle(connection, POST if part == "body" else POST[:40])


POST = b"POST /c/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


def trickle(connection: Connection, data: bytes = POST) -> None:
    """Send this, and then a byte now and then, until there is an answer or the end."""
    connection.send(data)
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            connection.send(b"x")
            if connection.readable(0.1):
                return
        pytest.fail("a client that goes on sending is never ended")


def test_a_client_that_does_not_read(server: Server) -> None:
    """C1: others are served meanwhile; gunicorn's thread is free after `send_timeout`, Apache's after its `Timeout`."""
    with Watched(server):
        with Connection(server.address, receive_buffer=2048) as connection:
            connection.send_request("GET", "/c/one/flood?bytes=40000000000")
            connection.read_exactly(1000)
            assert get(server.address, "/hello").status == 200
            if server.name.startswith("gunicorn"):
                wait_for("its slot", lambda: get(server.address, "/c/one/flood?bytes=10").status == 200, 60)
        wait_for("its slot", lambda: get(server.address, "/c/one/flood?bytes=10").status == 200, 60)
