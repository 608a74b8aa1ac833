"""A trap in the log names the functions that it passed through, where the module has their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import SiteMaker

DIVIDE = """(func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func $handle (result i32) (call $divide (i32.const 0)))"""
PROGRAM = f'(module {DIVIDE} (func $main (export "_start") (drop (call $handle))))'
COMPONENT = f"""(component
  (core module $m {DIVIDE} (func $main (export "run") (result i32) (call $handle)))
  (core instance $c (instantiate $m))
  (func $f (result (result)) (canon lift (core func $c "run")))
  (instance $i (export "run" (func $f)))
  (export "wasi:cli/run@0.2.0" (instance $i)))"""

DEEP = "".join(f"(func $f{n} (call $f{n + 1}))" for n in range(11)) + "(func $f11 unreachable)"

# the module, and the end of the line in the log
TRAPS = {
    "names": (PROGRAM, "trapped: integer division by zero in divide, called from handle, main"),
    "names in a component": (COMPONENT, "trapped: integer division by zero in divide, called from handle, main"),
    "one function": (
        '(module (func $main (export "_start") unreachable))',
        "trapped: unreachable instruction in main",
    ),
    "no names": (
        '(module (func unreachable) (func (export "_start") (call 0)))',
        "trapped: unreachable instruction in function 0 at 0x23, called from function 1 at 0x28",
    ),
    "many functions": (
        f'(module (func $main (export "_start") (call $f0)) {DEEP})',
        "in f11, called from f10, f9, f8, f7, f6, f5, f4 and 5 more",
    ),
    "recursion": (
        '(module (func $main (export "_start") (call $main)))',
        "trapped: stack overflow in main, called from main, main, main, main, main, main, main and 12 more",
    ),
    "names that forge lines": (
        '(module (func $main (export "_start") (call $x))'
        ' (func $x (@name "a\\0a503: b\\1b[31m\\e2\\80\\ae") unreachable))',
        r"in a\x0a503: b\x1b[31m\u202e, called from main",
    ),
    "a name without an end": (
        f'(module (func $main (export "_start") (call $x)) (func $x (@name "{"x" * 5000}") unreachable))',
        f"in {'x' * 97}..., called from main",
    ),
    "a start function": (
        '(module (func $begin unreachable) (start $begin) (func (export "_start")))',
        "trapped: unreachable instruction in begin",
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_the_log_names_functions(
    name: str, make_client: SiteMaker, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    text, words = TRAPS[name]
    (tmp_path / "x.wat").write_text(text)
    assert make_client({"/": {"module": str(tmp_path / "x.wat")}}).get("/").status_code == 502
    lines = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert [line for line in lines if line.endswith(words)], lines
    assert all(line.isprintable() for line in lines)
