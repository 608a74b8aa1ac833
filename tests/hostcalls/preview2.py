"""Components that call Wasmtime's own functions of WASI 0.2 without end, with as much as one call takes.

`python -m hostcalls.preview2` runs all of them in one process, and prints for each what became of it, as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from guests.wasi import output_streams
from hostcalls.preview1 import TIMEOUT, outcome
from wsgi_wasm import create_app

BIG, SIZE, MANY = 1 << 20, 100_000_000, 1 << 20


class Row(NamedTuple):
    name: str
    code: str
    statuses: tuple[int, ...]
    """Which of them depends on the machine: whether the clock or another limit comes first."""
    forever: bool = True
    length: int | None = None


def _write(stream: str) -> str:
    return f"(call $write (global.get ${stream}) (i32.const {BIG}) (i32.const {SIZE}) (i32.const 64))"


HEAD = "(call $write (global.get $stdout) (i32.const 256) (i32.const 13) (i32.const 64))"

ROWS = (
    Row("write to stdout", _write("stdout"), (502, 504)),
    Row("write to stderr", _write("stderr"), (504,)),
    Row("get-random-bytes", "(call $random (i64.const 67108864) (i32.const 64))", (504,)),
    Row("get-random-bytes, more than that", "(call $random (i64.const -1) (i32.const 64))", (502,)),
    Row("poll, many", f"(call $poll (i32.const {BIG}) (i32.const {MANY}) (i32.const 64))", (502, 504)),
    Row("poll, few", f"(call $poll (i32.const {BIG}) (i32.const 4096) (i32.const 64))", (504,)),
    Row("an answer in one write", HEAD + _write("stdout"), (200,), forever=False, length=SIZE),
)

TEXT = (
    f"(component {output_streams('write', 'stdout', 'stderr')}"
    + """
 (import "wasi:io/poll@0.2.0" (instance $polls
  (export "pollable" (type $p (sub resource))) (type $ps (list (borrow $p))) (type $ns (list u32))
  (export "poll" (func (param "in" $ps) (result $ns)))))
 (alias export $polls "pollable" (type $pollable))
 (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
  (alias outer 1 $pollable (type $o)) (export "pollable" (type $p (eq $o)))
  (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
 (import "wasi:random/random@0.2.0" (instance $random
  (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
 (core module $mem (memory (export "memory") 1600)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const BIG)))
 (core instance $m (instantiate $mem))
 (alias core export $m "memory" (core memory $memory)) (alias core export $m "realloc" (core func $realloc))
 (core func $get-stdout (canon lower (func $stdout "get-stdout")))
 (core func $get-stderr (canon lower (func $stderr "get-stderr")))
 (core func $timer (canon lower (func $clock "subscribe-duration")))
 (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $memory)))
 (core func $poll (canon lower (func $polls "poll") (memory $memory) (realloc $realloc)))
 (core func $bytes (canon lower (func $random "get-random-bytes") (memory $memory) (realloc $realloc)))
 (core module $code
  (import "m" "memory" (memory 1600))
  (import "f" "stdout" (func $get-stdout (result i32))) (import "f" "stderr" (func $get-stderr (result i32)))
  (import "f" "timer" (func $timer (param i64) (result i32)))
  (import "f" "write" (func $write (param i32 i32 i32 i32)))
  (import "f" "poll" (func $poll (param i32 i32 i32))) (import "f" "random" (func $random (param i64 i32)))
  (global $stdout (mut i32) (i32.const 0)) (global $stderr (mut i32) (i32.const 0))
  (data (i32.const 256) "Status: 200\\n\\n")
  (func (export "run") (result i32) (local $i i32) (local $timer i32)
   (global.set $stdout (call $get-stdout)) (global.set $stderr (call $get-stderr))
   (memory.fill (i32.const BIG) (i32.const 10) (i32.const SIZE))
   (local.set $timer (call $timer (i64.const 3600000000000)))
   (loop $timers
    (i32.store (i32.add (i32.const BIG) (i32.shl (local.get $i) (i32.const 2))) (local.get $timer))
    (br_if $timers (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const MANY))))
   (loop $again CODE)
   (i32.const 0)))
 (core instance $fs (export "stdout" (func $get-stdout)) (export "stderr" (func $get-stderr))
  (export "write" (func $write)) (export "timer" (func $timer)) (export "poll" (func $poll))
  (export "random" (func $bytes)))
 (core instance $c (instantiate $code (with "f" (instance $fs)) (with "m" (instance $m))))
 (func $run (result (result)) (canon lift (core func $c "run")))
 (instance $command (export "run" (func $run)))
 (export "wasi:cli/run@0.2.0" (instance $command)))"""
)


def outcomes(folder: Path) -> Iterator[dict[str, Any]]:
    """What became of each row: its status, seconds, MiB by which the process grew, and the answer's length."""
    routes = {}
    for i, row in enumerate(ROWS):
        code = row.code + " (br $again)" * row.forever
        text = TEXT.replace("CODE", code).replace("BIG", str(BIG)).replace("SIZE", str(SIZE)).replace("MANY", str(MANY))
        (folder / f"{i}.wat").write_text(text)
        limits = {"timeout": f"{int(TIMEOUT * 1000)}ms", "cpu": f"{int(TIMEOUT * 1000)}ms"} if row.forever else {}
        routes[f"/{i}"] = {"module": f"{i}.wat", "max_output": "200MiB", **limits}
    (folder / "site.yaml").write_text(yaml.safe_dump({"routes": routes}))
    application = create_app(folder / "site.yaml")
    for i in range(len(ROWS)):
        while (found := outcome(application, f"/{i}"))["status"] == 503:  # it is being compiled
            time.sleep(0.1)
        yield found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        json.dump(list(outcomes(Path(folder))), sys.stdout)


if __name__ == "__main__":
    main()
