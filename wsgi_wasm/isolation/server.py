"""Which server this process belongs to. Its processes share their spawner and its children."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import NamedTuple

NAMED = "WSGI_WASM_SERVER"
"""Environment variable with the process id of gunicorn's master, which hands it on to
its workers."""


class ServerProcess(NamedTuple):
    """The process that ends last, and when it began, in clock ticks since the machine's start: so
    no other process is taken for it that gets its number later."""

    pid: int
    began: int

    @property
    def name(self) -> str:
        """For files of this machine, whose containers may share a directory."""
        return f"{namespace()}-{self.pid}-{self.began}"


@cache
def namespace() -> int:
    """Of process ids (pid_namespaces(7)); 0 where that cannot be told."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def began(pid: int) -> int:
    """When a process began (proc(5), `starttime`); 0 for one that is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


_found: dict[int, ServerProcess] = {}  # by the process that asked, as a fork has another answer


def server_process() -> ServerProcess:
    """gunicorn's master, Apache's parent process; otherwise this process itself. What is found once
    stays: within walls (`harden`) other processes cannot be looked at."""
    pid = os.getpid()
    if pid not in _found:
        _found.clear()
        _found[pid] = _server_of(pid)
    return _found[pid]


def _server_of(pid: int) -> ServerProcess:
    named = os.environ.get(NAMED, "")
    if named.isdigit() and int(named) in (pid, os.getppid()):
        pid = int(named)
    elif ("mod_wsgi" in sys.modules and hasattr(sys.modules["mod_wsgi"], "process_group")) or _is_gunicorn_worker():
        pid = os.getppid()
    return ServerProcess(pid, began(pid))


def _is_gunicorn_worker() -> bool:
    """Whether gunicorn has forked this process: its master has the arbiter's module too, but no
    worker of its own to name as its parent."""
    arbiter = sys.modules.get("gunicorn.arbiter")
    if arbiter is None:
        return False
    try:
        with open(f"/proc/{os.getppid()}/cmdline", "rb") as theirs, open("/proc/self/cmdline", "rb") as ours:
            return theirs.read() == ours.read()
    except OSError:
        return False
