"""Server processes: started in a session of their own, watched until they answer, ended by their own ids.

Every wait is bounded by `TIMEOUT`. Nothing is looked up or killed by name: what belongs to a server is what belongs to
its session. The leader is not reaped before the last of the others is gone, so that its number cannot be given away.
"""

from __future__ import annotations

import http.client
import os
import random
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .proc import every_pid, living, stat_fields

TIMEOUT = 120.0
"""Seconds that anything here may take before it is an error."""

PARTING = 20.0
"""Seconds that the others of a session may go on after its leader before they are killed."""

PAUSE = 0.02
"""Seconds between two looks at something that sends no event."""


class ServerError(RuntimeError):
    """A server did not start, answer or stop; the text holds the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, of those that the system gives to no outgoing connection: one
    of these could take it before the server does."""
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split())
    for port in random.SystemRandom().sample(range(10_000, max(first, 20_000)), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise ServerError("100 ports in a row are taken")


@contextmanager
def closed_port() -> Iterator[int]:
    """A TCP port of 127.0.0.1 where connections are refused: it is held, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def wait_for(what: str, condition: Callable[[], bool], timeout: float = TIMEOUT) -> None:
    """Return as soon as `condition` holds. Raises ServerError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(PAUSE)


def session_members(session: int) -> list[int]:
    """Living processes of a session, zombies left out."""
    members = []
    for pid in every_pid():
        fields = living(pid)
        if fields is not None and int(fields[3]) == session:
            members.append(pid)
    return members


class ServerProcess:
    """One server: the process started here leads a session, and all that it forks stays in it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        output: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """`output` gets standard output and error. `env` is the whole environment; None inherits ours."""
        self.output = output
        with output.open("ab") as sink:
            self._popen = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        self._ended = False
        self._pidfd = os.pidfd_open(self.pid)

    def exited(self, timeout: float = 0.0) -> bool:
        """Whether the leader has ended, waiting for that up to `timeout` seconds. Does not reap it."""
        if self._ended:
            return True
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return bool(poller.poll(timeout * 1000))

    def fate(self) -> str:
        """How the leader ended, in words; it is not reaped by this."""
        if self._ended:
            return f"exit code {self._popen.returncode}"
        result = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if result is None:
            return "running"
        return f"{'exit code' if result.si_code == os.CLD_EXITED else 'signal'} {result.si_status}"

    def members(self) -> list[int]:
        """Every living process of this server, the leader too."""
        return [] if self._ended else session_members(self.pid)

    def children(self) -> list[int]:
        """Living processes that the leader itself forked, in order of their ids."""
        found = []
        for pid in self.members():
            fields = stat_fields(pid)
            if fields is not None and int(fields[1]) == self.pid:
                found.append(pid)
        return sorted(found)

    def send(self, number: signal.Signals) -> None:
        """A signal to the leader alone. Raises ServerError when it has ended."""
        if self.exited():
            raise ServerError(f"{number.name}: the server has ended\n{self.tail()}")
        signal.pidfd_send_signal(self._pidfd, number)

    def tail(self, size: int = 4000) -> str:
        """The last characters of what the server printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")[-size:]

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = TIMEOUT) -> tuple[int, tuple[int, ...]]:
        """End the server; once more is harmless. Returns the leader's exit code (negative: the signal that ended it)
        and the ids of the processes that did not go by themselves within `timeout` seconds and had to be killed."""
        if self._ended:
            return self._popen.returncode, ()
        if not self.exited():
            self.send(number)
        self.exited(timeout)
        killed = self._kill_rest()
        code = self._popen.wait(TIMEOUT)
        self._ended = True
        os.close(self._pidfd)
        return code, killed

    def _kill_rest(self) -> tuple[int, ...]:
        """Children get a moment after their parent, then SIGKILL."""
        deadline = time.monotonic() + PARTING
        while self.members() and self.exited() and time.monotonic() < deadline:
            time.sleep(PAUSE)
        rest = self.members()
        for pid in rest:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_for("killed processes to go", lambda: not self.members())
        return tuple(rest)


def wait_while_alive(process: ServerProcess, what: str, condition: Callable[[], bool]) -> None:
    """`wait_for` that ends at once, with the log, when the server does."""

    def holds() -> bool:
        if condition():
            return True
        if process.exited():
            raise ServerError(f"the server ended ({process.fate()}); waited for {what}\n{process.tail()}")
        return False

    wait_for(what, holds)


def wait_until_answering(
    process: ServerProcess, address: tuple[str, int], target: str | None, timeout: float = TIMEOUT
) -> None:
    """Return once GET `target` has any answer at all (None: once a connection is accepted).

    Raises ServerError with the end of the log when the server ends first or stays silent.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.exited():
            raise ServerError(f"the server ended ({process.fate()}) before it answered\n{process.tail()}")
        if _answers(address, target, max(deadline - time.monotonic(), 0.1)):
            return
        process.exited(PAUSE)
    raise ServerError(f"no answer within {timeout:g} s\n{process.tail()}")


def _answers(address: tuple[str, int], target: str | None, timeout: float) -> bool:
    try:
        if target is None:
            socket.create_connection(address, timeout=timeout).close()
            return True
        connection = http.client.HTTPConnection(*address, timeout=timeout)
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            connection.getresponse().read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
    return True
