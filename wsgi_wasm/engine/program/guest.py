"""A module ready to run in a process: linked once, then run any number of times, each in a
store of its own."""

from __future__ import annotations

import ctypes
import io
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wsgi_wasm.binary.limits import TABLE_ELEMENTS
from wsgi_wasm.binary.module_facts import ModuleFacts
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.capi.errors import error_trap, taken, trap_text
from wsgi_wasm.engine.capi.native import OUTPUT_SIZE, Job, Native, address_of
from wsgi_wasm.engine.code.advice import check_memory
from wsgi_wasm.engine.guest import Invocation, Preopen, RunLimits
from wsgi_wasm.engine.outcome import End, Outcome, Stop
from wsgi_wasm.engine.pooled_guest import PooledGuest, wasi_config
from wsgi_wasm.engine.program import wasi
from wsgi_wasm.engine.program.check import calls, uses_channel
from wsgi_wasm.engine.program.forwarding import forwarding_of
from wsgi_wasm.engine.program.linker import linker_of
from wsgi_wasm.engine.program.pool import ChannelFunction, Engine, Slot
from wsgi_wasm.engine.program.run import Exited, ProgramRun, current
from wsgi_wasm.engine.program.tree import Tree
from wsgi_wasm.engine.runtime import Runtime
from wsgi_wasm.errors import Unavailable

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import AnyApi, Bindings

NO_CALL = b"does not export the function to call"  # as in native.c


class LinkedProgram:
    """As `engine.guest.Linked`."""

    refused = False

    def __init__(self, runtime: Runtime, engine: Engine, pointer: int, facts: ModuleFacts) -> None:
        # what its channel leads to, where it imports that
        self.apis: Callable[[], tuple[AnyApi, ...]] = tuple
        self.prepared = 0
        self.runtime = runtime
        self.engine = engine
        self.facts = facts
        self._pointer = pointer
        self._pid = os.getpid()
        self.prepared = _prepare(engine, pointer)  # wasmtime_instance_pre_t

    def guest(
        self,
        limits: RunLimits,
        preopens: Sequence[Preopen],
        bindings: Callable[[], Bindings],
        entry_point: str | None = None,
    ) -> ProgramGuest:
        """As `Linked.guest`."""
        guest = ProgramGuest(self, limits, preopens, entry_point)
        if uses_channel(self.facts):
            # Few programs do, and what it takes is loaded with the first.
            from wsgi_wasm.engine.program.channel import channel_of

            guest.channel = channel_of(self.apis(), bindings())
        return guest

    def __del__(self) -> None:
        # After a fork the child owns none of it; at exit of the interpreter the functions may be
        # gone already.
        if c is not None and os.getpid() == self._pid:
            if self.prepared:
                c.instance_pre_delete(self.prepared)
            c.module_delete(self._pointer)


def _prepare(engine: Engine, module: int) -> int:
    prepared = ctypes.c_void_p()
    taken(c.linker_instantiate_pre(linker_of(engine), module, ctypes.byref(prepared)))
    return int(prepared.value or 0)


class ProgramGuest(PooledGuest[Slot]):
    """As `engine.guest.Guest`: a linked program with the directories and limits of one route."""

    interface = "cgi"
    linked: LinkedProgram
    channel: ChannelFunction | None = None

    def __init__(
        self, linked: LinkedProgram, limits: RunLimits, preopens: Sequence[Preopen], entry_point: str | None
    ) -> None:
        # With directories it may wait for a file, and nobody else should wait with it.
        super().__init__(linked, limits, preopens, may_wait=bool(preopens) or uses_channel(linked.facts))
        check_memory(linked.facts.memory_minimum, limits.memory)
        self._forwarding = forwarding_of(linked.engine) if self.preopens else None
        self._constant = linked.prepared, limits.memory, limits.max_output
        names = [preopen.guest for preopen in self.preopens]
        self._names = b"".join(name + b"\0" for name in names)
        # One that cannot ask which directories there are has them from somewhere else.
        asks = any(item.name == "fd_prestat_get" for item in linked.facts.imports)
        self._tree = Tree(names) if asks else None
        self._calls = tuple(name.encode() for name in calls(linked.facts, entry_point))

    def _run_in_python(self, slot: Slot, invocation: Invocation) -> Outcome:
        slot.forwarding, slot.preopens, slot.tree = self._forwarding, self.preopens, self._tree
        slot.channel = self.channel
        run = current.run = ProgramRun(slot, self.limits, invocation)
        slot.trap.value = None
        ticker = self.linked.runtime.ticker
        engine = self.linked.engine
        store = c.store_new(engine.pointer, None, None)
        context = c.store_context(store)
        cpu, wall = time.thread_time(), time.monotonic()
        ticker.running[run] = None
        try:
            if ticker.asleep:
                ticker.wake()
            c.store_limiter(store, self.limits.memory, TABLE_ELEMENTS, 2, 8, 1)
            self._grant(context, invocation.arguments)
            c.set_epoch_deadline(context, 1)
            c.store_epoch_callback(store, wasi.ON_EPOCH, None, None)
            error = c.instantiate(self.linked.prepared, context, slot.instance_at, slot.trap_at)
            for name in self._calls:
                if error or slot.trap.value:
                    break
                found = c.export_get(context, slot.instance_at, name, len(name), slot.extern_at)
                if found and slot.extern[0] == c.EXTERN_FUNCTION:
                    error = c.call(context, slot.func_at, None, 0, None, 0, slot.trap_at)
                else:
                    error = c.error_new(NO_CALL)
            outcome = _outcome(error, slot.trap.value, run.failure, b"".join(run.pending))
        finally:
            current.run = None
            del ticker.running[run]
            run.close()
            # Giving back a small memory takes a few microseconds, less than letting go of the
            # interpreter's lock and waiting for it again.
            (c.store_delete_short if run.has_small_memory() else c.store_delete)(store)
        outcome.cpu, outcome.wall = time.thread_time() - cpu, time.monotonic() - wall
        return outcome

    def _run_native(self, native: Native, slot: Slot, invocation: Invocation) -> Outcome:
        """`run` by way of native.c. A `ProgramRun` is made only where the guest needs Python."""
        job = self._filled(slot, invocation)
        limits = self.limits
        current.begin = lambda: ProgramRun(slot, limits, invocation, job)
        try:
            job.keeps_gil = keeps = self._gil.keeps()
            (native.run_keeping_gil if keeps else native.run)(job)
            self._gil.ended(job)
            run = current.run
            rest = ctypes.string_at(job.output, job.output_size)
            failure = Exited(job.code) if job.exited else None
            if run is None:
                outcome = _outcome(job.error, job.trap, failure, rest)
            else:
                outcome = _outcome(job.error, job.trap, run.failure or failure, b"".join((*run.pending, rest)))
        finally:
            if current.run is not None:
                del self.linked.runtime.ticker.running[current.run]
                current.run.close()
            current.run = current.begin = None
        outcome.cpu, outcome.wall = job.cpu, job.wall
        return outcome

    def _filled(self, slot: Slot, invocation: Invocation) -> Job:
        """The slot's job with all that the run is given. Raises Unavailable for a directory that
        cannot be opened."""
        arguments, environment, stdin, _, _ = invocation
        job = slot.job or self._job(slot)
        if slot.guest != self._number:
            slot.guest = self._number
            job.prepared, job.memory_limit, job.output_limit = self._constant
            job.first, job.second = (*self._calls, None, None)[:2]
            job.first_size, job.second_size = (*map(len, self._calls), 0, 0)[:2]
            job.preopens, job.preopens_count = self._names, len(self.preopens)
            job.begins_unasked = self._tree is not None
            slot.forwarding, slot.preopens, slot.tree = self._forwarding, self.preopens, self._tree
            slot.channel = self.channel
        if slot.arguments is not arguments:
            slot.arguments = arguments
            job.arguments = block = b"\0".join((*arguments, b""))
            job.arguments_size, job.arguments_count = len(block), len(arguments)
        job.environment = block = b"\0".join((*environment, b""))
        job.environment_size, job.environment_count = len(block), len(environment)
        if stdin is None:
            job.input, job.input_size = b"", 0
        elif type(stdin) is io.BytesIO:
            job.input = body = stdin.getvalue()
            job.input_size = len(body)
        else:
            job.input = None
            job.input_file = stdin.fileno() if isinstance(stdin, io.FileIO) else -1
        if self.preopens:
            job.wasi = wasi_config(self.preopens)
        return job

    def _job(self, slot: Slot) -> Job:
        """A job for this slot, which is of one engine for good."""
        job = slot.job = Job()
        slot.output = ctypes.create_string_buffer(OUTPUT_SIZE)
        job.engine = self.linked.engine.pointer
        job.output, job.output_capacity = ctypes.addressof(slot.output), OUTPUT_SIZE
        job.python_epoch = address_of(wasi.ON_EPOCH)
        return job

    def _grant(self, context: int, arguments: Sequence[bytes]) -> None:
        config = wasi_config(self.preopens)
        values = array(ctypes.c_char_p, len(arguments))(*arguments)
        if not c.wasi_argv(config, len(arguments), values):
            c.wasi_delete(config)
            raise Unavailable("an argument of the guest is not UTF-8")
        taken(c.set_wasi(context, config))


def _outcome(error: int | None, trap: int | None, failure: BaseException | None, rest: bytes) -> Outcome:
    """How the call ended, with the output that was not handed on yet; frees the error
    or the trap."""
    if failure is None:
        if error:
            return Outcome(End.TRAPPED, detail=error_trap(error), rest=rest)
        if trap:
            return Outcome(End.TRAPPED, detail=trap_text(trap), rest=rest)
        return Outcome(End.RETURNED, rest=rest)
    if error:
        c.error_delete(error)
    if trap:
        c.trap_delete(trap)
    if isinstance(failure, Exited):
        return Outcome(End.EXITED, code=failure.code, rest=rest)
    if isinstance(failure, Stop):
        return Outcome(failure.end, detail=failure.detail, rest=rest)
    return Outcome(End.STOPPED, detail=str(failure), failure=failure, rest=rest)
