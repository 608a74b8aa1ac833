"""Opening a pipe waits until somebody opens its other end, and nothing but a signal ends that.

Programs cannot open one (`program.opening`), unless it is put in a file's place in between.
Components open files by way of Wasmtime alone, on its own threads. So while guests with directories
run, those threads are looked at: one that waits in the same call for what is neither a file nor a
directory gets a signal, and the guest an error.

In a process that has changed its user the kernel does not say what a thread waits for. There all of
these threads get the signal once a guest is past its deadline, which only such a call can keep it
from noticing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import threading
import time
from functools import cache

from wsgi_wasm import syscalls
from wsgi_wasm.engine.runtime import runtime
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.logs import package_log
from wsgi_wasm.polling import PollingThread

log = package_log("engine")

LOOK_EVERY = 0.5  # seconds; a call must be the same at two looks
_THREADS = "tokio"  # how the names of Wasmtime's threads begin
_TASKS = "/proc/self/task"

# System calls that open, and those that read and write.
_OPENING = ("open", "openat", "openat2")
_MOVING = ("read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2")


class ThreadWatch:
    """Looks while there is somebody to look for: a context manager around each run."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Threads are not there in a child."""
        self._running: dict[int, None] = {}  # by thread
        self._polling = PollingThread("wsgi_wasm-watch", LOOK_EVERY, self._running, self._look)
        self._waiting: dict[str, str] = {}

    def __enter__(self) -> None:
        """A guest with directories begins to run on this thread."""
        self._running[threading.get_ident()] = None
        if self._polling.asleep:
            with contextlib.suppress(Unavailable):  # no more threads; the next guest tries
                self._polling.wake()

    def __exit__(self, *_: object) -> None:
        """It has ended."""
        self._running.pop(threading.get_ident(), None)

    def _look(self) -> None:
        # Whatever goes wrong here must not end the looking.
        with contextlib.suppress(Exception):
            self._interrupt_stuck()

    def _interrupt_stuck(self) -> None:
        waiting, unknown = {}, []
        for thread in os.listdir(_TASKS):
            with contextlib.suppress(OSError):
                if not _read(f"{_TASKS}/{thread}/comm").startswith(_THREADS):
                    continue
                try:
                    call = _read(f"{_TASKS}/{thread}/syscall")
                except PermissionError:
                    unknown.append(thread)
                    continue
                if _waits_for_another(call):
                    waiting[thread] = call
        stuck = [thread for thread, call in waiting.items() if self._waiting.get(thread) == call]
        self._waiting = waiting
        if unknown and _is_past_deadline():
            stuck += unknown
        for thread in stuck:
            _signal(int(thread))


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def _waits_for_another(call: str) -> bool:
    """Whether this line of `syscall` (proc(5)) is of a call that waits for somebody else."""
    number, *arguments = call.split()
    name = _names().get(number)
    if name in _OPENING:
        return True
    if name not in _MOVING:
        return False
    descriptor = int(arguments[0], 16)
    mode = os.fstat(descriptor).st_mode
    # A pipe without a name is ours: a body comes through one.
    named = not os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:")
    return named and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@cache
def _names() -> dict[str, str]:
    """Names of system calls by their numbers, as the kernel writes these."""
    return {str(number): name for name, number in syscalls.numbers(syscalls.machine()).items()}


def _is_past_deadline() -> bool:
    runs = list(runtime().ticker.running)
    # A body that is read meanwhile would break off.
    if any(getattr(run, "feeder", None) is not None for run in runs):
        return False
    return any(time.monotonic() > run.deadline + LOOK_EVERY for run in runs)


@cache
def _interrupting() -> int:
    """A signal that does nothing but interrupt; 0 where all are taken."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p
    nothing = ctypes.cast(libc.getppid, ctypes.c_void_p)
    for number in (signal.SIGURG, *range(signal.SIGRTMAX, signal.SIGRTMIN, -1)):
        before = libc.signal(number, nothing)
        if before in (None, 0, nothing.value):
            libc.siginterrupt(number, 1)
            return int(number)
        libc.signal(number, before)
    log.warning("every signal is in use, so a guest that opens a pipe keeps its thread")
    return 0


def _signal(thread: int) -> None:
    number = _interrupting()
    if number:
        with contextlib.suppress(OSError):  # it has ended
            syscalls.call("tgkill", os.getpid(), thread, number)


watch = ThreadWatch()
"""That of this process."""
