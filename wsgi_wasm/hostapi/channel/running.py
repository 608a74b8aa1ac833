"""A program of the host while it runs: three pipes, and the connection that says how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Sequence
from typing import NamedTuple

from wsgi_wasm.config.granted import HostCommand
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.run import current
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.starting import start
from wsgi_wasm.hostapi.log import guest_log, log

_SLICE = 10  # ms between two looks at the clock
_PIECE = 1 << 16
_MOST_KEPT = 4 << 20  # bytes of output that nobody has read; then the program waits
_KILLED = 9  # as waitpid(2) has SIGKILL


class Slots:
    """How many programs run of one command, for one route."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    def take(self) -> None:
        """Raises Declined where all are taken."""
        if not self._free.acquire(blocking=False):
            raise Declined(Errno.AGAIN)

    def give(self) -> None:
        """One has ended."""
        self._free.release()


INPUT, MERGED, ERRORS = 2, 4, 8


class Given(NamedTuple):
    """What a program is started with: its arguments after its name, and flags: INPUT where the
    guest writes its standard input, MERGED where standard error comes with standard output, ERRORS
    where it is read by itself; else it is the guest's own."""

    arguments: Sequence[str]
    flags: int


class HostProcess:
    """As `processes.Process`."""

    def __init__(self, host: HostState, command: HostCommand, given: Given, slots: Slots) -> None:
        """Raises Declined."""
        self._host_state = host
        self._command = command
        self._slots: Slots | None = slots
        self._keeps_errors = bool(given.flags & ERRORS)
        # read, and not yet by the guest: output (False) and errors (True)
        self._kept = {False: bytearray(), True: bytearray()}
        self._written = 0
        self._status: int | None = None
        self._connection: socket.socket | None = None
        self._input = -1
        self._outputs: dict[int, bool] = {}
        slots.take()
        try:
            self._begin(given)
        except BaseException:
            self.close()
            raise

    def _begin(self, given: Given) -> None:
        """Raises Declined."""
        theirs: list[int] = []
        try:
            stdin, self._input = os.pipe2(os.O_CLOEXEC)
            theirs.append(stdin)
            for errors in (False,) if given.flags & MERGED else (False, True):
                read, write = os.pipe2(os.O_CLOEXEC)
                self._outputs[read] = errors
                theirs.append(write)
            for descriptor in (self._input, *self._outputs):
                os.set_blocking(descriptor, False)
            self._connection = start(self._command, given.arguments, [*theirs, theirs[1]][:3])
        except (OSError, Unavailable) as error:
            log.error("%s: %s", self._command.path, error)
            raise Declined(Errno.AGAIN) from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._connection.setblocking(False)
        words = self._told()
        while words is None:
            self._host_state.look()
            words = self._told(_SLICE)
        if "pid" not in words:
            log.error("%s cannot be started: %s", self._command.path, _why(words))
            raise Declined(Errno.NOENT)

    # --- what the guest asks for ---

    @property
    def has_ended(self) -> bool:
        """As `Process.has_ended`."""
        return self._status is not None

    def write(self, data: bytes) -> None:
        """As `Process.write`."""
        left = memoryview(data)
        while left:
            if self._input < 0:
                raise Declined(Errno.PIPE)
            try:
                left = left[os.write(self._input, left[:_PIECE]) :]
            except BlockingIOError:
                self._wait_for(self._input)
            except OSError:
                self.close_input()
            self._host_state.look()

    def read(self, size: int, errors: bool) -> bytes:
        """As `Process.read`."""
        kept = self._kept[errors]
        while not kept and errors in self._outputs.values():
            self._wait_for()
        data = bytes(kept[:size])
        del kept[:size]
        return data

    def close_input(self) -> None:
        """As `Process.close_input`."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def close_output(self) -> None:
        """As `Process.close_output`."""
        for descriptor, errors in list(self._outputs.items()):
            if not errors:
                self._end_of(descriptor)
        self._kept[False].clear()

    def wait(self, hang: bool) -> int | None:
        """As `Process.wait`."""
        self.close_input()
        while self._status is None:
            words = self._told()
            if words is not None:
                self._ended(words)
            elif not hang:
                return None
            else:
                self._wait_for()
        while self._outputs and len(self._kept[False]) + len(self._kept[True]) < _MOST_KEPT:
            self._take(list(self._outputs))
        return self._status

    def kill(self) -> None:
        """As `Process.kill`: whoever stays with it ends it when the connection ends."""
        if self._status is None:
            self._ended({"status": _KILLED})

    def close(self) -> None:
        """As `Process.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.close_input()
        for descriptor in list(self._outputs):
            self._end_of(descriptor)
        if self._slots is not None:
            self._slots.give()
            self._slots = None

    # --- what comes from the program ---

    def _wait_for(self, writable: int = -1) -> None:
        """Until a slice of time is over, or something can be read, or written there.
        Raises Stop."""
        full = len(self._kept[False]) + len(self._kept[True]) >= _MOST_KEPT
        ready = select.poll()
        for descriptor in () if full else self._outputs:
            ready.register(descriptor, select.POLLIN)
        if writable >= 0:
            ready.register(writable, select.POLLOUT)
        elif self._connection is not None:
            ready.register(self._connection, select.POLLIN)
        found = [descriptor for descriptor, _ in ready.poll(_SLICE)]
        self._take([one for one in found if one in self._outputs])
        self._host_state.look()

    def _take(self, descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            try:
                data = os.read(descriptor, _PIECE)
            except BlockingIOError:
                continue
            if not data:
                self._end_of(descriptor)
                continue
            errors = self._outputs[descriptor]
            self._written += len(data)
            if self._written > self._command.max_output:
                guest_log.warning("%s has written more than max_output, and is ended", self._command.path)
                self.kill()
            elif errors and not self._keeps_errors:
                self._pass_on(data)
            else:
                self._kept[errors] += data

    def _pass_on(self, data: bytes) -> None:
        """What is the guest's own standard error."""
        run = current.run
        if run is not None and run.client.errors_left > 0:
            run.client.error_output(data[: run.client.errors_left])

    def _end_of(self, descriptor: int) -> None:
        self._outputs.pop(descriptor, None)
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def _told(self, wait: int = 0) -> dict[str, object] | None:
        """The next packet from whoever stays with the program; None where none has come within so
        many milliseconds."""
        assert self._connection is not None
        ready = select.poll()
        ready.register(self._connection, select.POLLIN)
        if not ready.poll(wait):
            return None
        try:
            data = self._connection.recv(_PIECE)
            words = json.loads(data) if data else {"status": _KILLED}
        except (OSError, ValueError):
            words = {"status": _KILLED}
        return words if isinstance(words, dict) else {"status": _KILLED}

    def _ended(self, words: dict[str, object]) -> None:
        status = words.get("status")
        self._status = status if isinstance(status, int) else _KILLED
        if words.get("timeout"):
            guest_log.warning("%s has been ended after its timeout", self._command.path)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if status == _KILLED:
            for descriptor in list(self._outputs):
                self._take([descriptor]) if self._written <= self._command.max_output else self._end_of(descriptor)


def _why(words: dict[str, object]) -> str:
    code = words.get("errno")
    return os.strerror(code) if isinstance(code, int) else str(words.get("error", "whoever should start it has ended"))
