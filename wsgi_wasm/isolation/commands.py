"""Programs of the host (`commands:`), which the spawner starts for workers.

The fork of the spawner stays with the program: everything that the program starts is its
descendant (PR_SET_CHILD_SUBREAPER), and ends with it, at its time limit, or when the connection of
the worker does.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import resource
import select
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from wsgi_wasm.config.granted import HostCommand
from wsgi_wasm.errors import WallError
from wsgi_wasm.hostapi.channel.command_line import may_have
from wsgi_wasm.hostapi.channel.starting import command_of, words_of
from wsgi_wasm.isolation.fork import forked
from wsgi_wasm.isolation.rights import SpawnerRights
from wsgi_wasm.syscalls import call
from wsgi_wasm.walls import User
from wsgi_wasm.walls.limits import close_others, end_with_parent

_MOST = 128  # at the same time, for the whole server
_GRACE = 0.5  # seconds between SIGTERM and SIGKILL
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_OPEN_FILES = 256


def digest_of(command: HostCommand) -> str:
    """What stands for a command where it need not be told in full."""
    return hashlib.sha256(json.dumps(words_of(command), sort_keys=True).encode()).hexdigest()


class Commands:
    """Those that run. `rights` says which there may be."""

    def __init__(self, selector: selectors.BaseSelector, rights: SpawnerRights) -> None:
        self._selector = selector
        self._rights = rights
        self._running: dict[int, int] = {}  # a descriptor of each process that stays with a program

    def start(
        self, connection: socket.socket, words: dict[str, Any], streams: Sequence[int], user: User | None
    ) -> None:
        """Start one, with these streams. Its process answers. Raises OSError, ValueError,
        WallError."""
        command, arguments = command_of(words["command"]), [str(one) for one in words["arguments"]]
        if len(streams) != 3 or len(self._running) >= _MOST:
            raise ValueError(f"it has {len(streams)} streams, and {len(self._running)} programs run")
        self._rights.check_command(digest_of(command))
        if not all(may_have(command.args, one) for one in arguments):
            raise WallError("these arguments are not allowed")
        pid = forked(lambda: _stay(connection, command, arguments, streams, user))
        pidfd = os.pidfd_open(pid)
        self._running[pid] = pidfd
        self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._reap(pid, pidfd))
        connection.close()

    def _reap(self, pid: int, pidfd: int) -> None:
        os.waitpid(pid, 0)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        del self._running[pid]


# --- the process that stays with a program --------------------------------------------------------


def _stay(
    connection: socket.socket, command: HostCommand, arguments: Sequence[str], streams: Sequence[int], user: User | None
) -> int:
    """Start the program, wait for its end, and end what it has left behind."""
    os.setsid()
    for descriptor, source in enumerate(streams):
        os.dup2(source, descriptor)
    close_others({0, 1, 2, connection.fileno()})
    if user is not None:
        user.switch()
    call("prctl", _SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reading, writing = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(command, arguments, parent, writing)
    os.close(writing)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    failure = os.read(reading, 16)
    if failure:
        os.waitpid(pid, 0)
        _say(connection, {"errno": int(failure)})
        return 0
    _say(connection, {"pid": pid})
    ended, status = _wait(connection, pid, time.monotonic() + command.timeout)
    if not ended:
        _end_group(pid)
        _, status = os.waitpid(pid, 0)
    _end_descendants()
    _say(connection, {"status": status, "timeout": not ended})
    return 0


def _become(command: HostCommand, arguments: Sequence[str], parent: int, failure: int) -> NoReturn:
    """The program. Why it cannot be goes to `failure`, a pipe that ends where it can."""
    number = errno.EIO
    try:
        os.setpgid(0, 0)
        end_with_parent(parent)
        for one in range(1, signal.NSIG):
            if one not in (signal.SIGKILL, signal.SIGSTOP):
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(one, signal.SIG_DFL)
        _limit(resource.RLIMIT_AS, command.memory)
        _limit(resource.RLIMIT_CPU, max(1, int(command.timeout) + 1))
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
        os.umask(0o077)
        os.chdir(command.cwd)
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", **command.env}
        os.execve(command.path, [str(command.path), *arguments], environment)
    except OSError as error:
        number = error.errno or number
    finally:
        os.write(failure, str(number).encode())
        os._exit(127)


def _limit(which: int, limit: int) -> None:
    _, hard = resource.getrlimit(which)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (limit, limit))


def _wait(connection: socket.socket, pid: int, until: float) -> tuple[int, int]:
    """What waitpid gives at the program's end; zeros where its time is up, or nobody waits for it
    any more."""
    ready = select.poll()
    ready.register(os.pidfd_open(pid), select.POLLIN)
    ready.register(connection, select.POLLIN | select.POLLRDHUP)
    while (left := until - time.monotonic()) > 0:
        found = ready.poll(left * 1000)
        if any(descriptor == connection.fileno() for descriptor, _ in found):
            break
        if found:
            return os.waitpid(pid, 0)
    return 0, 0


def _end_group(pid: int) -> None:
    """Ask the program's own group to end, and end it after a moment."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGTERM)
        until = time.monotonic() + _GRACE
        while time.monotonic() < until and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.01)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _end_descendants() -> None:
    """What has left the group is this process's child by now, or that of one."""
    while True:
        with contextlib.suppress(OSError, ValueError):
            for child in open(f"/proc/self/task/{os.getpid()}/children").read().split():  # noqa: SIM115
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _say(connection: socket.socket, words: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.send(json.dumps(words).encode())
