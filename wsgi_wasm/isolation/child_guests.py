"""The guests of a child, made of what the gateway tells of them."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.engine.guest import Guest, Invocation, Linked
from wsgi_wasm.engine.hostcalls.host_api import AnyApi
from wsgi_wasm.engine.linking import Artefact, Linker
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.gateway.admission import Admission
from wsgi_wasm.isolation import messages as m
from wsgi_wasm.isolation.calls import remote

_KEPT = 256  # guests that are kept; the least recently used goes first


@dataclass(frozen=True, slots=True)
class Ready:
    """A guest with its route's `concurrency`, which counts for the whole server here."""

    guest: Guest
    admission: Admission | None
    queue_timeout: float  # seconds

    def run(self, invocation: Invocation) -> Outcome:
        """As `Guest.run`, within the route's `concurrency`."""
        admission = self.admission
        if admission is None:
            return self.guest.run(invocation)
        queued = admission.enter(self.queue_timeout)
        try:
            outcome = self.guest.run(invocation)
        finally:
            admission.leave()
        outcome.queued += queued
        return outcome


class Guests:
    """The guests of this process, made when they are first asked for."""

    def __init__(self, apis: Sequence[AnyApi]) -> None:
        self._apis, self._bindings = remote(apis)
        self._made: OrderedDict[bytes, Ready] = OrderedDict()
        self._linked: OrderedDict[tuple[str, frozenset[str], int], Linked] = OrderedDict()
        self._admissions: dict[str, Admission] = {}
        self._making = threading.Lock()

    def known(self, guest: bytes) -> Ready | None:
        """The guest of this digest, if it has come."""
        return self._made.get(guest)

    def make(self, spec: m.GuestSpec, artefact: int) -> None:
        """Have a guest from here on; `artefact` is a descriptor of its code. Raises ModuleError,
        EngineError, Unavailable, Refused, OSError."""
        with self._making:
            key = spec.artefact, spec.features, spec.instances
            linked = self._linked.get(key)
            if linked is None:
                linked = self._linked[key] = self._link(spec, artefact)
                if len(self._linked) > _KEPT:
                    self._linked.popitem(last=False)
            guest = linked.guest(spec.limits, spec.preopens, lambda: self._bindings, spec.entry_point)
            self._made[spec.id] = Ready(guest, self._admission(spec.limits), spec.limits.queue_timeout)
            if len(self._made) > 2 * _KEPT:
                self._made.popitem(last=False)

    def _link(self, spec: m.GuestSpec, artefact: int) -> Linked:
        linker = Linker(spec.features, spec.instances, lambda: self._apis)
        path = Path(f"/proc/self/fd/{artefact}")
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            return linker.linked(spec.facts, Artefact(path))
        except OSError:
            # Of another user's, say: then it is a copy for this process.
            size = os.fstat(artefact).st_size
            return linker.linked(spec.facts, Artefact(os.pread(artefact, size, 0)))

    def _admission(self, limits: m.SentLimits) -> Admission | None:
        """The route's. It outlives a change of its limits, as in the gateway."""
        if limits.concurrency is None:
            return None
        admission = self._admissions.get(limits.route)
        if admission is None:
            admission = self._admissions[limits.route] = Admission(limits.concurrency)
        else:
            admission.allow(limits.concurrency)
        return admission
