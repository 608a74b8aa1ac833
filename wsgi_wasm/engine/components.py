"""Components ready to run in a process: compiled code, and a linker that has everything the component imports.

What the host offers is WASI 0.2 (Wasmtime's own) and the interfaces given to `offer`. An import of anything else does
not keep a component from running, since some toolchains import the whole world that they know: its functions are
defined, and a call of one ends the guest with the interface's name. `check` names them beforehand.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wsgi_wasm.component.wrap import RUN
from wsgi_wasm.engine import _capi as c
from wsgi_wasm.engine import _component_capi as cc
from wsgi_wasm.engine import _component_values as v
from wsgi_wasm.engine import hostcalls
from wsgi_wasm.engine.component_engine import ComponentEngine
from wsgi_wasm.engine.component_facts import ComponentFacts, ComponentImport
from wsgi_wasm.engine.component_guest import ComponentGuest
from wsgi_wasm.engine.errors import taken
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.outcome import End
from wsgi_wasm.engine.run import RunLimits, Stop, current
from wsgi_wasm.engine.runtime import Runtime
from wsgi_wasm.errors import ModuleError

_offered: dict[str, hostcalls.Interface] = {}

_linking = threading.Lock()
_resource_numbers = itertools.count(1 << 20)  # of resources that nobody makes; `hostcalls` counts from 1


def offer(interfaces: Iterable[hostcalls.Interface]) -> None:
    """Let components import these interfaces of the host, from now on. Called before the first one is linked."""
    _offered.update((interface.name, interface) for interface in interfaces)


def not_offered(facts: ComponentFacts) -> list[ComponentImport]:
    """The imports for which there is nothing but a trap."""
    return [one for one in facts.imports if not one.is_wasi and one.name not in _offered]


def check_component(facts: ComponentFacts) -> None:
    """Raises ModuleError for an import that cannot even be stood in for."""
    wrong = [one.name for one in not_offered(facts) if not one.is_instance]
    if wrong:
        raise ModuleError(f"imports what is not offered: {', '.join(wrong)}")


class LinkedComponent:
    """A component compiled for one engine of this process. The C objects go when the last run has let go of it."""

    def __init__(self, runtime: Runtime, engine: ComponentEngine, pointer: int, facts: ComponentFacts) -> None:
        self._exported = 0
        self._pid = os.getpid()
        self.pointer = pointer
        self.runtime = runtime
        self.engine = engine
        self.facts = facts
        self.run_index = 0
        self._exported = int(cc.export_index(pointer, None, *_text(RUN)))
        self.run_index = int(cc.export_index(pointer, self._exported, b"run", 3))
        self.linker = _linker(engine, tuple(not_offered(facts)))

    def guest(
        self, limits: RunLimits, preopens: Sequence[Preopen], grants: Mapping[str, object] = {}
    ) -> ComponentGuest:
        """The component with what a route grants it. Raises ModuleError where the limits do not suffice."""
        return ComponentGuest(self, limits, preopens, grants)

    def __del__(self) -> None:
        # As `guest.Linked`.
        if cc is not None and os.getpid() == self._pid:
            for index in filter(None, (self.run_index, self._exported)):
                cc.export_index_delete(index)
            cc.component_delete(self.pointer)


def _linker(engine: ComponentEngine, missing: tuple[ComponentImport, ...]) -> int:
    """The engine's linker with stand-ins for these imports. Linkers are made once, and then only read."""
    with _linking:
        linker = engine.linkers.get(missing)
        if linker is None:
            linker = int(cc.linker_new(engine.pointer))
            cc.linker_allow_shadowing(linker, True)
            taken(cc.linker_add_wasi(linker))
            for interface in _offered.values():
                hostcalls.define(linker, interface)
            for one in missing:
                _define_missing(linker, one)
            engine.linkers[missing] = linker
    return linker


def _define_missing(linker: int, missing: ComponentImport) -> None:
    kinds = {name: v.resource_type_new(next(_resource_numbers)) for name in missing.resources}
    try:
        functions = {name: _refusal(f"{missing.name} {name}") for name in missing.functions}
        hostcalls.define_instance(linker, missing.name, kinds, functions)
    finally:
        for kind in kinds.values():
            v.resource_type_delete(kind)


_refusals: dict[str, Any] = {}  # callbacks live as long as the process


def _refusal(name: str) -> Any:
    made = _refusals.get(name)
    if made is None:
        made = _refusals[name] = v.HostFunction(_refusing(name))
    return made


def _refusing(name: str) -> Callable[..., int]:
    def refuse(*_: object) -> int:
        run = current.run
        if run is not None and run.failure is None:
            run.failure = Stop(End.STOPPED, f"called {name}, which is not offered")
        return int(c.error_new(b"stopped by the host"))

    return refuse


def _text(name: str) -> tuple[bytes, int]:
    data = name.encode()
    return data, len(data)
