"""One run of a guest as the host sees it: its clock, and the limits that end it.

The functions here are called from inside the guest's own calls, on the thread that serves
the request. What they raise never crosses Wasmtime: it is kept in `Run.failure` and the
guest is trapped instead.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import Job
from wsgi_wasm.engine.guest import Invocation, RunLimits
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.room import check_thread
from wsgi_wasm.engine.runtime import runtime
from wsgi_wasm.errors import Unavailable

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import HostState

MAX_FILES = 256  # that one guest may hold open
# bytes of standard error between two looks at the clock: each may be a line of the log
ERROR_PIECE = 1024
SLEEP_SLICE = 0.05  # seconds between two looks at the limits while a guest sleeps
# bytes: Wasmtime lets a guest use 512 KiB, and its host functions need room below that
STACK = 1 << 20
TRAP = b"stopped by the host"


class Run:
    """State of one run, reached from the callbacks through a `Current`."""

    __slots__ = (
        "began",
        "client",
        "cpu_end",
        "deadline",
        "directories",
        "failure",
        "files",
        "host_state",
        "job",
        "limits",
    )

    def __init__(self, limits: RunLimits, invocation: Invocation, job: Job | None) -> None:
        """`job` is the run's other half where it is native, and has begun before this
        one was made."""
        self.limits = limits
        self.client = invocation.client
        self.failure: BaseException | None = None
        self.files = 0  # that the guest holds open
        # of the host, where the host has to look how many files are open there
        self.directories: tuple[str, ...] = ()
        self.host_state: HostState | None = None  # of a component that calls functions of the host
        self.job = job
        wall, cpu = (time.monotonic(), time.thread_time()) if job is None else (job.wall_start, job.cpu_start)
        self.began = wall  # when the guest's own monotonic clock begins
        self.deadline = wall + limits.timeout - invocation.spent[0]
        self.cpu_end = cpu + limits.cpu - invocation.spent[1]

    def flush(self) -> None:
        """Hand on what has gathered. The clock of `timeout` stands still while the client is slow
        to take it."""
        raise NotImplementedError

    def look(self) -> None:
        """Look at the clocks and at the client, as a call of the host does between two pieces of
        its work. Raises Stop where the run must end."""
        self._look_at_clocks()
        if self.client.gone():
            raise Stop(End.STOPPED, "the client has disconnected")

    def tick(self) -> None:
        """The same, and send what waits."""
        self._look_at_clocks()
        self.flush()
        if self.client.gone():
            raise Stop(End.STOPPED, "the client has disconnected")

    def _look_at_clocks(self) -> None:
        if time.monotonic() >= self.deadline:
            raise Stop(End.TIMEOUT, f"{self.limits.timeout:g} s")
        if time.thread_time() >= self.cpu_end:
            raise Stop(End.CPU, f"{self.limits.cpu:g} s")

    def close(self) -> None:
        """After the run, and after its store: let go of what belongs to the run."""
        # It refers to the frames that it has come through, and these to the run.
        self.failure = None

    def sleep_until(self, moment: float) -> None:
        """Sleep until `moment` (monotonic clock, seconds), looking at the limits in
        between. Raises Stop."""
        self.flush()
        while True:
            self.tick()
            now = time.monotonic()
            if now >= moment:
                return
            time.sleep(max(0.0, min(moment - now, self.deadline - now, SLEEP_SLICE)))


R = TypeVar("R", bound=Run)


class Current(threading.local, Generic[R]):
    """The run of this thread, for the callbacks. A thread's stack is looked at when it first
    runs a guest.

    `run` is None while none is there, and while a native one has not needed Python yet: `begin`
    then makes it.
    """

    run: R | None = None
    begin: Callable[[], R] | None = None

    def the_run(self) -> R:
        """The run that this thread is in."""
        run = self.run
        if run is None:
            assert self.begin is not None
            run = self.run = self.begin()
            runtime().ticker.running[run] = None
        return run

    def keep(self, failure: BaseException) -> None:
        """Remember what ends the run: the first that a callback raised, which is
        raised again outside."""
        run = self.run
        if run is not None and run.failure is None:
            run.failure = failure

    def __init__(self) -> None:
        size = stack_size()
        if size < STACK:
            raise Unavailable(
                f"the server's threads have {size >> 10} KiB of stack, but a guest needs {STACK >> 10} KiB: increase "
                "it (mod_wsgi: stack-size of WSGIDaemonProcess, Python: threading.stack_size, shell: ulimit -s)"
            )
        check_thread()


def epoch_callback(current: Current[Any]) -> Any:
    """What Wasmtime calls at each tick while a guest runs. It has to outlive the engines."""

    def on_epoch(_context: int, _data: int | None, delta: Any, _kind: Any) -> int:
        try:
            current.the_run().tick()
        except BaseException as failure:
            current.keep(failure)
            return int(c.error_new(TRAP))
        delta[0] = 1
        return 0

    return c.EpochCallback(on_epoch)


def stack_size() -> int:
    """Bytes of this thread's stack. A guest that recurses past a stack that is too small would
    end the process."""
    attributes = ctypes.create_string_buffer(256)  # pthread_attr_t, 56 bytes on 64-bit glibc
    size = ctypes.c_size_t(STACK)
    libc = ctypes.CDLL(None)
    libc.pthread_self.restype = ctypes.c_void_p
    if libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes) == 0:
        libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
        libc.pthread_attr_destroy(attributes)
    return size.value


current: Current[Run] = Current()
"""The run of a component, which functions of the host look at. Programs have
theirs in `program.run`."""
