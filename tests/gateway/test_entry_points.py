"""Which function of a module a run calls, and what `argv` makes of a request: programs print what ran."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from conftest import SiteMaker

# Each function prints its letter; the head is printed by whichever comes first.
PRINTING = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "Content-Type: text/plain\\n\\n")
  (data (i32.const 64) "abcdefgh")
  (global $begun (mut i32) (i32.const 0))
  (func $put (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $print (param $letter i32)
    (if (i32.eqz (global.get $begun))
      (then (global.set $begun (i32.const 1)) (call $put (i32.const 32) (i32.const 26))))
    (call $put (i32.add (i32.const 64) (local.get $letter)) (i32.const 1)))
  (func $a (call $print (i32.const 0)))
  (func $b (call $print (i32.const 1)))
  (func $c (call $print (i32.const 2)))
  (func $d (call $print (i32.const 3)))
  (func $wide (param i32 i32) (result i32) (local.get 0))
  PARTS)"""

START = '(export "_start" (func $a))'
UNNAMED = '(export "" (func $b))'
INITIALIZE = '(export "_initialize" (func $c))'
OTHER = '(export "other" (func $d))'
SECTION = "(start $b)"
WIDE = '(export "main" (func $wide))'

RUNS = [
    ("a program", START, None, "a"),
    ("a program with a start section", START + SECTION, None, "ba"),
    ("an export without a name", UNNAMED, None, "b"),
    ("an export without a name goes first", START + UNNAMED, None, "b"),
    ("a library that is initialized", INITIALIZE + WIDE, None, "c"),
    ("a start section alone", SECTION, None, "b"),
    ("a start section of a library", SECTION + INITIALIZE, None, "bc"),
    ("a library with an export without a name", INITIALIZE + UNNAMED, None, "cb"),
    ("an entry point", OTHER, "other", "d"),
    ("an entry point beside a start", START + OTHER, "other", "d"),
    ("an entry point of a library", INITIALIZE + OTHER, "other", "cd"),
    ("an entry point that initializes", INITIALIZE + OTHER, "_initialize", "c"),
    ("an entry point without a name", START + UNNAMED, "", "b"),
    ("a program with _initialize", START + INITIALIZE, None, "a"),
]


def route(tmp_path: Path, parts: str, entry_point: str | None, **keys: object) -> dict[str, Any]:
    (tmp_path / "x.wat").write_text(PRINTING.replace("PARTS", parts))
    return {"/x": {"module": str(tmp_path / "x.wat"), "entry_point": entry_point, **keys}}


@pytest.mark.parametrize(("parts", "entry_point", "printed"), [row[1:] for row in RUNS], ids=[row[0] for row in RUNS])
def test_what_runs(make_client: SiteMaker, tmp_path: Path, parts: str, entry_point: str | None, printed: str) -> None:
    client = make_client(route(tmp_path, parts, entry_point))
    for _ in range(2):
        response = client.get("/x")
        assert (response.status_code, response.text) == (200, printed)


REFUSED = [
    ("no function", OTHER, None, "exports no _start"),
    ("what could be called", OTHER, None, "name what to call in `entry_point`: other"),
    ("a library of functions with parameters", WIDE, None, "exports no _start"),
    ("a name that is not there", START + OTHER, "othr", "exports no function 'othr'"),
    ("a suggestion", START + OTHER, "othr", "did you mean 'other'?"),
    ("parameters", START + WIDE, "main", "exports no function 'main' that takes and returns nothing"),
    ("a memory", START, "memory", "exports no function 'memory'"),
    ("an initialize with parameters", '(export "_initialize" (func $wide))' + OTHER, "other", "'_initialize' must be"),
    ("an unnamed memory", '(export "" (memory 0))' + START, None, "'' must be a function"),
]


@pytest.mark.parametrize(
    ("parts", "entry_point", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_refused(
    make_client: SiteMaker,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    parts: str,
    entry_point: str | None,
    words: str,
) -> None:
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        assert make_client(route(tmp_path, parts, entry_point)).get("/x").status_code == 503
    assert words in caplog.text


def test_limits_hold_in_every_call(make_client: SiteMaker, tmp_path: Path) -> None:
    """A loop in `_initialize` and one in the start section end as one in `_start` does."""
    for parts in (
        '(func $e (loop $l (br $l))) (export "_initialize" (func $e))',
        "(func $e (loop $l (br $l))) (start $e)",
    ):
        client = make_client(route(tmp_path, parts, None, timeout="200ms"))
        assert client.get("/x").status_code == 504


def test_a_component_has_no_entry_point(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    hello = Path(__file__).parents[2] / "benchmarks" / "guests" / "hello_http.wat"
    assert make_client({"/x": {"module": str(hello), "entry_point": "run"}}).get("/x").status_code == 503
    assert "has no `entry_point`" in caplog.text


# template, target: arguments
ARGV = [
    ("${SCRIPT_NAME} ${ARGS}", "/x/a%20b?p=1&q", ["/x/a%20b", "p=1", "q"]),
    ("${SCRIPT_NAME} ${ARGS}", "/x", ["/x"]),
    ("tool  --verbose ${ARGS}", "/x?-d&a+b%20c", ["tool", "--verbose", "-d", "a+b%20c"]),
    ("${ARGS}${SCRIPT_NAME}", "/x?q=", ["q=/x"]),
    ("größe ${OTHER}", "/x?${SCRIPT_NAME}", ["größe", "${OTHER}"]),
    ("${ARGS}", "/x?${SCRIPT_NAME}", ["${SCRIPT_NAME}"]),
    ("", "/x", []),
]


@pytest.mark.parametrize(("template", "target", "arguments"), ARGV)
def test_argv(make_client: SiteMaker, template: str, target: str, arguments: list[str]) -> None:
    client = make_client({"/x": {"module": "args", "argv": template.replace("${", "$${"), "query_args": True}})
    path, _, query = target.partition("?")
    lines = client.get(path, query_string=query).text.splitlines()
    assert lines == [str(len(arguments)), *(f"[{argument}]" for argument in arguments)]
