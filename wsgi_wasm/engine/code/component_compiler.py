"""Compiles a component: wrapped so that it is a program, then to native code."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from wsgi_wasm.binary.component_facts import ComponentFacts, imports_of
from wsgi_wasm.binary.needs import needs
from wsgi_wasm.binary.reader import CORE_MODULE, sections
from wsgi_wasm.binary.wrap import wrap
from wsgi_wasm.engine.capi import component as cc
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.code.adapter import adapter_parts
from wsgi_wasm.engine.runtime import compile_engine


def compile_component(
    features: frozenset[str], guest: bytes, check: Callable[[ComponentFacts], None] = lambda facts: None
) -> tuple[bytes, ComponentFacts]:
    """The artefact of a component in binary form, and its facts, which `check` may refuse before
    anything is compiled. Raises ModuleError."""
    wrapped = wrap(guest, adapter_parts())
    whole, own = needs(wrapped.component), needs(guest)
    facts = ComponentFacts(
        interface=wrapped.interface,
        imports=imports_of(wrapped.guest),
        # Wasmtime makes modules of its own for the calls between components.
        core_instances=whole.core_instances + 2 * whole.component_instances,
        memories=whole.memories,
        tables=whole.tables,
        memory_minimum=own.minimum,
        memory_bounded=own.bounded,
        memories_unbounded=own.unbounded,
        memory_largest=own.largest,
    )
    check(facts)
    engine = compile_engine(features, components=True)
    component, vector = ctypes.c_void_p(), c.ByteVec()
    for number, start, end in sections(guest):
        if number == CORE_MODULE:
            taken(c.module_validate(engine, guest[start:end], end - start))
    taken(cc.component_new(engine, wrapped.component, len(wrapped.component), ctypes.byref(component)))
    taken(cc.component_serialize(component, ctypes.byref(vector)))
    return ctypes.string_at(vector.data or 0, vector.size), facts
