"""How large an instance of a guest may be. The engine's pools are made for it, and modules are
compared with it before they are compiled. A leaf.
"""

from __future__ import annotations

from wsgi_wasm.errors import ModuleError

MEMORY = 4 << 30  # bytes that a memory may begin with; each has as many addresses of its own
TABLE_ELEMENTS = 100_000  # that a table may begin with, or grow to
MODULE_TABLES = 4  # of a program
INSTANCE_STATE = 4 << 20  # bytes that Wasmtime keeps of an instance: functions, globals, imports

# of a component with all that is inside it
CORE_INSTANCES = 1000
COMPONENT_INSTANCES = 500
MEMORIES = 32
TABLES = 256


def check_table_elements(largest: int) -> None:
    """Raises ModuleError for a table that begins with more elements than one may have."""
    if largest > TABLE_ELEMENTS:
        raise ModuleError(f"has a table of {largest} elements; at most {TABLE_ELEMENTS} are allowed")


def check_memory_size(largest: int) -> None:
    """Raises ModuleError for a memory that begins with more bytes than one may have."""
    if largest > MEMORY:
        raise ModuleError(f"has a memory of {largest >> 20} MiB; at most {MEMORY >> 20} MiB are allowed")


def check_count(count: int, most: int, what: str) -> None:
    """Raises ModuleError where there are more than `most` of something, named in the plural."""
    if count > most:
        raise ModuleError(f"has {count} {what}; at most {most} are allowed")
