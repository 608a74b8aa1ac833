"""One run of a component: on the request's thread, in a store of its own.

Standard output is a file in memory, which the epoch callback reads while the guest runs, on the guest's own thread: it
hands on what is new and looks at the limits, as for core modules. Standard input is the request's body as bytes, or
the file that the body lies in. A guest that waits does so in slices (guestlib/adapter/wait.c), so the callback comes to
its turn there too.
"""

from __future__ import annotations

import ctypes
import io
import os
import time
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from wsgi_wasm.engine import _capi as c
from wsgi_wasm.engine import _component_capi as cc
from wsgi_wasm.engine import _component_values as v
from wsgi_wasm.engine import wasi
from wsgi_wasm.engine.component_engine import ComponentEngine
from wsgi_wasm.engine.component_facts import ComponentFacts
from wsgi_wasm.engine.errors import component_trap, error_text, taken
from wsgi_wasm.engine.feeder import Feeder, Source
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.hostcalls import Held
from wsgi_wasm.engine.open_files import open_below
from wsgi_wasm.engine.outcome import End, Outcome
from wsgi_wasm.engine.output_file import PIECE, outputs
from wsgi_wasm.engine.run import MAX_FILES, Client, Input, Run, RunLimits, Stop, current
from wsgi_wasm.engine.runtime import TABLE_ELEMENTS, Runtime, runtime
from wsgi_wasm.errors import ModuleError, Unavailable

PAGE = 65536
ADAPTER_MINIMUM = 2 * PAGE  # memory.wat


class Linked(Protocol):
    """A component ready to run: `components.LinkedComponent`. The numbers are pointers of Wasmtime's."""

    runtime: Runtime
    engine: ComponentEngine
    facts: ComponentFacts
    linker: int
    pointer: int
    run_index: int


class ComponentRun(Run):
    """State of one run; what the guest has written lies in the thread's files until `flush`."""

    __slots__ = ("_ticked", "directories", "errors", "feeder", "held", "output")

    def __init__(
        self,
        limits: RunLimits,
        client: Client,
        spent: tuple[float, float],
        grants: Mapping[str, object],
        directories: tuple[str, ...],
        calls_host: bool,
    ) -> None:
        super().__init__(None, limits, client, None, (), spent)  # type: ignore[arg-type]
        self.output, self.errors = outputs.begin()
        self.held = Held(grants, self) if calls_host else None
        self.feeder: Feeder | None = None
        self.directories = directories  # that it may open files in; runs of one route have the same tuple
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
        """Raises Stop where the guest, or all guests of its route together, hold more than their share."""
        sharing = sum(getattr(run, "directories", None) is self.directories for run in list(runtime().ticker.running))
        if open_below(self.directories, MAX_FILES) > MAX_FILES * sharing:
            raise Stop(End.STOPPED, f"holds more than {MAX_FILES} files open")

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

    def take_errors(self) -> None:
        """Hand on what is new on standard error; of a flood, the beginning."""
        if self.errors.waiting():
            self.client.error_output(self.errors.take(PIECE))
            self.errors.skip()


class ComponentGuest:
    """A linked component with what it is granted: directories, host APIs and limits of one route."""

    def __init__(
        self,
        linked: Linked,
        limits: RunLimits,
        preopens: Sequence[Preopen],
        grants: Mapping[str, object],
    ) -> None:
        self.linked = linked
        self.interface = linked.facts.interface
        self._outbound = linked.facts.outbound
        # What is imported beside WASI is functions of the host; so is what lets the adapter make requests.
        self._calls_host = self._outbound or not all(one.is_wasi for one in linked.facts.imports)
        self.limits = limits
        self.preopens = tuple(preopens)
        self._directories = tuple(os.path.realpath(os.fsdecode(preopen.host)) for preopen in preopens)
        self.grants = grants
        self.memory = memory_each(linked.facts, limits.memory)

    def run(
        self,
        slot: object,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        stdin: Input | None,
        client: Client,
        spent: tuple[float, float] = (0.0, 0.0),
    ) -> Outcome:
        """Run the guest to its end on this thread, in a fresh store: as `guest.Guest.run`."""
        run = ComponentRun(self.limits, client, spent, self.grants, self._directories, self._calls_host)
        current.run = run
        linked = self.linked
        ticker = linked.runtime.ticker
        store = c.store_new(linked.engine.pointer, None, None)
        context = c.store_context(store)
        cpu, wall = time.thread_time(), time.monotonic()
        ticker.running[run] = None
        if ticker.asleep:
            ticker.wake()
        try:
            facts = linked.facts
            c.store_limiter(store, self.memory, TABLE_ELEMENTS, facts.core_instances, facts.tables, facts.memories)
            self._grant(context, run, arguments, environment, stdin)
            if self._outbound:
                cc.set_http(context)
            c.set_epoch_deadline(context, 1)
            c.store_epoch_callback(store, wasi.ON_EPOCH, None, None)
            outcome = self._outcome(run, *self._call(context))
        finally:
            current.run = None
            del ticker.running[run]
            c.store_delete(store)
            if run.held is not None:
                run.held.close()
            if run.feeder is not None:
                run.feeder.end()
            run.output.end()
            run.errors.end()
        outcome.cpu, outcome.wall = time.thread_time() - cpu, time.monotonic() - wall
        return outcome

    def _call(self, context: int) -> tuple[int | None, bool]:
        """The error that the guest ended with, if any, and whether `run` returned ok."""
        instance = ctypes.create_string_buffer(cc.SIZEOF_INSTANCE)
        error = cc.instantiate(self.linked.linker, context, self.linked.pointer, instance)
        if error:
            return error, False
        function = ctypes.create_string_buffer(cc.SIZEOF_FUNC)
        cc.instance_func(instance, context, self.linked.run_index, function)
        result = ctypes.create_string_buffer(v.VAL.size)
        error = cc.call(function, context, None, 0, result, 1)
        return error, bool(v.VAL.unpack(result.raw)[1] & 1)

    def _outcome(self, run: ComponentRun, error: int | None, well: bool) -> Outcome:
        """How the call ended, with the output that was not handed on yet; frees the error."""
        status = ctypes.c_int()
        if error and cc.error_exit_status(error, ctypes.byref(status)):
            c.error_delete(error)
            outcome = Outcome(End.EXITED, code=status.value)
            if self.interface == "http":
                outcome = Outcome(End.STOPPED, detail=f"exited with status {status.value} in the middle of its work")
        elif error:
            outcome = Outcome(End.TRAPPED, detail=component_trap(error_text(error)))
        elif self.interface == "http" and not well:
            outcome = Outcome(End.STOPPED, detail="gave no whole response")
        else:
            outcome = Outcome(End.RETURNED if well else End.EXITED, code=0 if well else 1)
        if run.failure is None and run.feeder is not None:
            run.failure = run.feeder.failure  # the guest has taken a body that broke off for a whole one
        if isinstance(run.failure, Stop):
            outcome = Outcome(run.failure.end, detail=run.failure.detail)
        elif run.failure is not None:
            outcome = Outcome(End.STOPPED, detail=str(run.failure), failure=run.failure)
        run.take_errors()
        room = self.limits.max_output - run.output.taken
        waiting = run.output.waiting()
        outcome.rest = run.output.take(min(waiting, room))
        if outcome.well and waiting > room:
            outcome.end, outcome.detail = End.OUTPUT, f"{self.limits.max_output} bytes"
        return outcome

    def _grant(
        self,
        context: int,
        run: ComponentRun,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        stdin: Input | None,
    ) -> None:
        config = c.wasi_new()
        try:
            self._set(config, run, arguments, environment, stdin)
        except BaseException:
            c.wasi_delete(config)
            raise
        taken(c.set_wasi(context, config))

    def _set(
        self,
        config: int,
        run: ComponentRun,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        stdin: Input | None,
    ) -> None:
        texts = [_utf8(argument) for argument in arguments]
        c.wasi_argv(config, len(texts), (ctypes.c_char_p * len(texts))(*texts))
        pairs = [_utf8(variable).partition(b"=") for variable in environment]
        names = (ctypes.c_char_p * len(pairs))(*(name for name, _, _ in pairs))
        values = (ctypes.c_char_p * len(pairs))(*(value for _, _, value in pairs))
        cc.wasi_env(config, len(pairs), names, values)
        if not (cc.wasi_stdout_file(config, run.output.path) and cc.wasi_stderr_file(config, run.errors.path)):
            raise Unavailable("/proc is not there, which components need for their output")
        if stdin is not None:
            _give_input(config, stdin, run)
        for preopen in self.preopens:
            if not c.wasi_preopen(config, preopen.host, preopen.guest, preopen.writable):
                raise Unavailable(
                    f"directory {os.fsdecode(preopen.host)!r} (in the guest {os.fsdecode(preopen.guest)!r}) "
                    "cannot be opened"
                )


def memory_each(facts: ComponentFacts, allowed: int) -> int:
    """What each memory may grow to, in bytes, so that all together stay within `allowed`. Raises ModuleError.

    The engine's limit is for each memory by itself. Memories that can only be small by their own declaration count
    with that; what is left is shared evenly among the others. The adapter's own memory is not the guest's: the same
    limit and its declaration bound it.
    """
    if facts.memory_minimum > allowed:
        raise ModuleError(
            f"begins with {facts.memory_minimum >> 10} KiB of memory, and `memory` allows {allowed >> 10} KiB"
        )
    left = max(0, allowed - facts.memory_bounded)
    each = left // max(1, facts.memories_unbounded) // PAGE * PAGE
    needed = max(facts.memory_largest, ADAPTER_MINIMUM)
    if each < needed:
        raise ModuleError(
            f"can let each of {facts.memories_unbounded} memories grow to {each >> 10} KiB within `memory`, and one "
            f"needs {needed >> 10} KiB"
        )
    return each


def _utf8(data: bytes) -> bytes:
    """Text of the Component Model is UTF-8: bytes that are not become U+FFFD, which names nothing by accident."""
    return data if data.isascii() else data.decode("utf-8", "replace").encode()


def _give_input(config: int, stdin: Input, run: ComponentRun) -> None:
    """The request's body: a file by its path, one that is still coming through a pipe, anything else as bytes."""
    if hasattr(stdin, "stop"):
        run.feeder = Feeder(cast("Source", stdin))
        if not cc.wasi_stdin_file(config, run.feeder.path):
            raise Unavailable("the request's body finds no way into the guest")
        run.feeder.begin()
        return
    if isinstance(stdin, io.BytesIO) or not isinstance(stdin, io.IOBase):
        data = stdin.getvalue() if isinstance(stdin, io.BytesIO) else _read_all(stdin)
        vector = c.ByteVec()
        v.byte_vec_new(ctypes.byref(vector), len(data), data)
        cc.wasi_stdin_bytes(config, ctypes.byref(vector))
        return
    descriptor = stdin.fileno()
    if not cc.wasi_stdin_file(config, f"/proc/self/fd/{descriptor}".encode()):
        raise Unavailable("the file of the request's body cannot be opened anew")


def _read_all(stdin: Input) -> bytes:
    pieces = []
    while piece := stdin.read(PIECE):
        pieces.append(piece)
    return b"".join(pieces)
