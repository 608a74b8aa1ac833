"""State of one run of a component. What it writes lies in the slot's files until a tick, which
hands it on."""

from __future__ import annotations

import time
from dataclasses import dataclass

from wsgi_wasm.engine.capi.native import ComponentJob
from wsgi_wasm.engine.component.feeder import Feeder
from wsgi_wasm.engine.component.open_files import open_below
from wsgi_wasm.engine.component.output_file import PIECE
from wsgi_wasm.engine.component.pool import ComponentSlot
from wsgi_wasm.engine.guest import Invocation, RunLimits
from wsgi_wasm.engine.hostcalls.host_api import Bindings, HostState
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.run import ERROR_PIECE, MAX_FILES, Run
from wsgi_wasm.engine.runtime import runtime


@dataclass(frozen=True, slots=True)
class Access:
    """What the runs of one guest may use of the host: what its route grants to host APIs, and
    directories. Runs of one route have the same tuple of directories. `calls_host` is false where a
    guest imports nothing of the host."""

    bindings: Bindings
    directories: tuple[str, ...]
    calls_host: bool


class ComponentRun(Run):
    """State of one run; what the guest has written lies in the slot's files until `flush`."""

    __slots__ = ("_ticked", "errors", "feeder", "output")

    def __init__(
        self,
        slot: ComponentSlot,
        limits: RunLimits,
        invocation: Invocation,
        access: Access,
        job: ComponentJob | None = None,
    ) -> None:
        """As `Run`. `slot` has the files that the guest writes to."""
        super().__init__(limits, invocation, job)
        self.output, self.errors = slot.files()
        self.host_state = HostState(access.bindings, self) if access.calls_host else None
        self.feeder: Feeder | None = None
        self.directories = access.directories
        self._ticked = time.monotonic()

    def tick(self) -> None:
        """As `Run.tick`. Time in which the guest waits for the client's body does not count."""
        now = time.monotonic()
        if self.feeder is not None and self.feeder.guest_waits():
            self.deadline += now - self._ticked
        self._ticked = now
        if self.directories:
            self._look_at_files()
        super().tick()

    def _look_at_files(self) -> None:
        """Raises Stop where the guest, or all guests of its route together, hold more
        than their share."""
        sharing = sum(run.directories is self.directories for run in list(runtime().ticker.running))
        if open_below(self.directories, MAX_FILES) > MAX_FILES * sharing:
            raise Stop(End.STOPPED, f"has more than {MAX_FILES} files open")

    def flush(self) -> None:
        """Hand on what is new. Raises Stop where there is more output than allowed."""
        self.take_errors()
        while self.output.waiting():
            over = self.output.taken + self.output.waiting() > self.limits.max_output
            room = self.limits.max_output - self.output.taken
            data = self.output.take(min(PIECE, room))
            if data:
                before = time.monotonic()
                self.client.output(data)
                self.deadline += time.monotonic() - before
            if over and len(data) < PIECE:
                raise Stop(End.OUTPUT, f"{self.limits.max_output} bytes")
            if len(data) == PIECE:
                self.look()

    def take_errors(self, within: float | None = None) -> None:
        """Hand on what is new on standard error, in small pieces, as each may be many lines of the
        log; what would be dropped is not read.

        Raises Stop, unless it is given seconds `within` which to be done: then the rest is dropped.
        """
        until = None if within is None else time.monotonic() + within
        while self.errors.waiting():
            left = self.client.errors_left
            if left <= 0 or (until is not None and time.monotonic() > until):
                self.errors.skip()
                return
            self.client.error_output(self.errors.take(min(ERROR_PIECE, left)))
            if until is None:
                self.look()

    def close(self) -> None:
        """As `Run.close`."""
        super().close()
        if self.feeder is not None:
            self.feeder.end()
        self.output.end()
        self.errors.end()
        if self.host_state is not None:
            self.host_state.close()
