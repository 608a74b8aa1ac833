"""From an artefact to a module that is ready to run: looked at, loaded by the engine that it
needs, and linked."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.binary.module_facts import Facts
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import NO_MEMORY, error_text
from wsgi_wasm.engine.guest import Linked
from wsgi_wasm.engine.pools import resolved
from wsgi_wasm.engine.program.check import check_program, uses_channel
from wsgi_wasm.engine.program.guest import LinkedProgram
from wsgi_wasm.engine.program.pool import program_engine
from wsgi_wasm.engine.runtime import runtime
from wsgi_wasm.errors import NoRoom

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import AnyApi


class Refused(Exception):
    """Wasmtime would not take an artefact: damaged in a way that the digest could not show, or
    for another machine."""


def check_facts(facts: Facts) -> None:
    """Raises ModuleError, naming everything that stops a module from being a guest."""
    if isinstance(facts, ComponentFacts):
        # What components need is loaded with the first one: it takes a third of the time that a
        # process needs to start.
        from wsgi_wasm.engine.component.linked import check_component

        check_component(facts)
    else:
        check_program(facts)


def calls_host(facts: Facts) -> bool:
    """Whether a guest may call functions of the host's APIs."""
    return isinstance(facts, ComponentFacts) or uses_channel(facts)


@dataclass(frozen=True, slots=True)
class Artefact:
    """Native code, in a file that processes share or as bytes."""

    code: Path | bytes

    def load(self, from_file: c.Function, from_bytes: c.Function, engine: int) -> int:
        """The module or component in it, for one engine; the functions are Wasmtime's for its
        kind. Raises Refused, NoRoom."""
        pointer = ctypes.c_void_p()
        out = ctypes.byref(pointer)
        if isinstance(self.code, bytes):
            error = from_bytes(engine, self.code, len(self.code), out)
        else:
            error = from_file(engine, os.fsencode(self.code), out)
            if error:
                # Mapping can fail where reading does not, on a file system mounted noexec for one.
                c.error_delete(error)
                data = self.code.read_bytes()
                error = from_bytes(engine, data, len(data), out)
        if error:
            text = error_text(error)
            if NO_MEMORY in text:
                raise NoRoom(f"cannot be loaded now: {text}")
            raise Refused(text)
        return int(pointer.value or 0)


class Linker:
    """Links modules for engines with these features, and so many instances each.

    `apis` gives the APIs of the host that guests may call. It is not called before the first
    component is linked, or the first program that imports the channel.
    """

    def __init__(self, features: frozenset[str], instances: int, apis: Callable[[], tuple[AnyApi, ...]]) -> None:
        self._features = features
        self._instances = instances
        self._apis = apis

    def linked(self, facts: Facts, artefact: Artefact) -> Linked:
        """A module, ready to run. Raises ModuleError, NoRoom, Refused, OSError."""
        check_facts(facts)
        if isinstance(facts, ComponentFacts):
            return self._component(facts, artefact)
        engine = program_engine(resolved(self._features, facts.features), facts.memory_minimum, self._instances)
        pointer = artefact.load(c.module_deserialize_file, c.module_deserialize, engine.pointer)
        program = LinkedProgram(runtime(), engine, pointer, facts)
        program.apis = self._apis
        return program

    def _component(self, facts: ComponentFacts, artefact: Artefact) -> Linked:
        from wsgi_wasm.engine.capi import component as cc
        from wsgi_wasm.engine.component.linked import LinkedComponent
        from wsgi_wasm.engine.component.pool import component_engine

        engine = component_engine(resolved(self._features), facts, self._instances)
        pointer = artefact.load(cc.component_deserialize_file, cc.component_deserialize, engine.pointer)
        return LinkedComponent(runtime(), engine, pointer, facts, self._apis())
