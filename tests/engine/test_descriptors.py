"""What a program's descriptors are to the gateway, by functions of preview 1 that C programs seldom call as here."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.loading import INVOCATION, Limits, compiled, guest_of, linker, load
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.files.beneath import Folder

PROGRAM = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "file")
  ;; three vectors: "file", nothing far outside the memory, "file"
  (data (i32.const 0)
    "\\40\\00\\00\\00\\04\\00\\00\\00" "\\ff\\ff\\ff\\f0\\00\\00\\00\\00" "\\40\\00\\00\\00\\04\\00\\00\\00")
  (func $check (param $errno i32) (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start") (local $left i32) {body}))"""

# Opens a file, and has descriptor 4, the first that was opened, be that one from then on; 300 times.
REPLACE = """(local.set $left (i32.const 300))
  (loop $again
    (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 100)))
    (call $check (call $renumber (i32.load (i32.const 100)) (i32.const 4)))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $exit (i32.const 100))"""


@pytest.mark.parametrize(("stream", "written"), [(1, b"filefile"), (2, b"")])
def test_an_empty_vector_is_nowhere(stream: int, written: bytes) -> None:
    body = f"(call $check (call $write (i32.const {stream}) (i32.const 0) (i32.const 3) (i32.const 100)))"
    outcome = guest_of(load(compiled(PROGRAM.format(body=body)), linker(2))).run(INVOCATION)
    assert (str(outcome), outcome.rest) == ("returned", written)


def test_a_file_in_whose_place_another_comes_is_closed(tmp_path: Path) -> None:
    """A guest may have 256 open."""
    (tmp_path / "file").touch()
    preopens = (Preopen(b"/data", Folder.at(tmp_path), writable=False),)
    linked = load(compiled(PROGRAM.format(body=REPLACE)), linker(2))
    outcome = linked.guest(Limits(), preopens, lambda: NO_BINDINGS).run(INVOCATION)
    assert str(outcome) == "exited with status 100"
