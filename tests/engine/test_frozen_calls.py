"""What a frozen guest is told that calls functions of preview 1 as no C library does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.loading import INVOCATION, Limits, compiled, linker, load
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.engine.program import preview1 as p
from wsgi_wasm.engine.program.forwarding import FORWARDED
from wsgi_wasm.files.beneath import Folder

ALL = (1 << 32) - 1
END = 1 << 16
RESULT = 0x800  # where results go
AT = 0x1000  # where the path lies
FAR = END - 8


def call(name: str, *arguments: int) -> str:
    kinds = FORWARDED.get(name, ("i32", "i32", "i32", "i64", "i32") if name == "fd_readdir" else ("i32",) * 3)
    pushes = " ".join(f"({kind}.const {value})" for kind, value in zip(kinds, arguments, strict=True))
    return f"(local.set $errno (call ${name} {pushes}))"


FUNCTIONS = [*FORWARDED, "fd_readdir"]


def program(data: str, body: str) -> str:
    imports = []
    for name in FUNCTIONS:
        kinds = FORWARDED.get(name, ("i32", "i32", "i32", "i64", "i32"))
        kind = f"(param {' '.join(kinds)}) (result i32)"
        imports.append(f'(import "wasi_snapshot_preview1" "{name}" (func ${name} {kind}))')
    return f"""(module {" ".join(imports)}
      (import "wasi_snapshot_preview1" "fd_prestat_get" (func $ask (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (data (i32.const {AT}) "{data}")
      (func (export "_start") (local $errno i32) (local $other i32) {body}
        (call $exit (local.get $errno))))"""


def opening(flags: int = 0, size: int = 0, path: int = AT, directory: int = 3) -> str:
    return call("path_open", directory, 0, path, size, flags, 2, 0, 0, RESULT)


BODIES: dict[str, tuple[str, str, int]] = {
    "a NUL": (r"data/\00x", opening(size=7), p.INVAL),
    "a NUL at the top": (r"no\00x", opening(size=5), p.INVAL),
    "not UTF-8": (r"data/\ff", opening(size=6), 25),
    "not UTF-8 at the top": (r"\ff", opening(size=1), p.NOENT),
    "nothing": ("", opening(), p.NOENT),
    "absolute": ("/data", opening(size=5), p.PERM),
    "out of the memory": ("", opening(size=16, path=FAR), p.FAULT),
    "far out of the memory": ("", opening(size=16, path=ALL), p.FAULT),
    "at the end of the memory": ("", f'(i32.store (i32.const {END - 4}) (i32.const 0x61746164))'
                                     + opening(size=4, path=END - 4), 0),
    "a status that is nowhere": ("srv", call("path_filestat_get", 3, 0, AT, 3, FAR), p.FAULT),
    "a directory that it does not know": ("file", opening(size=4) + opening(size=4, directory=4), p.BADF),
    "one that is not there": ("file", opening(size=4) + opening(size=4, directory=77), p.BADF),
    "a target far longer than links are": (
        "data/link", call("path_readlink", 3, AT, 9, 0, END, RESULT), 0
    ),
    "paths that overlap": (
        "data/file2", opening(0) + call("path_rename", 3, AT, 9, 3, AT, 10), 0
    ),
    "the root is closed": (
        "data/file", call("fd_close", 3) + opening(size=9), p.BADF
    ),
    "the root is closed twice": ("", call("fd_close", 3) + call("fd_close", 3), p.BADF),
    "what it does not know is closed": ("", opening() + call("fd_close", 4), p.BADF),
    "the root is renumbered": ("", call("fd_renumber", 3, 9), p.BADF),
    "something in its place": ("data/file", opening(size=9) + call("fd_renumber", 5, 3), p.BADF),
    "a directory of the tree in the place of another": (
        "srv/data2/file",
        opening(size=3) * 2 + call("fd_renumber", 5, 6) + opening(size=10, path=AT + 4, directory=6),
        0,
    ),
    "a directory of the tree that has another number": (
        "srv/data2/file",
        opening(size=3) * 2 + call("fd_renumber", 5, 6) + opening(size=10, path=AT + 4, directory=5),
        p.BADF,
    ),
    "it asks late": ("data/file", opening(size=9) + "(local.set $errno (call $ask (i32.const 3) (i32.const 16)))", 0),
    "it asks late for more": ("", opening() + "(local.set $errno (call $ask (i32.const 4) (i32.const 16)))", p.BADF),
    "it lists what is a file": ("data/file", opening(size=9) + call("fd_readdir", 5, 64, 64, 0, RESULT), p.NOTDIR),
    "it lists from afar": ("", call("fd_readdir", 3, 64, 64, 1 << 62, RESULT), 0),
    "it lists to nowhere": ("", call("fd_readdir", 3, ALL, 64, 0, RESULT), p.FAULT),
    "the status of the root": ("", call("fd_filestat_get", 3, 64), 0),
    "the status of what it does not know": ("", opening() + call("fd_filestat_get", 4, 64), p.BADF),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
def test_calls(tmp_path: Path, what: str) -> None:
    for folder in ("data", "data2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("content")
    (tmp_path / "data/link").symlink_to("file")
    preopens = tuple(
        Preopen(guest, Folder.at(tmp_path / folder), writable=True)
        for guest, folder in ((b"/data", "data"), (b"/srv/data2", "data2"))
    )
    data, body, errno = BODIES[what]
    linked = load(compiled(program(data, body)), linker(2))
    outcome = linked.guest(Limits(), preopens, lambda: NO_BINDINGS).run(INVOCATION)
    assert str(outcome) == f"exited with status {errno}"


def test_what_a_guest_sees_of_borrowed_memory(tmp_path: Path) -> None:
    """Nothing: its memory is what it was, but for the result."""
    (tmp_path / "file").touch()
    preopens = (Preopen(b"/data", Folder.at(tmp_path), writable=True),)
    body = (
        f"(memory.fill (i32.const 0) (i32.const 7) (i32.const {AT}))"
        + call("path_filestat_get", 3, 0, AT, 9, 0x2000)
        + "(loop $l (if (i32.ne (i32.load8_u (local.get $other)) (i32.const 7))"
        + "(then (local.set $errno (i32.const 99))))"
        + f"(br_if $l (i32.lt_u (local.tee $other (i32.add (local.get $other) (i32.const 1))) (i32.const {AT}))))"
    )
    linked = load(compiled(program("data/file", body)), linker(2))
    outcome = linked.guest(Limits(), preopens, lambda: NO_BINDINGS).run(INVOCATION)
    assert str(outcome) == "exited with status 0"
