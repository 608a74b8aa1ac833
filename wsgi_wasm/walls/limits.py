"""Limits of a process and what it inherits: resources (setrlimit(2)), descriptors, environment,
session, and the ways in which others could look into it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.syscalls import call

# linux/prctl.h
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_NO_NEW_PRIVS = 1, 4, 38

_LAST = 1 << 30  # above every descriptor; the kernel's own limit (fs.nr_open) is below


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """What a process may use; None leaves a limit as it is. A limit is never raised.

    There is none here for address space: the engine reserves far more of it than it uses.
    `processes` counts threads too, and those of every process of the same user.
    """

    open_files: int | None = None
    processes: int | None = None
    file_size: int | None = None
    """Bytes of one file; what would write beyond fails with EFBIG."""
    cpu_seconds: int | None = None

    def apply(self) -> None:
        """Set the limits, and those that nothing here needs: core dumps, locked memory, queues.
        Raises OSError."""
        limits = (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MSGQUEUE, 0),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_NPROC, self.processes),
            (resource.RLIMIT_FSIZE, self.file_size),
            (resource.RLIMIT_CPU, self.cpu_seconds),
        )
        for which, limit in limits:
            if limit is not None:
                _lower(which, limit)
        if self.file_size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python begins


def _lower(which: int, limit: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard == resource.RLIM_INFINITY or limit < hard:
        hard = limit
    resource.setrlimit(which, (hard, hard))


def close_others(keep: Collection[int]) -> None:
    """Close every descriptor but these."""
    first = 0
    for descriptor in sorted(set(keep)):
        if first < descriptor:  # for Python, an empty range at 0 is everything
            os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, _LAST)


def empty_environment() -> None:
    """Remove every variable, and what the kernel wrote of them into this process's memory, which
    may hold secrets.

    Whoever reads a variable later finds none: names are looked up in the C locale, temporary files
    go to /tmp, times are local ones of /etc/localtime. What was read before stays as it is.
    """
    os.environ.clear()
    with suppress(OSError, ValueError, IndexError):
        # proc(5): the name of the command, in parentheses, may hold spaces
        fields = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        first, last = int(fields[47]), int(fields[48])
        if 0 < first < last:
            ctypes.memset(first, 0, last - first)


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends. `parent` is the id of
    its process: if that has ended already, so does this. A change of user afterwards would
    undo it."""
    call("prctl", _SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def hide() -> None:
    """Let no process of the same user trace this one or read its memory, and leave no core file
    behind. Raises OSError."""
    call("prctl", _SET_DUMPABLE, 0, 0, 0, 0)


def give_up_new_privileges() -> None:
    """No program that this process starts has more rights than it (setuid). Landlock and seccomp
    want it. Raises OSError."""
    call("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def threads() -> int:
    """How many threads this process has; 1 where that cannot be told."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1
