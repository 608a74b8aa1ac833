"""`wsgi-wasm exec`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guests.build import guest

from .conftest import Command

Site = Callable[[str], Path]


@pytest.fixture
def programs(site: Site, tmp_path: Path) -> Path:
    modules = {name: guest(name) for name in ("args", "env", "exit", "loop", "echo")}
    routes = "".join(f"  /{name}: {{module: {path}, env: {{A: b}}}}\n" for name, path in modules.items())
    return site(f"routes:\n{routes}  /limited: {{module: {modules['loop']}, cpu: 100ms}}\n")


def test_arguments_are_the_programs_own(programs: Path, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("exec", "site.yaml", "/args", "-update", "--host", "x y")
    assert done.status == 0, done.err
    for argument in ("-update", "--host", "x y"):
        assert argument in done.text


def test_no_variables_of_a_request(programs: Path, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("exec", "site.yaml", "/env")
    assert "A=b" in done.text.split()
    for name in ("GATEWAY_INTERFACE", "REQUEST_METHOD", "QUERY_STRING", "HTTP_HOST", "SERVER_PROTOCOL"):
        assert name not in done.text


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["site.yaml", "/no/such"], 1, "no route matches /no/such"),
        (["site.yaml", "args"], 2, "does not start with a slash"),
        (["site.yaml", "/limited"], 1, "exceeded its cpu time"),
        (["--timeout", "50ms", "site.yaml", "/loop"], 1, "exceeded its"),
        (["--timeout", "long", "site.yaml", "/loop"], 2, "--timeout"),
        (["missing.yaml", "/"], 1, "missing.yaml"),
    ],
)
def test_what_goes_wrong(arguments: list[str], status: int, words: str, programs: Path, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("exec", *arguments)
    assert done.status == status, done.err
    assert words in done.err


def test_standard_input_and_exit_status(programs: Path, wsgi_wasm: Command, tmp_path: Path) -> None:
    done = wsgi_wasm("exec", "site.yaml", "/echo", stdin=b"a\0b")
    assert done.out.endswith(b"- 3\na\0b")
    (tmp_path / "status.wat").write_text(
        '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
        ' (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 255))))'
    )
    assert wsgi_wasm("exec", "status.wat", "/").status == 255
