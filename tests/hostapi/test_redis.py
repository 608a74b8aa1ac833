"""A guest's own connections to Redis: against a real server, and against servers that mean no good."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import pytest

from hostapi.backends import Server, TlsServer
from hostapi.driver import Driver, Guest
from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.granted import Endpoint
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi import redis
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS
from wsgi_wasm.hostapi.servers import AllowedServers

DRIVER = Driver(redis.API)

OPEN = "[static]connection.open"


def allowing(*ports: int) -> AllowedServers:
    return AllowedServers(Endpoint(host="127.0.0.1", port=port) for port in ports)


class Session:
    """A guest with one connection."""

    def __init__(self, guest: Guest, address: str) -> None:
        self.guest = guest
        self.handle = guest.ok(OPEN, address)

    def ok(self, name: str, *arguments: Any) -> Any:
        return self.guest.ok(f"[method]connection.{name}", self.handle, *arguments)

    def error(self, name: str, *arguments: Any) -> Any:
        return self.guest.error(f"[method]connection.{name}", self.handle, *arguments)


@pytest.fixture
def address(redis_server: Server) -> str:
    return f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/2"


@pytest.fixture
def session(redis_server: Server, address: str) -> Iterator[Session]:
    with DRIVER.guest(allowing(redis_server.port)) as guest:
        one = Session(guest, address)
        one.ok("execute", "FLUSHDB", [])
        yield one


def test_commands(session: Session) -> None:
    assert session.ok("get", "key") is None
    session.ok("set", "key", b"\0value\xff")
    assert session.ok("get", "key") == b"\0value\xff"
    session.ok("set", "empty", b"")
    assert session.ok("get", "empty") == b""
    assert [session.ok("incr", "n") for _ in range(3)] == [1, 2, 3]
    assert session.ok("sadd", "set", ["a", "b", "ü"]) == 3
    assert session.ok("sadd", "set", ["a", "c"]) == 1
    assert sorted(session.ok("smembers", "set")) == ["a", "b", "c", "ü"]
    assert session.ok("srem", "set", ["a", "z"]) == 1
    assert session.ok("del", ["key", "n", "nothing"]) == 2
    session.ok("publish", "channel", b"hello")
    assert session.ok("smembers", "nothing") == []


def test_execute(session: Session) -> None:
    def binary(*values: bytes) -> list[tuple[str, bytes]]:
        return [("binary", value) for value in values]

    assert session.ok("execute", "PING", []) == [("status", "PONG")]
    assert session.ok("execute", "SET", binary(b"k", b"OK")) == [("status", "OK")]
    assert session.ok("execute", "GET", binary(b"k")) == [("binary", b"OK")]
    assert session.ok("execute", "GET", binary(b"none")) == [("nil", None)]
    assert session.ok("execute", "INCRBY", [("binary", b"n"), ("int64", -(1 << 62))]) == [("int64", -(1 << 62))]
    assert session.ok("execute", "RPUSH", binary(b"l", b"a", b"b")) == [("int64", 2)]
    assert session.ok("execute", "LRANGE", [*binary(b"l"), ("int64", 0), ("int64", -1)]) == binary(b"a", b"b")
    nested = session.ok("execute", "EVAL", [*binary(b"return {1, {'a', {'b'}}, false}"), ("int64", 0)])
    assert nested == [("int64", 1), ("binary", b"a"), ("binary", b"b"), ("nil", None)]


def test_errors(session: Session) -> None:
    session.ok("sadd", "set", ["a"])
    assert session.error("get", "set") == ("type-error", None)
    session.ok("set", "text", b"x")
    assert session.error("incr", "text")[0] == "other"
    assert "unknown command" in session.error("execute", "NONSENSE", [])[1]
    assert session.error("del", [])[0] == "other"
    session.ok("set", "latin", b"\xe4")
    session.ok("execute", "SADD", [("binary", b"s"), ("binary", b"\xe4")])
    assert session.error("smembers", "s")[0] == "other"
    assert session.ok("get", "latin") == b"\xe4"


def test_a_value_that_is_too_large_ends_the_connection(session: Session, address: str) -> None:
    session.ok("execute", "SETRANGE", [("binary", b"big"), ("int64", 9 << 20), ("binary", b"x")])
    assert "larger" in session.error("get", "big")[1]
    # It is made anew for the next call.
    assert session.ok("get", "nothing") is None


def test_only_what_is_allowed(redis_server: Server, address: str) -> None:
    port, password = redis_server.port, redis_server.password
    wrong = [
        address.replace(str(port), str(port + 1)),
        address.replace("127.0.0.1", "localhost"),
        address.replace("127.0.0.1", "127.1"),
        f"redis://127.0.0.1:{port}@evil.example",
        f"redis://127.0.0.1:{port}/text",
        f"unix:///tmp/redis.sock?127.0.0.1:{port}",
        f"http://127.0.0.1:{port}/",
        f"127.0.0.1:{port}",
        "redis://",
        "redis://127.0.0.1:99999999",
        "redis://[::1",
        "",
        "\0",
    ]
    with DRIVER.guest(allowing(port)) as guest:
        for one in wrong:
            assert guest.error(OPEN, one) == ("invalid-address", None), one
        assert guest.error(OPEN, address.replace(password, "wrong"))[0] == "other"
        assert "NOAUTH" in guest.error(OPEN, f"redis://127.0.0.1:{port}/2")[1]
    with DRIVER.guest(AllowedServers()) as guest:
        assert guest.error(OPEN, address) == ("invalid-address", None)


def test_patterns(redis_server: Server, address: str) -> None:
    """A connection goes to the address that was looked at, and the certificate's name stays the guest's."""
    port = redis_server.port

    def patterns(*entries: str) -> AllowedServers:
        return AllowedServers(parse_allowed_host(entry) for entry in entries)

    by_name = address.replace("127.0.0.1", "localhost")
    with DRIVER.guest(patterns("redis://*:*")) as guest:
        assert guest.error(OPEN, address) == guest.error(OPEN, by_name) == ("invalid-address", None)
        assert guest.error(OPEN, "redis://no.such.name.invalid")[0] == "other"
    with DRIVER.guest(patterns("redis://*:*", f"*://127.0.0.0/8:{port}")) as guest:
        assert Session(guest, address).ok("execute", "PING", []) == [("status", "PONG")]
        assert Session(guest, by_name).ok("execute", "PING", []) == [("status", "PONG")]
    with DRIVER.guest(patterns("redis://localhost:*")) as guest:
        assert Session(guest, by_name).ok("execute", "PING", []) == [("status", "PONG")]


def test_connections_are_bounded_and_close(redis_server: Server, address: str) -> None:
    def clients() -> int:
        answer = probe.ok("execute", "CLIENT", [("binary", b"LIST")])
        return len(answer[0][1].splitlines())

    with DRIVER.guest(allowing(redis_server.port)) as watcher:
        probe = Session(watcher, address)
        before = clients()
        with DRIVER.guest(allowing(redis_server.port)) as guest:
            handles = [guest.ok(OPEN, address) for _ in range(MAX_CONNECTIONS)]
            assert guest.error(OPEN, address) == ("too-many-connections", None)
            assert clients() == before + MAX_CONNECTIONS
            guest.call("[drop]connection", handles[0])
            guest.ok(OPEN, address)
        for _ in range(1000):
            if clients() == before:
                break
        assert clients() == before


def test_tls(redis_tls_server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    port = redis_tls_server.port
    allowed = AllowedServers(Endpoint(host=host, port=port) for host in ("localhost", "127.0.0.1"))
    with DRIVER.guest(allowed) as guest:
        assert "certificate" in guest.error(OPEN, f"rediss://localhost:{port}")[1]
    monkeypatch.setenv("SSL_CERT_FILE", str(redis_tls_server.authority))
    with DRIVER.guest(allowed) as guest:
        session = Session(guest, f"rediss://localhost:{port}")
        session.ok("set", "key", b"x" * 100_000)
        assert session.ok("get", "key") == b"x" * 100_000
        # Another name than the certificate's, and no TLS at all.
        assert "certificate" in guest.error(OPEN, f"rediss://127.0.0.1:{port}")[1]
        plain = Session(guest, f"redis://localhost:{port}")
        assert plain.error("get", "key")[0] == "other"


# Servers that mean no good ---------------------------------------------------------------------------------------


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server for one connection, on which `talk` answers whatever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                with suppress(OSError):
                    talk(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(20)


def trickle(connection: socket.socket) -> None:
    for _ in range(100):
        connection.sendall(b"x")
        threading.Event().wait(0.05)


BAD = {
    "nothing": lambda connection: connection.recv(1),
    "no protocol": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a length that is none": lambda connection: connection.sendall(b"$x\r\n"),
    "a huge length": lambda connection: connection.sendall(b"$99999999999\r\n"),
    "a huge array": lambda connection: connection.sendall(b"*999999999\r\n" + b":1\r\n" * 2_000_000),
    "deep arrays": lambda connection: connection.sendall(b"*1\r\n" * 100_000),
    "a line without end": lambda connection: connection.sendall(b"+" + b"x" * 200_000),
    "half an answer": lambda connection: connection.sendall(b"$10\r\nabc"),
    "a slow answer": trickle,
}


SLOW = (BAD["nothing"], BAD["a slow answer"])  # which outlast the run


@pytest.mark.parametrize("talk", BAD.values(), ids=BAD)
def test_a_bad_server_is_an_error(talk: Callable[[socket.socket], None]) -> None:
    with server(talk) as port, DRIVER.guest(allowing(port), seconds=2 if talk in SLOW else 60) as guest:
        session = Session(guest, f"redis://127.0.0.1:{port}")
        with pytest.raises(Stop, match="timeout") if talk in SLOW else nullcontext():
            assert session.error("get", "key")[0] == "other"
