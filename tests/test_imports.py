"""Imports point downwards: the order of `LAYERS` is the architecture (docs/architecture.md). That nothing goes round is
held by `test_shape.py`."""

from __future__ import annotations

import ast
from functools import cache

from shape import PACKAGE, Source, imports, read

# from the top; a module may import what stands below it, and what is in its own package
LAYERS = [
    {"__main__"},
    {"cli"},
    {"wsgi", "gunicorn", "mod_wsgi"},
    {"__init__"},
    {"app"},
    {"serving"},
    {"hardening", "migration"},
    {"importers", "apache"},
    {"spin"},
    {"protocols"},
    {"wws"},
    {"isolation"},
    {"gateway"},
    {"hostapi"},
    {"config", "engine"},
    {"interpreters"},
    {"toolchain"},
    {"cgi", "binary"},
    {"walls"},
    {"files"},
    {"log_output"},
    {"logs", "polling"},
    {"errors"},
    {"interrupts", "messages", "syscalls", "version"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# What a layer's order alone would allow.
FORBIDDEN = {("engine", "cgi"), ("config", "binary")}


@cache
def modules() -> dict[str, Source]:
    """By name, without what runs in guests."""
    return {source.name: source for source in read(PACKAGE) if "guestlib" not in source.path.parts}


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(source: Source) -> set[str]:
    return {name for name in imports(source, modules()) if name.split(".")[0] == PACKAGE.name}


def type_checking_only(source: Source) -> set[str]:
    """Imports under `if TYPE_CHECKING:`; they order nothing at run time."""
    wanted = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    wanted |= {f"{inner.module}", *(f"{inner.module}.{alias.name}" for alias in inner.names)}
    return wanted


def test_every_room_has_a_layer() -> None:
    assert {room(name) for name in modules()} == set(LEVEL)


def test_imports_point_downwards() -> None:
    wrong = []
    for name, source in modules().items():
        for other in imported(source) - type_checking_only(source):
            here, there = room(name), room(other)
            if here == there:
                continue
            if LEVEL[there] <= LEVEL[here] or (here, there) in FORBIDDEN:
                wrong.append(f"{name} imports {other}")
    assert not wrong


# The same within the engine.
ENGINE_LAYERS = [
    {"modules"},
    {"supply"},
    {"module", "compiling"},
    {"linking"},
    {"component"},
    {"program"},
    {"hostcalls"},
    {"code"},
    {"pooled_guest"},
    {"run", "gil", "stuck_calls"},
    {"runtime", "guest"},
    {"pools"},
    {"capi"},
    {"outcome", "free_list", "advisories", "room"},
]


def test_imports_point_downwards_in_the_engine() -> None:
    level = {name: number for number, names in enumerate(ENGINE_LAYERS) for name in names}
    inside = {name: name.split(".")[2] for name in modules() if name.startswith("wsgi_wasm.engine.")}
    assert set(inside.values()) == set(level)
    wrong = []
    for name, here in inside.items():
        for other in imported(modules()[name]) - type_checking_only(modules()[name]):
            there = inside.get(other)
            if there is not None and there != here and level[there] <= level[here]:
                wrong.append(f"{name} imports {other}")
    assert not wrong


def test_only_the_engine_knows_wasmtime() -> None:
    for name, source in modules().items():
        for node in ast.walk(source.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            assert room(name) == "engine" or not any(item.split(".")[0] == "wasmtime" for item in names), name


IMPURE = {"ctypes", "io", "os", "pathlib", "socket", "subprocess", "sys", "tempfile", "threading", "time"}


def test_the_pure_part_is_pure() -> None:
    """`cgi`, `binary` and `messages` are functions of strings and bytes: no files, no engine, no server."""
    for name, source in modules().items():
        if room(name) in ("cgi", "binary", "messages"):
            tree = ast.walk(source.tree)
            names = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
            tree = ast.walk(source.tree)
            names |= {str(node.module) for node in tree if isinstance(node, ast.ImportFrom)}
            assert not names & IMPURE, name
            calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
            assert not any(isinstance(call.func, ast.Name) and call.func.id == "open" for call in calls), name
