"""What a program and a component have in common as guests: a slot of their pool for each run, and
directories of the host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from wsgi_wasm.binary.module_facts import ModuleFacts
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import Native, native
from wsgi_wasm.engine.gil import GilPolicy
from wsgi_wasm.engine.guest import Invocation, Linked, Preopen, RunLimits, numbers
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.engine.pools import Pool
from wsgi_wasm.engine.runtime import Runtime, guest_memory
from wsgi_wasm.engine.stuck_calls import watch
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.files.by_path import with_path_of
from wsgi_wasm.messages import escaped, quote, reason

SlotT = TypeVar("SlotT")


class PooledCode(Linked, Protocol[SlotT]):
    """A module that runs in the slots of one pool."""

    @property
    def runtime(self) -> Runtime: ...
    @property
    def engine(self) -> Pool[SlotT]: ...


class PooledGuest(Generic[SlotT]):
    """As `engine.guest.Guest`, but for how a run in a slot goes."""

    def __init__(
        self, linked: PooledCode[SlotT], limits: RunLimits, preopens: Sequence[Preopen], may_wait: bool
    ) -> None:
        """Raises ModuleError for one that may use more memory than all guests together."""
        self.linked = linked
        self.limits = limits
        self.preopens = tuple(preopens)
        self._begins_threads = bool(preopens)
        self._number = next(numbers)  # slots remember it: what a run needs of its guest is set once
        self._gil = GilPolicy(limits.memory, may_wait)
        facts = linked.facts
        declared = facts.memory_maximum if isinstance(facts, ModuleFacts) else None
        self._memory = limits.memory if declared is None else min(declared, limits.memory)
        guest_memory.check(self._memory)

    def run(self, invocation: Invocation, timeout: float | None = None) -> Outcome:
        """As `Guest.run`. `timeout` is given where the memory is counted already: the seconds that
        it may still wait."""
        if timeout is None:
            if guest_memory.bound is not None:
                return self._run_counted(invocation)
            timeout = self.limits.queue_timeout
        engine = self.linked.engine
        slot, queued = engine.take_slot(timeout)
        try:
            if self._begins_threads:
                self.linked.runtime.has_threads = True
            if self.preopens:
                with watch:
                    outcome = self._run_in(slot, invocation)
            else:
                outcome = self._run_in(slot, invocation)
        finally:
            engine.slots.give(slot)
        outcome.queued = queued
        return outcome

    def _run_in(self, slot: SlotT, invocation: Invocation) -> Outcome:
        if native is not None:
            return self._run_native(native, slot, invocation)
        return self._run_in_python(slot, invocation)

    def _run_counted(self, invocation: Invocation) -> Outcome:
        waited = guest_memory.take(self._memory, self.limits.queue_timeout)
        try:
            outcome = self.run(invocation, self.limits.queue_timeout - waited)
        finally:
            guest_memory.give(self._memory)
        outcome.queued += waited
        return outcome

    def _run_native(self, native: Native, slot: SlotT, invocation: Invocation) -> Outcome:
        """By way of the compiled part. Raises Unavailable for a run that cannot begin."""
        raise NotImplementedError

    def _run_in_python(self, slot: SlotT, invocation: Invocation) -> Outcome:
        """The same where there is no compiled part."""
        raise NotImplementedError


def wasi_config(preopens: Sequence[Preopen]) -> int:
    """A new `wasi_config_t` with what a guest sees of the disk. Raises Unavailable."""
    config = int(c.wasi_new())
    for preopen in preopens:
        try:
            opened = _give(config, preopen)
        except OSError as error:
            c.wasi_delete(config)
            raise _not_opened(preopen, f": {reason(error)}") from None
        if not opened:
            c.wasi_delete(config)
            raise _not_opened(preopen, "")
    return config


def _give(config: int, preopen: Preopen) -> bool:
    # Wasmtime takes a path and follows what links it has by then, so the directory is opened here.
    directory = preopen.folder.open()
    try:
        return bool(with_path_of(directory, lambda path: c.wasi_preopen(config, path, preopen.guest, preopen.writable)))
    finally:
        os.close(directory)


def _not_opened(preopen: Preopen, why: str) -> Unavailable:
    guest = quote(os.fsdecode(preopen.guest))
    return Unavailable(f"directory {escaped(preopen.folder.path)} (in the guest {guest}) cannot be opened{why}")
