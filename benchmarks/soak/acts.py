"""What one client does once, and what came of it in a word. Good answers are compared byte for byte."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.site import under_apache
from guests.bomb import bomb
from servers.client import Answer, Connection, Truncated

OK, WRONG, CUT, LEFT, CLOSED = "right", "wrong answer", "cut off", "left", "closed by the server"
SHORT = "ended early"
"""As if it were whole: Apache does so where a daemon ends in the middle of an answer."""

RESET, REFUSED, SILENT = "reset", "connection refused", "no answer in time"
MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and where files for it are dropped."""

    address: tuple[str, int]
    name: str
    dropped: Path
    patience: float = 90.0  # seconds that a client waits

    @property
    def apache(self) -> bool:
        return under_apache(self.name)


Act = Callable[[Target, int], str]
"""Is given the number of the request, which is its nonce. Exceptions of sockets are outcomes as well."""


def numbers(nonce: int, lines: int) -> bytes:
    """What `nonce.c` prints."""
    state = (nonce * 2654435769 + 1) & MASK
    out = [f"id {nonce}"]
    for _ in range(lines):
        state ^= (state << 13) & MASK
        state ^= state >> 7
        state ^= (state << 17) & MASK
        out.append(f"{state:016x}")
    return "\n".join(out).encode() + b"\n"


def checksum(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    found = 14695981039346656037
    for byte in data:
        found = ((found ^ byte) * 1099511628211) & MASK
    return found


def performed(act: Act, target: Target, nonce: int) -> str:
    """The outcome, also where the connection failed."""
    try:
        return act(target, nonce)
    except Truncated:
        return CUT
    except TimeoutError:
        return SILENT
    except ConnectionRefusedError:
        return REFUSED
    except (ConnectionError, OSError):
        return RESET


def answer(target: Target, path: str, body: bytes = b"") -> Answer:
    """One request on a connection of its own. Raises Truncated, OSError."""
    with Connection(target.address, timeout=target.patience) as connection:
        method = "POST" if body else "GET"
        connection.send_request(method, path, fields=[("Connection", "close")], body=body)
        return connection.read_answer()


def judged(given: Answer, expected: bytes, status: int = 200) -> str:
    """OK, SHORT, WRONG, or the status where it is another."""
    if given.status != status:
        return str(given.status)
    if given.body == expected:
        return OK
    return SHORT if expected.startswith(given.body) else WRONG


# --- good ---


def program(path: str, lines: int = 20, ms: int = 0) -> Act:
    return lambda target, nonce: judged(
        answer(target, f"{path}?id={nonce}&lines={lines}&ms={ms}"), numbers(nonce, lines)
    )


BODIES = {size: random.Random(size).randbytes(size) for size in (1_000, 50_000, 300_000)}
SUMS = {size: checksum(body) for size, body in BODIES.items()}


def upload(path: str) -> Act:
    def act(target: Target, nonce: int) -> str:
        size = (1_000, 50_000, 300_000)[nonce % 3]
        expected = numbers(nonce, 1) + f"body {size} {SUMS[size]:016x}\n".encode()
        return judged(answer(target, f"{path}?id={nonce}&lines=1", BODIES[size]), expected)

    return act


def echo(path: str, status: int = 201) -> Act:
    """A component that gives the body back."""

    def act(target: Target, nonce: int) -> str:
        body = numbers(nonce, 100)
        return judged(answer(target, path, body), body, status)

    return act


def key_value(path: str) -> Act:
    """A worker that adds one of a few pairs to its store. It gives the request back, with the pairs that it read."""

    def act(target: Target, nonce: int) -> str:
        given = answer(target, f"{path}?set=key{nonce % 16}&id={nonce}")
        if given.status != 200:
            return str(given.status)
        seen = json.loads(given.body)
        pairs = all(value == str(len(key)) for key, value in seen["kv"].items())
        return OK if pairs and f"&id={nonce}" in seen["url"] else WRONG

    return act


def half_closed(path: str) -> Act:
    """A client that says it will send nothing more, and waits for its answer."""

    def act(target: Target, nonce: int) -> str:
        with Connection(target.address, timeout=target.patience) as connection:
            connection.send_request("GET", f"{path}?id={nonce}&lines=5")
            connection.socket.shutdown(socket.SHUT_WR)
            return judged(connection.read_answer(), numbers(nonce, 5))

    return act


# --- bad and hostile ---


def status(path: str, body: bytes = b"") -> Act:
    return lambda target, nonce: str(answer(target, path, body).status)


def raw(data: bytes) -> Act:
    """Bytes that are no request."""

    def act(target: Target, nonce: int) -> str:
        with Connection(target.address, timeout=target.patience) as connection:
            connection.send(data)
            return str(connection.read_head().status)

    return act


def drop(route: str) -> Act:
    """A module that would take a compiler for ever, as a new file; its name is the request's number."""

    def act(target: Target, nonce: int) -> str:
        path = target.dropped / f"bomb{nonce}.wasm"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(bomb(variables=3000 - nonce % 1000))
        fresh.chmod(0o644)
        fresh.replace(path)
        try:
            for _ in range(5):
                found = status(f"{route}/{path.name}")(target, nonce)
                if found != "503":
                    return found
                time.sleep(0.5)
            return "503"
        finally:
            path.unlink()

    return act


# --- clients that are slow, or leave ---


def reads(path: str, seconds: float = 5.0) -> Act:
    """Takes what comes for so many seconds, and leaves."""

    def act(target: Target, nonce: int) -> str:
        with Connection(target.address, timeout=target.patience) as connection:
            connection.send_request("GET", path)
            ended = time.monotonic() + seconds
            while time.monotonic() < ended:
                if not connection.read_some(1 << 20):
                    return CLOSED
        return LEFT

    return act


def slow_head(path: str) -> Act:
    def act(target: Target, nonce: int) -> str:
        with Connection(target.address, timeout=target.patience) as connection:
            connection.send(f"GET {path} HTTP/1.1\r\nHo".encode())
            return CLOSED if connection.ended() else str(connection.read_head().status)

    return act


def slow_body(path: str) -> Act:
    def act(target: Target, nonce: int) -> str:
        with Connection(target.address, timeout=target.patience) as connection:
            connection.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode())
            deadline = time.monotonic() + target.patience
            while not connection.readable(0.2) and time.monotonic() < deadline:
                with contextlib.suppress(ConnectionError):
                    connection.send(b"x")
            return str(connection.read_head().status)

    return act


def slow_reader(path: str, size: int, seconds: float) -> Act:
    """Reads nothing for a while, then what there is of an answer of so many bytes."""

    def act(target: Target, nonce: int) -> str:
        with Connection(target.address, timeout=target.patience, receive_buffer=2048) as connection:
            connection.send_request("GET", path)
            time.sleep(seconds)
            given = connection.read_answer()
            return OK if len(given.body) == size else SHORT

    return act


def vanishing(path: str, body: bytes = b"") -> Act:
    """Reads the answer's first bytes, or sends half of a body, and resets the connection."""

    def act(target: Target, nonce: int) -> str:
        connection = Connection(target.address, timeout=target.patience)
        if body:
            length = [("Content-Length", str(2 * len(body)))]
            connection.send_request("POST", path, fields=length, body=body)
        else:
            connection.send_request("GET", path)
            connection.read_some(100)
        connection.abort()
        return LEFT

    return act
