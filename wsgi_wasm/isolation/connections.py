"""The gateway's connections to the child of a group, kept between requests."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.isolation.frames import Channel, FrameKind, Misbehaved, closing
from wsgi_wasm.isolation.rendezvous import Meeting
from wsgi_wasm.isolation.tenant import Tenant, looked_at

LOOK_EVERY = 0.02  # seconds between two looks at the client while a guest runs
_TIMEVAL = struct.pack("@ll", 0, int(LOOK_EVERY * 1e6))
_KEPT = 256  # connections
IDLE = 60.0  # seconds after which one is closed


class _OwnSocket(socket.socket):
    """A socket that nobody needs to close: those that are kept go with the configuration that
    they are of."""

    def __del__(self) -> None:
        self.close()


class Connection(Channel):
    """One, to the child with the process id `pid`. It is of one run at a time."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        super().__init__(connection)
        self.pid = pid
        # The kernel's own bound: with Python's, each wait would begin with a call of poll.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
        self._sending = threading.Lock()

    def send(self, kind: int, *parts: bytes | memoryview, descriptors: Iterable[int] = ()) -> None:
        """As `Channel.send`; also by the thread that feeds a body."""
        with self._sending:
            super().send(kind, *parts, descriptors=descriptors)


def _nothing() -> None: ...


@dataclass(slots=True)
class _ListenLease:
    """A socket of a child's that this process listens on. It lasts as long as the two of them,
    whatever configuration serves."""

    connection: Connection
    address: str
    stop: Callable[[], None]

    def end(self) -> None:
        self.stop()
        self.connection.close()


_leases: dict[tuple[int, int], _ListenLease] = {}  # by process and child
_leasing = threading.Lock()


def end_leases() -> None:
    """Have guests that run elsewhere connect anew."""
    with _leasing:
        while _leases:
            _leases.popitem()[1].end()


def _is_loopback(listener: socket.socket) -> bool:
    """Whether a socket is what a child should give: one of TCP that listens on 127.0.0.1."""
    try:
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return bool(listens) and listener.family == socket.AF_INET and listener.getsockname()[0] == "127.0.0.1"
    except (OSError, ValueError):
        return False


class Connections:
    """Those of this process to the children of one group. `listen` has the requests of guests
    served that come to a socket, until what it returns is called."""

    def __init__(self, group: Tenant, meeting: Meeting, listen: Callable[[socket.socket], Callable[[], None]]) -> None:
        self.group = group
        self._meeting = meeting
        self._listen = listen
        # With when it was given back; the first is the one that nobody has wanted for the longest.
        self._idle: list[tuple[float, Connection]] = []
        self._changing = threading.Lock()

    def cover(self, preopens: Sequence[Preopen]) -> None:
        """Have the child see these directories as they are now. Where it does not, another one
        takes its place."""
        with self._changing:
            directories = {one.path: one.writable for one in self.group.directories}
            for preopen in preopens:
                try:
                    host = str(preopen.folder.real())
                except OSError:
                    continue  # it is not what was granted, and each run says so
                directories[host] = directories.get(host, False) or preopen.writable
            found = looked_at(directories)
            if found != self.group.directories:
                self.group = replace(self.group, directories=found)
                self._idle = []

    def take(self) -> Connection:
        """A connection, to a child that is started where there is none. Raises Unavailable."""
        while self._idle:
            try:
                _, known = self._idle.pop()
            except IndexError:
                break
            if known.is_quiet():
                return known
            known.close()
        return Connection(*self._connected())

    def give(self, connection: Connection) -> None:
        """Keep a connection on which nothing is under way."""
        idle, now = self._idle, time.monotonic()
        if len(idle) < _KEPT:
            idle.append((now, connection))
        else:
            connection.close()
        with suppress(IndexError):  # another thread has taken the last
            while idle[0][0] < now - IDLE:
                idle.pop(0)[1].close()

    def ended(self, pid: int) -> str:
        """How a child ended, in words; `idle` where it had nothing to do."""
        return self._said(self._meeting.ask({"ended": pid}).words)

    def kill(self, pid: int) -> str:
        """End a child that no longer answers."""
        return self._said(self._meeting.ask({"kill": pid}).words)

    def address(self, pid: int) -> str:
        """Where guests of this child reach this process: host and port, "" where they cannot.

        Raises Unavailable, Misbehaved.
        """
        with _leasing:
            for known, lease in list(_leases.items()):
                if not lease.connection.is_quiet():
                    _leases.pop(known).end()
            lease = _leases.get((os.getpid(), pid)) or self._lease()
            return lease.address

    def _lease(self) -> _ListenLease:
        connection = Connection(*self._connected())
        connection.socket.settimeout(5.0)
        connection.send(FrameKind.LISTEN)
        data, descriptors, _, _ = socket.recv_fds(connection.socket, 64, 1)
        connection.socket.settimeout(None)
        if len(data) != 5 or data[0] != FrameKind.LEASED:
            closing(descriptors)
            raise Misbehaved("the child gives no socket")
        lease = _leases[os.getpid(), connection.pid] = _ListenLease(connection, "", _nothing)
        if descriptors:
            listener = socket.socket(fileno=descriptors[0])
            if not _is_loopback(listener):
                listener.close()
                raise Misbehaved("the child gives another socket than one that listens on this machine")
            host, port = listener.getsockname()
            lease.address, lease.stop = f"{host}:{port}", self._listen(listener)
        return lease

    def _connected(self) -> tuple[socket.socket, int]:
        words, descriptor = self._meeting.ask({"connect": self.group.to_json()})
        if descriptor is None:
            raise Unavailable(
                str(words.get("error", "the spawner gives no connection")), retry_after=int(words.get("retry_after", 1))
            )
        return _OwnSocket(fileno=descriptor), int(words["pid"])

    @staticmethod
    def _said(words: dict[str, Any]) -> str:
        return str(words.get("ended", "has ended"))
