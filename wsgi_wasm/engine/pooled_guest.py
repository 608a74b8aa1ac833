"""What a program and a component have in common as guests: a slot of their pool for each run, and
directories of the host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.native import Native, native
from wsgi_wasm.engine.gil import GilPolicy
from wsgi_wasm.engine.guest import Invocation, Linked, Preopen, RunLimits, numbers
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.engine.runtime import Pool, Runtime
from wsgi_wasm.errors import Unavailable

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
        self.linked = linked
        self.limits = limits
        self.preopens = tuple(preopens)
        self._begins_threads = bool(preopens)
        self._number = next(numbers)  # slots remember it: what a run needs of its guest is set once
        self._gil = GilPolicy(limits.memory, may_wait)

    def run(self, invocation: Invocation) -> Outcome:
        """As `Guest.run`."""
        engine = self.linked.engine
        slot, queued = engine.take_slot(self.limits.queue_timeout)
        try:
            if self._begins_threads:
                self.linked.runtime.has_threads = True
            if native is not None:
                outcome = self._run_native(native, slot, invocation)
            else:
                outcome = self._run_in_python(slot, invocation)
        finally:
            engine.slots.give(slot)
        outcome.queued = queued
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
        if not c.wasi_preopen(config, preopen.host, preopen.guest, preopen.writable):
            c.wasi_delete(config)
            raise Unavailable(
                f"directory {os.fsdecode(preopen.host)!r} (in the guest {os.fsdecode(preopen.guest)!r}) "
                "cannot be opened"
            )
    return config
