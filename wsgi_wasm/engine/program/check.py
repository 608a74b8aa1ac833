"""What stops a core module from being a program, found before it is loaded."""

from __future__ import annotations

import re

from wsgi_wasm.binary.module_facts import NULLARY, ModuleFacts, check_limits
from wsgi_wasm.engine.program.preview1 import CHANNEL, CHANNEL_CALL, PREVIEW1, PREVIEW1_FUNCTIONS
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import did_you_mean, listed, quote

SPIN_1 = "handle-http-request"
NO_START = "exports no _start: build a program (command), not a library (reactor)"
DEFAULT, INITIALIZE = "", "_initialize"
INTERFACE = re.compile(r"[a-z0-9-]+:[a-z0-9-]+/[a-z0-9-]+(@.+)?")  # of the Component Model


def check_program(facts: ModuleFacts) -> None:
    """Raises ModuleError, naming everything that is wrong."""
    if SPIN_1 in facts.exports:
        raise ModuleError(
            f"exports {SPIN_1}: it is a module for Spin's first interface, as TinyGo and old Rust SDKs build it. "
            "Build a component for WASI 0.2 instead (Rust: spin-sdk 3 to 5 for wasm32-wasip2)"
        )
    interfaces = sorted({item.module for item in facts.imports if INTERFACE.fullmatch(item.module)})
    if interfaces:
        raise ModuleError(
            f"is a core module that must be turned into a component, because it imports {interfaces[0]}: build a "
            "component (Rust: cargo build --target wasm32-wasip2 instead of wasm32-wasip1; others: "
            "wasm-tools component new)"
        )
    wrong = []
    offered = {PREVIEW1: PREVIEW1_FUNCTIONS, CHANNEL: frozenset({CHANNEL_CALL})}
    foreign = [str(item) for item in facts.imports if item.name not in offered.get(item.module, ())]
    if any(name.startswith("wasi_unstable.") for name in foreign):
        wrong.append("imports wasi_unstable, which is not supported: build it with a current wasi-sdk")
    elif foreign:
        wrong.append(f"has unsupported imports: {', '.join(sorted(set(foreign)))}")
    start = facts.exports.get("_start")
    if start is not None and (start != "function" or facts.start_signature != NULLARY):
        wrong.append(f"the type of its _start is {facts.start_signature or start}, but must be () -> ()")
    for name in (DEFAULT, INITIALIZE):
        if name in facts.exports and name not in facts.entry_points:
            wrong.append(f"its export {quote(name)} must be a function of type () -> ()")
    if not facts.exports.keys() & {DEFAULT, "_start", INITIALIZE} and not facts.has_start and not facts.entry_points:
        wrong.append(NO_START)
    if facts.memory_imported:
        wrong.append("imports its memory")
    elif facts.imports and facts.exports.get("memory") != "memory":
        wrong.append("exports no memory under the name 'memory'")
    if wrong:
        raise ModuleError("; ".join(wrong))
    check_limits(facts)


def uses_channel(facts: ModuleFacts) -> bool:
    """Whether the module imports the channel."""
    return any(item.module == CHANNEL for item in facts.imports)


def calls(facts: ModuleFacts, entry_point: str | None) -> tuple[str, ...]:
    """The exported functions that a run calls, in order, once the module is instantiated and its
    start section has run.

    As Wasmtime's `run` has it: without an entry point the export without a name, else `_start`. A
    module that has neither is a library (reactor): its `_initialize` is called, before any entry
    point. Raises ModuleError where nothing would run.
    """
    exports = facts.exports
    before = (INITIALIZE,) if INITIALIZE in exports and "_start" not in exports else ()
    if entry_point is not None:
        if entry_point not in facts.entry_points:
            raise ModuleError(
                f"exports no function {quote(entry_point)} that takes and returns nothing, as `entry_point` "
                f"needs{did_you_mean(entry_point, facts.entry_points)}"
            )
        return (*(name for name in before if name != entry_point), entry_point)
    for name in (DEFAULT, "_start"):
        if name in exports:
            return (*before, name)
    if not before and not facts.has_start:
        raise ModuleError(f"{NO_START}, or name what to call in `entry_point`: {listed(facts.entry_points)}")
    return before
