"""One run of a component: on the request's thread, in a store of its own.

Standard output is a file in memory, which the epoch callback reads while the guest runs, on the
guest's own thread: it hands on what is new and looks at the limits, as for core modules. Standard
input is the request's body as bytes, or the file that the body lies in. A guest that waits does so
in slices (guestlib/adapter/wait.c), so the callback comes to its turn there too.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from typing import Protocol

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.binary.limits import TABLE_ELEMENTS
from wsgi_wasm.engine.capi import component as cc
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.errors import error_trap
from wsgi_wasm.engine.capi.native import OUTPUT_SIZE, ComponentJob, Native, address_of, native
from wsgi_wasm.engine.code.advice import check_memory
from wsgi_wasm.engine.component.pool import ComponentEngine, ComponentSlot
from wsgi_wasm.engine.component.run import Access, ComponentRun
from wsgi_wasm.engine.component.wasi import REFUSALS, grant_by_hand, grant_wasi, input_of, is_coming, utf8
from wsgi_wasm.engine.guest import Invocation, Preopen, RunLimits
from wsgi_wasm.engine.hostcalls.host_api import Bindings
from wsgi_wasm.engine.outcome import End, Outcome, Stop
from wsgi_wasm.engine.pooled_guest import PooledCode, PooledGuest
from wsgi_wasm.engine.run import current, epoch_callback
from wsgi_wasm.engine.runtime import Runtime
from wsgi_wasm.errors import ModuleError, Unavailable

PAGE = 65536
NO_RUN = b"exports no function run"  # as in native_component.c
ADAPTER_MINIMUM = PAGE  # memory.wat
LAST_ERRORS = 0.1  # seconds that the log may take for what a guest has written before its end
MUCH_OUTPUT = 1 << 20  # bytes

ON_EPOCH = epoch_callback(current)

if native is not None:
    # In the order of `struct component_functions`.
    native.give_component_functions(
        (
            c.wasi_delete, c.wasi_argv, cc.wasi_env, cc.wasi_stdin_bytes, cc.wasi_stdin_file, cc.wasi_stdout_file,
            cc.wasi_stderr_file, v.byte_vec_new, cc.set_http, cc.instantiate, cc.instance_func, cc.call,
            v.val_delete,
        )
    )  # fmt: skip


class ComponentCode(PooledCode[ComponentSlot], Protocol):
    """What a guest needs of `LinkedComponent`. The numbers are pointers of Wasmtime's."""

    runtime: Runtime
    engine: ComponentEngine
    facts: ComponentFacts
    linker: int
    pointer: int
    run_index: int


class ComponentGuest(PooledGuest[ComponentSlot]):
    """As `engine.guest.Guest`: a linked component with the directories, host APIs and
    limits of one route."""

    linked: ComponentCode

    def __init__(
        self, linked: ComponentCode, limits: RunLimits, preopens: Sequence[Preopen], bindings: Bindings
    ) -> None:
        self.interface = linked.facts.interface
        self._outbound = linked.facts.outbound
        # What is imported beside WASI is functions of the host; so is what lets the adapter
        # make requests.
        calls_host = self._outbound or not all(one.is_wasi for one in linked.facts.imports)
        super().__init__(linked, limits, preopens, bool(preopens) or calls_host or linked.facts.waits)
        self._begins_threads = True
        directories = tuple(os.path.realpath(preopen.folder.path) for preopen in preopens)
        self._access = Access(bindings, directories, calls_host)
        self.memory = memory_each(linked.facts, limits.memory)

    def _run_in_python(self, slot: ComponentSlot, invocation: Invocation) -> Outcome:
        run = ComponentRun(slot, self.limits, invocation, self._access)
        current.run = run
        linked = self.linked
        ticker = linked.runtime.ticker
        store = c.store_new(linked.engine.pointer, None, None)
        context = c.store_context(store)
        cpu, wall = time.thread_time(), time.monotonic()
        ticker.running[run] = None
        try:
            if ticker.asleep:
                ticker.wake()
            facts = linked.facts
            c.store_limiter(store, self.memory, TABLE_ELEMENTS, facts.core_instances, facts.tables, facts.memories)
            grant_wasi(context, run, invocation, self.preopens)
            if self._outbound:
                cc.set_http(context)
            c.set_epoch_deadline(context, 1)
            c.store_epoch_callback(store, ON_EPOCH, None, None)
            outcome = self._outcome(run, *self._call(context))
        finally:
            current.run = None
            del ticker.running[run]
            c.store_delete(store)
            run.close()
        outcome.cpu, outcome.wall = time.thread_time() - cpu, time.monotonic() - wall
        return outcome

    def _run_native(self, native: Native, slot: ComponentSlot, invocation: Invocation) -> Outcome:
        """`run` by way of native_component.c. A `ComponentRun` is made only where
        it takes Python."""
        job = self._filled(slot, invocation)
        limits, access = self.limits, self._access
        current.begin = lambda: ComponentRun(slot, limits, invocation, access, job)
        keeps = self._gil.keeps()
        try:
            if self.preopens or is_coming(invocation.stdin):
                keeps = False
                self._grant_by_hand(job, invocation)
            job.keeps_gil = keeps
            (native.run_component_keeping_gil if keeps else native.run_component)(job)
            self._gil.ended(job)
            outcome = self._native_outcome(job)
        finally:
            run = current.run
            if run is not None:
                del self.linked.runtime.ticker.running[run]
                run.close()
            current.run = current.begin = None
        outcome.cpu, outcome.wall = job.cpu, job.wall
        return outcome

    def _native_outcome(self, job: ComponentJob) -> Outcome:
        """Of a run that has ended. Raises Unavailable for one that could not begin."""
        waiting = job.output_waiting
        if (
            job.well
            and current.run is None
            and not job.errors_waiting
            and waiting == job.output_size
            and waiting <= self.limits.max_output
        ):
            return Outcome(End.RETURNED, rest=ctypes.string_at(job.output, job.output_size))
        if job.refused:
            raise Unavailable(REFUSALS[job.refused])
        return self._outcome(_current_run(), job.error, bool(job.well))

    def _grant_by_hand(self, job: ComponentJob, invocation: Invocation) -> None:
        job.wall_start, job.cpu_start = time.monotonic(), time.thread_time()
        # Made before the guest runs, since those who share directories are
        # counted (ComponentRun.tick).
        job.wasi = grant_by_hand(_current_run(), invocation.stdin, self.preopens)

    def _filled(self, slot: ComponentSlot, invocation: Invocation) -> ComponentJob:
        """The slot's job with all that the run is given."""
        arguments, environment, stdin, _, _ = invocation
        job = slot.job or self._job(slot)
        if slot.guest != self._number:
            slot.guest = self._number
            self._introduce(job)
        job.arguments = block = utf8(b"\0".join((*arguments, b"")))
        job.arguments_size, job.arguments_count = len(block), len(arguments)
        # Name and value are strings of their own.
        job.environment = block = utf8(b"\0".join([*(one.replace(b"=", b"\0", 1) for one in environment), b""]))
        job.environment_size, job.environment_count = len(block), len(environment)
        if stdin is None or is_coming(stdin):
            job.input = job.input_path = None
        else:
            job.input, job.input_path = data, _ = input_of(stdin)
            job.input_size = len(data or b"")
        return job

    def _introduce(self, job: ComponentJob) -> None:
        linked, facts = self.linked, self.linked.facts
        job.linker, job.component, job.run_index = linked.linker, linked.pointer, linked.run_index
        job.memory_limit = self.memory
        job.core_instances, job.tables, job.memories = facts.core_instances, facts.tables, facts.memories
        job.outbound = self._outbound
        job.small = linked.engine.key.small

    def _job(self, slot: ComponentSlot) -> ComponentJob:
        """A job for this slot, which is of one engine for good."""
        output, errors = slot.files()
        job = ComponentJob()
        slot.gathered = ctypes.create_string_buffer(OUTPUT_SIZE)
        job.engine = self.linked.engine.pointer
        job.output, job.output_capacity = ctypes.addressof(slot.gathered), OUTPUT_SIZE
        job.output_path, job.output_file = output.path, output.descriptor
        job.errors_path, job.errors_file = errors.path, errors.descriptor
        job.python_epoch = address_of(ON_EPOCH)
        slot.job = job
        return job

    def _call(self, context: int) -> tuple[int | None, bool]:
        """The error that the guest ended with, if any, and whether `run` returned ok."""
        instance = ctypes.create_string_buffer(cc.SIZEOF_INSTANCE)
        error = cc.instantiate(self.linked.linker, context, self.linked.pointer, instance)
        if error:
            return error, False
        function = ctypes.create_string_buffer(cc.SIZEOF_FUNC)
        if not cc.instance_func(instance, context, self.linked.run_index, function):
            return c.error_new(NO_RUN), False
        result = ctypes.create_string_buffer(v.VAL.size)
        error = cc.call(function, context, None, 0, result, 1)
        kind, is_ok, _, _ = v.VAL.unpack(result.raw)
        v.val_delete(result)
        return error, not error and kind == v.RESULT and bool(is_ok & 1)

    def _outcome(self, run: ComponentRun, error: int | None, well: bool) -> Outcome:
        """How the call ended, with the output that was not handed on yet; frees the error."""
        status = ctypes.c_int()
        if error and cc.error_exit_status(error, ctypes.byref(status)):
            c.error_delete(error)
            outcome = Outcome(End.EXITED, code=status.value)
            if self.interface == "http":
                outcome = Outcome(End.STOPPED, detail=f"exited with status {status.value} before it had finished")
        elif error:
            outcome = Outcome(End.TRAPPED, detail=error_trap(error))
        elif self.interface == "http" and not well:
            outcome = Outcome(End.STOPPED, detail="gave no complete response")
        else:
            outcome = Outcome(End.RETURNED if well else End.EXITED, code=0 if well else 1)
        if run.failure is None and run.feeder is not None:
            # the guest has taken a body that broke off for a whole one
            run.failure = run.feeder.failure
        if isinstance(run.failure, Stop):
            outcome = Outcome(run.failure.end, detail=run.failure.detail)
        elif run.failure is not None:
            outcome = Outcome(End.STOPPED, detail=str(run.failure), failure=run.failure)
        run.take_errors(within=LAST_ERRORS)
        return self._with_output(run, outcome)

    def _with_output(self, run: ComponentRun, outcome: Outcome) -> Outcome:
        """The outcome with what waits of the output. Where that is much, it is handed on before, a
        piece at a time."""
        if outcome.well and run.output.waiting() > MUCH_OUTPUT:
            try:
                run.flush()
            except Stop as stop:
                return Outcome(stop.end, detail=stop.detail)
            except BaseException as failure:
                return Outcome(End.STOPPED, detail=str(failure), failure=failure)
        room = self.limits.max_output - run.output.taken
        waiting = run.output.waiting()
        outcome.rest = run.output.take(min(waiting, room, MUCH_OUTPUT))
        if outcome.well and waiting > room:
            outcome.end, outcome.detail = End.OUTPUT, f"{self.limits.max_output} bytes"
        return outcome


def _current_run() -> ComponentRun:
    run = current.the_run()
    assert isinstance(run, ComponentRun)
    return run


def memory_each(facts: ComponentFacts, allowed: int) -> int:
    """What each memory may grow to, in bytes, so that all together stay within
    `allowed`. Raises ModuleError.

    The engine's limit is for each memory by itself. Memories that can only be small by their own
    declaration count with that; what is left is shared evenly among the others. The adapter's own
    memory is not the guest's: the same limit and its declaration bound it.
    """
    check_memory(facts.memory_minimum, allowed)
    left = max(0, allowed - facts.memory_bounded)
    each = left // max(1, facts.memories_unbounded) // PAGE * PAGE
    needed = max(facts.memory_largest, ADAPTER_MINIMUM)
    if each < needed:
        raise ModuleError(
            f"has {facts.memories_unbounded} memories, and `memory` leaves {each >> 10} KiB for each, but one of them "
            f"needs {needed >> 10} KiB"
        )
    return each
