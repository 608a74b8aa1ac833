"""What a guest is told that asks which directories it has, and what its standard descriptors are."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.loading import INVOCATION, Limits, compiled, linker, load
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.engine.program import preview1 as p
from wsgi_wasm.files.beneath import Folder

PROGRAM = """(module
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get" (func $status (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") {body}))"""


def end(code: str) -> str:
    return f"(call $exit {code})"


def get(descriptor: int, at: int = 16) -> str:
    return f"(call $get (i32.const {descriptor}) (i32.const {at}))"


def name(descriptor: int, at: int = 64, room: int = 100) -> str:
    return f"(call $name (i32.const {descriptor}) (i32.const {at}) (i32.const {room}))"


def status(descriptor: int, at: int = 64) -> str:
    return f"(call $status (i32.const {descriptor}) (i32.const {at}))"


CLOSE = "(drop (call $close (i32.const 3)))"
MOVE = "(drop (call $renumber (i32.const 4) (i32.const 3)))"
FAR = (1 << 32) - 4

# body, the status that it ends with
BODIES: dict[str, tuple[str, int]] = {
    "the first": (f"(drop {get(3)})" + end("(i32.load (i32.const 20))"), 5),
    "the second": (f"(drop {get(4)})" + end("(i32.load (i32.const 20))"), 7),
    "a directory": (f"(i32.store (i32.const 16) (i32.const -1)) (drop {get(3)})" + end("(i32.load (i32.const 16))"), 0),
    "no more": (end(get(5)), p.BADF),
    "a stream": (end(get(1)), p.BADF),
    "far away": (end(get(3, FAR)), p.FAULT),
    "of the largest number": (end(get(-1)), p.BADF),
    "its name": (f"(drop {name(3)})" + end("(i32.load8_u (i32.const 64))"), ord("/")),
    "the end of its name": (f"(drop {name(4)})" + end("(i32.load8_u (i32.const 70))"), ord("r")),
    "nothing behind": (f"(drop {name(4)})" + end("(i32.load8_u (i32.const 71))"), 0),
    "no room for its name": (end(name(4, room=6)), p.NAMETOOLONG),
    "just enough room": (end(name(4, room=7)), 0),
    "its name, far away": (end(name(3, FAR)), p.FAULT),
    "the name of nothing": (end(name(5)), p.NOTDIR),
    "one that is closed": (CLOSE + end(get(3)), p.BADF),
    "the name of one that is closed": (CLOSE + end(name(3)), p.NOTDIR),
    "the other one, while one is closed": (CLOSE + f"(drop {get(4)})" + end("(i32.load (i32.const 20))"), 7),
    "one in the place of the other": (MOVE + f"(drop {get(3)})" + end("(i32.load (i32.const 20))"), 7),
    "what it was": (MOVE + end(get(4)), p.BADF),
    "standard output is no file": (end(status(1)), 0),
    "the status of a directory": (f"(drop {status(3)})" + end("(i32.load8_u (i32.const 80))"), 3),
    "the status of nothing": (end(status(9)), p.BADF),
}


@pytest.mark.parametrize("what", BODIES)
def test_calls(tmp_path: Path, what: str) -> None:
    folder = Folder.at(tmp_path)
    preopens = (Preopen(b"/data", folder, writable=False), Preopen(b"/srv/dr", folder, writable=False))
    body, code = BODIES[what]
    linked = load(compiled(PROGRAM.replace("{body}", body)), linker(2))
    outcome = linked.guest(Limits(), preopens, lambda: NO_BINDINGS).run(INVOCATION)
    assert str(outcome) == f"exited with status {code}"


def test_without_directories() -> None:
    for body, code in ((get(3), p.BADF), (name(3), p.NOTDIR), (status(1), 0), (status(3), p.BADF)):
        linked = load(compiled(PROGRAM.replace("{body}", end(body))), linker(2))
        outcome = linked.guest(Limits(), (), lambda: NO_BINDINGS).run(INVOCATION)
        assert str(outcome) == f"exited with status {code}"
