"""Feeds a component the request's body while the client sends it (`stream_request`).

A component's standard input is a stream of Wasmtime's, which reads a file: here a pipe,
that a thread fills. While the guest waits for the client its clock stands still, as it does
for core modules.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
import threading
from collections.abc import Callable
from typing import Protocol

PIECE = 2048  # bytes: servers wait until as many are there as they are asked for
PARTING = 0.05  # seconds: while its client sends, a feeder finds out sooner that its guest is gone


class BodySource(Protocol):
    """A body that is still coming; what `read` raises ends the run and is raised again after it."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" at the end."""

    def stop(self) -> None:
        """Have a `read` that waits for the client return at once, where that can be done."""


def _nothing() -> None: ...


class Feeder:
    """One body on its way into one guest. `descriptor` is the guest's end, which `path` opens;
    after one or the other, `begin`. `failed` is called, on the feeder's thread, when the body has
    broken off and before the guest sees its end."""

    def __init__(self, source: BodySource, failed: Callable[[], None] = _nothing) -> None:
        self._source = source
        self._failed = failed
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        self.path = f"/proc/self/fd/{self._out}".encode()
        self.failure: BaseException | None = None
        self._waiting = False  # for the client
        self._thread = threading.Thread(target=self._feed, name="wsgi_wasm-body", daemon=True)

    @property
    def descriptor(self) -> int:
        """To read the body from, until `begin`."""
        return self._out

    def begin(self) -> None:
        """The guest has its end open; when that is closed, writing fails, and the feeder stops."""
        os.close(self._out)
        self._out = -1
        self._thread.start()

    def guest_waits(self) -> bool:
        """Whether there is nothing for the guest to read, because the client has not
        sent it yet."""
        if not self._waiting:
            return False
        unread = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._in, termios.FIONREAD, unread)
        return unread[0] == 0

    def end(self) -> None:
        """After the run: nothing reads from the server's source any more when this returns."""
        try:
            self._end()
        finally:
            self.failure = None  # as in `Run.close`

    def _end(self) -> None:
        if self._out >= 0:
            os.close(self._out)
            os.close(self._in)
            return
        # Stopped, a connection brings nothing more, and a client that still sends would be told of
        # a reset and not find the answer.
        self._thread.join(PARTING)
        if self._thread.is_alive():
            self._source.stop()
            self._thread.join()

    def _feed(self) -> None:
        try:
            while True:
                self._waiting = True
                data = self._source.read(PIECE)
                self._waiting = False
                if not data:
                    break
                while data:
                    data = data[os.write(self._in, data) :]
        except BrokenPipeError:
            pass  # the guest has ended, or does not want more
        except BaseException as failure:
            self.failure = failure
            with contextlib.suppress(Exception):
                self._failed()
        finally:
            os.close(self._in)
