"""The compilers that a spawner has started for processes that can start none themselves."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.isolation.fork import be_compiler, forked
from wsgi_wasm.walls import User

MOST = 32  # at the same time


@dataclass(eq=False, slots=True)
class _Compiler:
    pid: int
    pidfd: int
    connection: socket.socket


class Compilers:
    """Each ends when its connection does, and tells its status there. `cache` is the one that they
    may write to."""

    def __init__(self, selector: selectors.BaseSelector, cache: Path) -> None:
        self._selector = selector
        self._cache = cache
        self._running: set[_Compiler] = set()

    def start(
        self, connection: socket.socket, arguments: Sequence[str], streams: Sequence[int], user: User | None
    ) -> None:
        """Start one, with these streams. The answer is its number, and its files of proc(5) that
        say what it uses. Raises OSError, ValueError."""
        if len(streams) != 3 or len(self._running) >= MOST:
            raise ValueError(f"it has {len(streams)} streams, and {len(self._running)} compilers run")
        pid = forked(lambda: be_compiler(arguments, streams, self._cache, user))
        one = _Compiler(pid, os.pidfd_open(pid), connection)
        self._running.add(one)
        self._selector.register(one.pidfd, selectors.EVENT_READ, lambda: self._reap(one))
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._kill(one))
        usage = [os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("statm", "stat")]
        try:
            socket.send_fds(connection, [json.dumps({"pid": pid}).encode()], usage)
        finally:
            for descriptor in usage:
                os.close(descriptor)

    def end(self) -> None:
        """End all of them."""
        for one in list(self._running):
            self._kill(one)

    def _kill(self, one: _Compiler) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(one.pidfd, signal.SIGKILL)
        with contextlib.suppress(KeyError):
            self._selector.unregister(one.connection)

    def _reap(self, one: _Compiler) -> None:
        _, status = os.waitpid(one.pid, 0)
        with contextlib.suppress(OSError):
            one.connection.send(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode())
        for registered in (one.pidfd, one.connection):
            with contextlib.suppress(KeyError):
                self._selector.unregister(registered)
        os.close(one.pidfd)
        one.connection.close()
        self._running.discard(one)
