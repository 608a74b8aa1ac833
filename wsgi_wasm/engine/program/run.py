"""One run of a program: its memory, its streams, and what it has written that was not
handed on yet."""

from __future__ import annotations

import ctypes
import io
import resource
import time
from ctypes import string_at
from typing import TYPE_CHECKING

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import FROZEN, KNOWN, UNASKED, Job
from wsgi_wasm.engine.guest import Invocation, RunLimits
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.pools import SMALL_MEMORY
from wsgi_wasm.engine.program.listing import Listing
from wsgi_wasm.engine.program.pool import Slot
from wsgi_wasm.engine.program.tree import Root
from wsgi_wasm.engine.run import ERROR_PIECE, MAX_FILES, Current, Run
from wsgi_wasm.engine.runtime import runtime
from wsgi_wasm.files.beneath import Folder

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.channel import Call
    from wsgi_wasm.engine.program.held import HeldLocks

# bytes of output that are gathered before they are sent without waiting for a tick
FLUSH_SIZE = 65536


class Exited(Exception):
    """The guest called `proc_exit`; `code` is its status."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Fault(Exception):
    """The guest passed an address outside its memory; it gets EFAULT."""


class ProgramRun(Run):
    """State of one run of a program, reached from the callbacks through `current`."""

    __slots__ = (
        "_directories", "answer", "base", "channel", "context", "environment", "forwarder", "forwarder_functions",
        "listings", "locks", "names", "pending", "pending_size", "places", "root", "size", "slot", "stdin", "streams",
        "total",
    )  # fmt: skip

    def __init__(self, slot: Slot, limits: RunLimits, invocation: Invocation, job: Job | None = None) -> None:
        """As `Run`. `slot` is the pool's place that the guest runs in."""
        super().__init__(limits, invocation, job)
        self.slot = slot
        self.stdin = invocation.stdin
        self.environment = invocation.environment
        self.streams = {0: 0, 1: 1, 2: 2}  # by the guest's descriptor
        self.pending: list[bytes] = []
        self.pending_size = self.total = 0
        # the guest's memory; it never moves while the run lasts (see `memory`)
        self.base = self.size = 0
        self.context = 0
        # where descriptors lead, and the directories that are being read (`directories`)
        self.places: dict[int, tuple[Folder, str]] | None = None
        self.names: dict[int, bytes] | None = None
        self.listings: dict[int, Listing] = {}
        self.locks: HeldLocks | None = None  # once it has asked for one (`locks`)
        # what is known of the guest's knowledge of its directories, where it is not native; and the
        # root, where it is frozen (`root`)
        self._directories = KNOWN if slot.tree is None else UNASKED
        self.root: Root | None = None
        # addresses of the forwarder's functions, and what they lie in (`forwarding`)
        self.forwarder: dict[str, int] | None = None
        self.forwarder_functions: ctypes.Array[ctypes.c_char] | None = None
        # the host's own functions, once the guest has called one, and the last answer (`channel`)
        self.channel: Call | None = None
        self.answer = b""

    def memory(self, caller: int) -> int:
        """Address of the guest's memory. Slots of the pool reserve the whole 4 GiB, so it is
        looked up once."""
        base = self.base
        if not base:
            slot = self.slot
            found = c.caller_export_get(caller, b"memory", 6, slot.memory_at - c.OF_EXTERN)
            if not found or slot.memory[0] != c.EXTERN_MEMORY:
                raise Stop(End.STOPPED, "the module exports no memory")
            self.context = int(c.caller_context(caller))
            self.base = base = int(c.memory_data(self.context, self.slot.memory_at))
            self.size = int(c.memory_data_size(self.context, self.slot.memory_at))
        return base

    def has_small_memory(self) -> bool:
        """Whether the guest's memory is known and small; it may have grown since it
        was looked up."""
        return self.base != 0 and c.memory_data_size(self.context, self.slot.memory_at) <= SMALL_MEMORY

    def check(self, address: int, length: int) -> None:
        """Raises Fault unless [address, address + length) lies in the guest's memory, which
        may have grown."""
        if address + length > self.size:
            self.size = int(c.memory_data_size(self.context, self.slot.memory_at))
            if address + length > self.size:
                raise Fault

    def change_streams(self) -> None:
        """From here on a standard descriptor may be something else, and a native run asks
        Python about each."""
        job = self.job
        if job is not None and not job.python_streams:
            job.python_streams = 1
            if isinstance(self.stdin, (io.BytesIO, io.FileIO)):
                self.stdin.seek(job.input_at)

    def asks(self) -> None:
        """The guest asks which directories there are."""
        if self.job is not None:
            self.job.directories = KNOWN
        self._directories = KNOWN

    def is_frozen(self) -> bool:
        """Whether the guest, which now uses a directory, has never asked which there are; it stays
        so."""
        job = self.job
        if (self._directories if job is None else job.directories) != UNASKED:
            return False
        if job is not None:
            job.directories = FROZEN
        return True

    def may_open(self) -> bool:
        """Whether the guest may open one more file: its own share, and what all guests together
        leave to the host."""
        if self.files >= MAX_FILES:
            return False
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit == resource.RLIM_INFINITY:
            return True
        opened: int = sum(run.files for run in list(runtime().ticker.running))
        return opened < limit // 2

    def write(self, address: int, size: int) -> None:
        """Take what the guest writes to standard output, `size` bytes at an address of the host, a
        piece at a time. Raises Stop where a limit is reached."""
        while size:
            piece = min(size, FLUSH_SIZE, self.limits.max_output - self.total)
            if not piece:
                raise Stop(End.OUTPUT, f"{self.limits.max_output} bytes")
            self.total += piece
            self.pending.append(string_at(address, piece))
            self.pending_size += piece
            if self.pending_size >= FLUSH_SIZE:
                self.flush()
                self.look()
            address += piece
            size -= piece

    def write_error(self, address: int, size: int) -> None:
        """The same for standard error. What would be dropped is not copied."""
        while size and (left := self.client.errors_left) > 0:
            piece = min(size, ERROR_PIECE, left)
            self.client.error_output(string_at(address, piece))
            self.look()
            address += piece
            size -= piece

    def flush(self) -> None:
        """As `Run.flush`."""
        if self.pending:
            data = b"".join(self.pending) if len(self.pending) > 1 else self.pending[0]
            self.pending.clear()
            self.pending_size = 0
            before = time.monotonic()
            self.client.output(data)
            self.deadline += time.monotonic() - before

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the request body; waiting for the client does not count
        against `timeout` either."""
        if self.stdin is None:
            return b""
        before = time.monotonic()
        data = self.stdin.read(size)
        self.deadline += time.monotonic() - before
        return data

    def close(self) -> None:
        """As `Run.close`."""
        super().close()
        if self.locks is not None:
            self.locks.close()
        for listing in self.listings.values():
            listing.close()
        self.channel = None
        if self.host_state is not None:
            self.host_state.close()


current: Current[ProgramRun] = Current()
