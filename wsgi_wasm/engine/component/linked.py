"""Components ready to run in a process: compiled code, and a linker that has everything the component imports.

What the host offers is WASI 0.2 (Wasmtime's own) and the interfaces given to `offer`. An import of anything else does
not keep a component from running, since some toolchains import the whole world that they know: its functions are
defined, and a call of one is refused (see `refusals`). `check` names them beforehand.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence

from wsgi_wasm.binary.component_facts import ComponentFacts, ComponentImport
from wsgi_wasm.binary.wrap import RUN
from wsgi_wasm.engine.capi import component as cc
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.component.guest import ComponentGuest
from wsgi_wasm.engine.component.pool import ComponentEngine
from wsgi_wasm.engine.guest import Preopen, RunLimits
from wsgi_wasm.engine.hostcalls import refusals
from wsgi_wasm.engine.hostcalls.imports import Instance, imports
from wsgi_wasm.engine.hostcalls.interface import define, define_instance
from wsgi_wasm.engine.hostcalls.offers import offered
from wsgi_wasm.engine.runtime import Runtime
from wsgi_wasm.errors import ModuleError

_linking = threading.Lock()

# What the adapter calls before a guest waits; only a native run has something to do then.
_WAITS = v.HostFunction(native.waits) if native is not None else v.HostFunction(lambda *_: 0)


def not_offered(facts: ComponentFacts) -> list[ComponentImport]:
    """The imports for which there is nothing but a trap."""
    known = offered()
    return [one for one in facts.imports if not one.is_wasi and one.name not in known]


def check_component(facts: ComponentFacts) -> None:
    """Raises ModuleError for an import that cannot even be stood in for."""
    wrong = [one.name for one in not_offered(facts) if not one.is_instance]
    if wrong:
        raise ModuleError(f"imports what is not offered: {', '.join(wrong)}")


class LinkedComponent:
    """As `engine.guest.Linked`."""

    def __init__(self, runtime: Runtime, engine: ComponentEngine, pointer: int, facts: ComponentFacts) -> None:
        self._exported = 0
        self._pid = os.getpid()
        self.pointer = pointer
        self.runtime = runtime
        self.engine = engine
        self.facts = facts
        self.run_index = 0
        self._exported = int(cc.export_index(pointer, None, *_text(RUN)))
        self.run_index = cc.export_index(pointer, self._exported, b"run", 3) or 0
        if not self.run_index:
            raise ModuleError("exports wasi:cli/run without the function run")
        missing = tuple(not_offered(facts))
        names = {*offered(), *(one.name for one in missing)}
        imported = imports(engine.pointer, pointer, names.__contains__)
        refusals.check(offered(), imported)
        self.linker = _linker(engine, missing, imported)

    def guest(
        self, limits: RunLimits, preopens: Sequence[Preopen], grants: Callable[[], Mapping[str, object]] = dict
    ) -> ComponentGuest:
        """As `Linked.guest`."""
        return ComponentGuest(self, limits, preopens, grants())

    def __del__(self) -> None:
        # As `LinkedProgram`.
        if cc is not None and os.getpid() == self._pid:
            for index in filter(None, (self.run_index, self._exported)):
                cc.export_index_delete(index)
            cc.component_delete(self.pointer)


def _linker(engine: ComponentEngine, missing: tuple[ComponentImport, ...], imported: Mapping[str, Instance]) -> int:
    """The engine's linker with refusals of these imports. Linkers are made once, and then only read."""
    with _linking:
        linker = engine.linkers.get(missing)
        if linker is None:
            linker = int(cc.linker_new(engine.pointer))
            cc.linker_allow_shadowing(linker, True)
            taken(cc.linker_add_wasi(linker))
            taken(cc.linker_add_http(linker))  # for the adapter; no guest gets at it
            define_instance(linker, "wsgi-wasm:gateway/waiting@1.0.0", {}, {"begin": _WAITS})
            for interface in offered().values():
                define(linker, interface)
            for one in missing:
                refusals.refuse(linker, one.name, imported[one.name])
            engine.linkers[missing] = linker
    return linker


def _text(name: str) -> tuple[bytes, int]:
    data = name.encode()
    return data, len(data)
