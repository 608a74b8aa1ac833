"""One run of a guest as the host sees it: its streams, its clock, and the limits that end it.

The functions here are called from inside the guest's own calls, on the thread that serves the request. What they
raise never crosses Wasmtime: `wasi` keeps it in `Run.failure` and traps the guest instead.
"""

from __future__ import annotations

import ctypes
import io
import resource
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import Job
from wsgi_wasm.engine.outcome import End
from wsgi_wasm.engine.runtime import SMALL_MEMORY, Slot, runtime
from wsgi_wasm.errors import Unavailable

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import HostState

MAX_FILES = 256  # that one guest may hold open
FLUSH_SIZE = 65536  # bytes of output that are gathered before they are sent without waiting for a tick


class Input(Protocol):
    """Where the guest's standard input comes from; at its end `read` gives b""."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""


class Client(Protocol):
    """The other end of a guest's output and errors. What these raise ends the run and is raised again after it."""

    def output(self, data: bytes) -> None:
        """Take what the guest has written since the last call; may block while the client is slow."""

    def error_output(self, data: bytes) -> None:
        """Take bytes that the guest wrote to its standard error."""

    def gone(self) -> bool:
        """True once nobody waits for the answer any more."""


class RunLimits(Protocol):
    """The limits that bind a run; see the configuration reference for each."""

    @property
    def timeout(self) -> float: ...
    @property
    def cpu(self) -> float: ...
    @property
    def memory(self) -> int: ...
    @property
    def max_output(self) -> int: ...


class Stop(Exception):
    """Ends the guest for a limit of ours; `end` says which."""

    def __init__(self, end: End, detail: str = "") -> None:
        super().__init__(detail or end.value)
        self.end = end
        self.detail = detail


class Exited(Exception):
    """The guest called `proc_exit`; `code` is its status."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Fault(Exception):
    """The guest passed an address outside its memory; it gets EFAULT."""


class Run:
    """State of one run, reached from the callbacks through `current`."""

    __slots__ = (
        "base", "client", "context", "cpu_end", "deadline", "environment", "failure", "files", "forwarder",
        "host_state", "job", "limits", "pending", "pending_size", "size", "slot", "stdin", "streams", "total",
    )  # fmt: skip

    def __init__(
        self,
        slot: Slot,
        limits: RunLimits,
        client: Client,
        stdin: Input | None,
        environment: Sequence[bytes],
        spent: tuple[float, float],
        job: Job | None = None,
    ) -> None:
        """`spent` is wall and CPU time (seconds) that is taken off the limits; `job` is the run's other half where it
        is native, and has begun before this one was made."""
        self.slot = slot
        self.limits = limits
        self.client = client
        self.stdin = stdin
        self.environment = environment
        self.streams = {0: 0, 1: 1, 2: 2}  # by the guest's descriptor
        self.pending: list[bytes] = []
        self.pending_size = self.total = 0
        self.base = self.size = 0  # the guest's memory; it never moves while the run lasts (see `memory`)
        self.context = 0
        self.forwarder: dict[str, ctypes.Array[ctypes.c_char]] | None = None
        self.failure: BaseException | None = None
        self.files = 0  # that the guest holds open
        self.host_state: HostState | None = None  # of a component that calls functions of the host
        self.job = job
        wall, cpu = started(job)
        self.deadline = wall + limits.timeout - spent[0]
        self.cpu_end = cpu + limits.cpu - spent[1]

    def memory(self, caller: int) -> int:
        """Address of the guest's memory. Slots of the pool reserve the whole 4 GiB, so it is looked up once."""
        base = self.base
        if not base:
            if not c.caller_export_get(caller, b"memory", 6, self.slot.memory_at - c.OF_EXTERN):
                raise Stop(End.STOPPED, "the module exports no memory")
            self.context = int(c.caller_context(caller))
            self.base = base = int(c.memory_data(self.context, self.slot.memory_at))
            self.size = int(c.memory_data_size(self.context, self.slot.memory_at))
        return base

    def has_small_memory(self) -> bool:
        """Whether the guest's memory is known and small; it may have grown since it was looked up."""
        return self.base != 0 and c.memory_data_size(self.context, self.slot.memory_at) <= SMALL_MEMORY

    def check(self, address: int, length: int) -> None:
        """Raises Fault unless [address, address + length) lies in the guest's memory, which may have grown."""
        if address + length > self.size:
            self.size = int(c.memory_data_size(self.context, self.slot.memory_at))
            if address + length > self.size:
                raise Fault

    def change_streams(self) -> None:
        """From here on a standard descriptor may be something else, and a native run asks Python about each."""
        job = self.job
        if job is not None and not job.python_streams:
            job.python_streams = 1
            if isinstance(self.stdin, (io.BytesIO, io.FileIO)):
                self.stdin.seek(job.input_at)

    def may_open(self) -> bool:
        """Whether the guest may open one more file: its own share, and what all guests together leave to the host."""
        if self.files >= MAX_FILES:
            return False
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit == resource.RLIM_INFINITY:
            return True
        held: int = sum(run.files for run in list(runtime().ticker.running))
        return held < limit // 2

    def write(self, stream: int, data: bytes) -> None:
        """Take what the guest writes to standard output (1) or error (2); a limit reached raises Stop."""
        if stream == 2:
            self.client.error_output(data)
            return
        size = len(data)
        self.total += size
        if self.total > self.limits.max_output:
            self.pending.append(data[: size - (self.total - self.limits.max_output)])
            raise Stop(End.OUTPUT, f"{self.limits.max_output} bytes")
        self.pending.append(data)
        self.pending_size += size
        if self.pending_size >= FLUSH_SIZE:
            self.flush()

    def flush(self) -> None:
        """Hand on what has gathered. The clock of `timeout` stands still while the client is slow to take it."""
        if self.pending:
            data = b"".join(self.pending) if len(self.pending) > 1 else self.pending[0]
            self.pending.clear()
            self.pending_size = 0
            before = time.monotonic()
            self.client.output(data)
            self.deadline += time.monotonic() - before

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the request body; waiting for the client does not count against `timeout` either."""
        if self.stdin is None:
            return b""
        before = time.monotonic()
        data = self.stdin.read(size)
        self.deadline += time.monotonic() - before
        return data

    def tick(self) -> None:
        """Look at the limits and send what waits. Raises Stop where the run must end."""
        if time.monotonic() >= self.deadline:
            raise Stop(End.TIMEOUT, f"{self.limits.timeout:g} s")
        if time.thread_time() >= self.cpu_end:
            raise Stop(End.CPU, f"{self.limits.cpu:g} s")
        self.flush()
        if self.client.gone():
            raise Stop(End.STOPPED, "the client is gone")

    def sleep_until(self, moment: float) -> None:
        """Sleep until `moment` (monotonic clock, seconds), looking at the limits in between. Raises Stop."""
        self.flush()
        while True:
            self.tick()
            now = time.monotonic()
            if now >= moment:
                return
            time.sleep(max(0.0, min(moment - now, self.deadline - now, SLEEP_SLICE)))


def started(job: Job | None) -> tuple[float, float]:
    """When a run began: the monotonic clock and this thread's CPU time, in seconds."""
    if job is None:
        return time.monotonic(), time.thread_time()
    return job.wall_start, job.cpu_start


STACK = 1 << 20  # bytes: Wasmtime lets a guest use 512 KiB, and its host functions need room below that
SLEEP_SLICE = 0.05  # seconds between two looks at the limits while a guest sleeps


class _Current(threading.local):
    """The run of this thread. Made once in each thread that runs guests, which is when its stack is looked at.

    `run` is None while none is there, and while a native one has not needed Python yet: `begin` then makes it.
    """

    run: Run | None = None
    begin: tuple[Any, ...] | None = None  # Run or a subclass, and its arguments

    def the_run(self) -> Run:
        """The run that this thread is in."""
        run = self.run
        if run is None:
            assert self.begin is not None
            kind, *arguments = self.begin
            run = self.run = kind(*arguments)
            runtime().ticker.running[run] = None
        return run

    def keep(self, failure: BaseException) -> None:
        """Remember what ends the run: the first that a callback raised, which is raised again outside."""
        run = self.run
        if run is not None and run.failure is None:
            run.failure = failure

    def __init__(self) -> None:
        size = stack_size()
        if size < STACK:
            raise Unavailable(
                f"the server's threads have {size >> 10} KiB of stack, and a guest needs {STACK >> 10} KiB: raise it "
                "(mod_wsgi: stack-size of WSGIDaemonProcess, Python: threading.stack_size, shell: ulimit -s)"
            )


def stack_size() -> int:
    """Bytes of this thread's stack. A guest that recurses past a stack that is too small would end the process."""
    attributes = ctypes.create_string_buffer(256)  # pthread_attr_t, 56 bytes on 64-bit glibc
    size = ctypes.c_size_t(STACK)
    libc = ctypes.CDLL(None)
    libc.pthread_self.restype = ctypes.c_void_p
    if libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes) == 0:
        libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
        libc.pthread_attr_destroy(attributes)
    return size.value


current = _Current()
