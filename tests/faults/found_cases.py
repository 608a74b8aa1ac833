"""What attacks on the gateway found, as requests to guests: each once ended the process, took it for minutes, or passed
a limit."""

from __future__ import annotations

from hostapi.programs import program
from hostapi.statements import SLOW
from wsgi_wasm.hostapi import sqlite

from .guest_files import DROPPED, LEAKED
from .modules import component_exporting
from .site import SHORT, Case

LIMITS = {"timeout": "700ms", "sqlite": ["default"]}
STATEMENTS = ("glob", "like", "trim", "replace", "printf", "upper")


def executing(sql: str) -> str:
    """A component that executes one statement and prints `done`."""
    code = f"""(call $open (i32.const 1024) (i32.const 7) (i32.const 256))
      (call $execute (i32.load (i32.const 260)) (i32.const 1100) (i32.const {len(sql)}) (i32.const 0) (i32.const 0)
        (i32.const 256))
      (call $say (i32.const 1040) (i32.const 4))"""
    return program(sqlite.SPIN, {1024: "default", 1040: "done", 1100: sql}, code)


WRITES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1900)
  (func (export "_start") (local $at i32)
    (loop $next
      (i32.store (local.get $at) (i32.const 65536))
      (i32.store offset=4 (local.get $at) (i32.const 120000000))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 8192))))
    (loop $again
      (drop (call $write (i32.const DESCRIPTOR) (i32.const 0) (i32.const 1024) (i32.const 16384)))
      (br $again))))"""

TABLE = '(module (memory (export "memory") 1) (table SIZE funcref) (func (export "_start")))'
RUN = '(core module $m (func (export "run") SIGNATURE BODY)) (core instance $c (instantiate $m))'
NO_RUN = {
    "a-type": '(type $t (record (field "a" u32))) (instance $r (export "run" (type $t)))',
    "an-instance": '(instance $i) (instance $r (export "run" (instance $i)))',
    "nothing": "(instance $r)",
    "with-a-parameter": RUN.replace("SIGNATURE", "(param i32) (result i32)").replace("BODY", "(i32.const 0)")
    + '(func $run (param "a" u32) (result (result)) (canon lift (core func $c "run")))'
    + '(instance $r (export "run" (func $run)))',
    "without-a-result": RUN.replace("SIGNATURE", "").replace("BODY", "")
    + '(func $run (canon lift (core func $c "run"))) (instance $r (export "run" (func $run)))',
    "that-returns-text": '(core module $m (memory (export "memory") 1600) (func (export "run") (result i32)'
    " (i32.store (i32.const 16) (i32.const 65536)) (i32.store (i32.const 20) (i32.const 100000000)) (i32.const 16)))"
    '(core instance $c (instantiate $m)) (alias core export $c "memory" (core memory $memory))'
    '(func $run (result string) (canon lift (core func $c "run") (memory $memory)))'
    '(instance $r (export "run" (func $run)))',
}
FORGED = '(module (import "a\\0aFORGED one\\1b[31m" "b\\0aFORGED two" (func)) (func (export "_start")))'
NAMED = '(module (memory (export "memory") 1) (func $inner unreachable) (func $outer (export "_start") (call $inner)))'

FOUND_CASES: list[Case] = [
    *(
        Case(row="F3", name=f"sql-{name}", text=executing(SLOW[name]), keys=LIMITS, status=(200, 502, 504))
        for name in STATEMENTS
    ),
    *(
        Case(row="F5", name=f"writes-to-{name}", text=WRITES.replace("DESCRIPTOR", number),
             keys={**SHORT, "memory": "128MiB"}, status=(502, 504))
        for name, number in {"standard-error": "2", "standard-output": "1", "a-closed-one": "9"}.items()
    ),
    *(
        Case(row="F9", name=f"table-of-{size}", text=TABLE.replace("SIZE", size), status=status, log=log)
        for size, status, log in (
            ("100000", 502, "the guest wrote nothing"),
            ("100001", 503, "table"),
            ("4294967295", 503, "table"),
        )
    ),
    *(
        Case(row="F10", name=f"run-is-{name}", text=component_exporting(text), status=503, log=f"F10-run-is-{name}.wat")
        for name, text in NO_RUN.items()
    ),
    *(
        Case(row="F13", name=name, guest="emit", target=f"?case={name}",
             keys={"dirs": {"/heads": "heads"}, "env": {"CORPUS": "/heads"}}, body="body", absent=LEAKED)
        for name in DROPPED
    ),
    Case(row="F11", name="import-names", text=FORGED, status=503, log="FORGED one"),
    Case(row="F14", name="names-of-functions", text=NAMED, status=502,
         log="unreachable instruction in inner, called from outer"),
]  # fmt: skip
