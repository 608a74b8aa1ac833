"""Components ready to run in a process: compiled code, and a linker with all that they import.

The host has WASI 0.2 (Wasmtime's own) and the interfaces of the APIs that it is given. An import of
anything else does not keep a component from running, since some toolchains import the whole world
that they know: its functions are defined, and a call of one is refused (see `refusals`). `check`
names them beforehand.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container, Mapping, Sequence

from wsgi_wasm.binary.component_facts import ComponentFacts, ComponentImport
from wsgi_wasm.binary.wrap import RUN
from wsgi_wasm.engine.capi import component as cc
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.code.advice import WRONG_RUN
from wsgi_wasm.engine.component.guest import ComponentGuest
from wsgi_wasm.engine.component.pool import ComponentEngine
from wsgi_wasm.engine.guest import Preopen, RunLimits
from wsgi_wasm.engine.hostcalls import refusals, wit
from wsgi_wasm.engine.hostcalls.host_api import AnyApi, Bindings, interfaces_of
from wsgi_wasm.engine.hostcalls.imports import FunctionType, Instance, exported_function, imports
from wsgi_wasm.engine.hostcalls.linker import define, define_instance
from wsgi_wasm.engine.runtime import Runtime
from wsgi_wasm.errors import ModuleError

# `run: func() -> result`
_RUN_TYPE = FunctionType((), wit.ResultOf(None, None), is_async=False)

_linking = threading.Lock()

# What the adapter calls before a guest waits; only a native run has something to do then.
_WAITS = v.HostFunction(native.waits) if native is not None else v.HostFunction(lambda *_: 0)


def refused_imports(facts: ComponentFacts, interfaces: Container[str]) -> tuple[ComponentImport, ...]:
    """The imports neither of WASI nor among these interfaces, by name: calls are refused."""
    return tuple(one for one in facts.imports if not one.is_wasi and one.name not in interfaces)


def check_component(facts: ComponentFacts) -> None:
    """Raises ModuleError for an import that is no interface: no refusal can stand in for it."""
    wrong = [one.name for one in facts.imports if not one.is_instance]
    if wrong:
        raise ModuleError(f"has unsupported imports: {', '.join(wrong)}")


class LinkedComponent:
    """As `engine.guest.Linked`. `apis` are those of the host that it may call."""

    refused = False

    def __init__(
        self, runtime: Runtime, engine: ComponentEngine, pointer: int, facts: ComponentFacts, apis: tuple[AnyApi, ...]
    ) -> None:
        self._exported = 0
        self._pid = os.getpid()
        self.pointer = pointer
        self.runtime = runtime
        self.engine = engine
        self.facts = facts
        self.run_index = 0
        if exported_function(engine.pointer, pointer, RUN, "run") != _RUN_TYPE:
            raise ModuleError(WRONG_RUN)
        self._exported = cc.export_index(pointer, None, *_text(RUN)) or 0
        if self._exported:
            self.run_index = cc.export_index(pointer, self._exported, b"run", 3) or 0
        if not self.run_index:
            raise ModuleError(WRONG_RUN)
        interfaces = interfaces_of(apis)
        refused = refused_imports(facts, interfaces)
        names = {*interfaces, *(one.name for one in refused)}
        imported = imports(engine.pointer, pointer, names.__contains__)
        refusals.check(interfaces, imported)
        self.linker = _linker(engine, apis, refused, imported)

    def guest(
        self,
        limits: RunLimits,
        preopens: Sequence[Preopen],
        bindings: Callable[[], Bindings],
        entry_point: str | None = None,
    ) -> ComponentGuest:
        """The component with what a route grants it. Raises ModuleError where the limits do not
        suffice, and for an entry point."""
        if entry_point is not None:
            raise ModuleError("is a component, which has no `entry_point`: remove that key")
        return ComponentGuest(self, limits, preopens, bindings())

    def __del__(self) -> None:
        # As `guest.Linked`.
        if cc is not None and os.getpid() == self._pid:
            for index in filter(None, (self.run_index, self._exported)):
                cc.export_index_delete(index)
            cc.component_delete(self.pointer)


def _linker(
    engine: ComponentEngine,
    apis: tuple[AnyApi, ...],
    refused: tuple[ComponentImport, ...],
    imported: Mapping[str, Instance],
) -> int:
    """The engine's linker with these APIs and refusals of these imports. Linkers are made once, and
    then only read."""
    with _linking:
        linker = engine.linkers.get((apis, refused))
        if linker is None:
            linker = int(cc.linker_new(engine.pointer))
            try:
                _define(linker, apis, refused, imported)
            except BaseException:
                cc.linker_delete(linker)
                raise
            engine.linkers[apis, refused] = linker
    return linker


def _define(
    linker: int, apis: tuple[AnyApi, ...], refused: tuple[ComponentImport, ...], imported: Mapping[str, Instance]
) -> None:
    """Raises ModuleError."""
    cc.linker_allow_shadowing(linker, True)
    taken(cc.linker_add_wasi(linker))
    taken(cc.linker_add_http(linker))  # for the adapter; no guest gets at it
    define_instance(linker, "wsgi-wasm:gateway/waiting@1.0.0", {}, {"begin": _WAITS})
    for api in apis:
        for interface in api.interfaces:
            define(linker, api, interface)
    for one in refused:
        refusals.refuse(linker, one.name, imported[one.name])


def _text(name: str) -> tuple[bytes, int]:
    data = name.encode()
    return data, len(data)
