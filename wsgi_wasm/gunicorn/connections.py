"""What connections of a worker need beyond gunicorn: an end of those on which no head arrives, and
of those whose clients do not close them."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from wsgi_wasm.logs import Seldom, package_log

log = package_log("gateway")


class Partings:
    """Closes connections of a `gthread` worker so that nothing waits for their clients.

    gunicorn keeps a connection open for 2 s after its last answer, or until the client closes it,
    as it should: the answer might be lost otherwise (RFC 9112 9.6). But it does that in the one
    loop that takes new connections, one after the other, so a few clients that do not close could
    stop a worker. Here the loop looks at them when something comes.

    It also keeps the worker's count right where an answer is broken off. gunicorn then closes the
    socket itself, fails at closing it again, and counts the connection a second time. With a count
    below what there is, a worker that stops would leave its loop, in which it reports to its master
    and ends slow clients, before the last client has gone.
    """

    PATIENCE = 2.0  # seconds
    MOST = 256  # connections that wait for their clients

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._waiting: dict[socket.socket, float] = {}  # until when, the oldest first
        self._finish, self._notify = worker.finish_request, worker.notify
        worker.finish_request, worker.notify = self.finish_request, self.notify

    def finish_request(self, connection: Any, future: Any) -> None:
        """As the worker's, in its loop."""
        connection.close = partial(self._close, connection.sock)
        self._finish(connection, future)

    def _close(self, own: socket.socket, graceful: bool = False) -> None:
        try:
            if graceful and own.fileno() != -1:
                own.shutdown(socket.SHUT_WR)
                own.setblocking(False)
                self._worker.poller.register(own, selectors.EVENT_READ, self._readable)
                self._waiting[own] = time.monotonic() + self.PATIENCE
        except (OSError, ValueError, KeyError):
            own.close()
            return
        if not graceful:
            own.close()
        elif len(self._waiting) > self.MOST:
            self._end(next(iter(self._waiting)))

    def _readable(self, own: socket.socket) -> None:
        try:
            if own.recv(1 << 16):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end(own)

    def _end(self, own: socket.socket) -> None:
        self._waiting.pop(own)
        self._worker.poller.unregister(own)
        own.close()

    def notify(self) -> None:
        """As the worker's, in its loop."""
        self._notify()
        now = time.monotonic()
        for own in [own for own, until in self._waiting.items() if until < now]:
            self._end(own)


class SlowHeads:
    """Ends connections of a `gthread` worker on which the head of a request does not arrive.

    Such a connection holds a thread, and gunicorn lets it do so for ever: as many as there are
    threads would be the end of the service. The worker's loop looks once a second. While no thread
    is free, `CROWDED` seconds are enough.
    """

    PATIENCE = 15.0  # seconds; Apache's mod_reqtimeout begins with 20
    CROWDED = 2.0

    def __init__(self, worker: Any) -> None:
        self._threads = worker.cfg.threads
        # by thread: since when, and the connection
        self._waiting: dict[int, tuple[float, Any]] = {}
        self._busy: set[int] = set()  # threads that have a connection
        self._seldom = Seldom(log)
        self._handle, self._notify = worker.handle, worker.notify
        worker.handle, worker.notify = self.handle, self.notify
        for name in ("handle_request", "handle_http2", "handle_h2c_upgrade"):
            if hasattr(worker, name):
                setattr(worker, name, self._once_there(getattr(worker, name)))

    def handle(self, connection: Any) -> Any:
        """As the worker's, on a thread of its pool."""
        thread = threading.get_ident()
        self._busy.add(thread)
        self._waiting[thread] = time.monotonic(), connection
        try:
            return self._handle(connection)
        finally:
            self._waiting.pop(thread, None)
            self._busy.discard(thread)

    def _once_there(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """What the worker does with a head that has arrived."""

        def answer(*arguments: Any) -> Any:
            self._waiting.pop(threading.get_ident(), None)
            return inner(*arguments)

        return answer

    def notify(self) -> None:
        """As the worker's, in its loop."""
        self._notify()
        most = self.CROWDED if len(self._busy) >= self._threads else self.PATIENCE
        waiting = list(self._waiting.values())
        late = [connection for since, connection in waiting if time.monotonic() - since > most]
        for connection in late:
            # what waits for it reads the end of the connection
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RD)
        if late:
            self._seldom.warning(
                "late", f"ended connections on which no head of a request arrived in time: {len(late)}"
            )
