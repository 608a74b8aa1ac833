"""What stops a core module from being a program, found before it is loaded."""

from __future__ import annotations

import re

from wsgi_wasm.binary.module_facts import ModuleFacts, check_limits
from wsgi_wasm.engine.program.preview1 import PREVIEW1, PREVIEW1_FUNCTIONS
from wsgi_wasm.errors import ModuleError

SPIN_1 = "handle-http-request"
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
    foreign = [str(item) for item in facts.imports if item.module != PREVIEW1 or item.name not in PREVIEW1_FUNCTIONS]
    if any(name.startswith("wasi_unstable.") for name in foreign):
        wrong.append("imports wasi_unstable, which is not supported: build it with a current wasi-sdk")
    elif foreign:
        wrong.append(f"has unsupported imports: {', '.join(sorted(set(foreign)))}")
    start = facts.exports.get("_start")
    if start is None:
        wrong.append("exports no _start: build a program (command), not a library (reactor)")
    elif start != "function" or facts.start_signature != "() -> ()":
        wrong.append(f"the type of its _start is {facts.start_signature or start}, but must be () -> ()")
    if facts.memory_imported:
        wrong.append("imports its memory")
    elif facts.imports and facts.exports.get("memory") != "memory":
        wrong.append("exports no memory under the name 'memory'")
    if wrong:
        raise ModuleError("; ".join(wrong))
    check_limits(facts)
