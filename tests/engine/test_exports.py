"""What is called of a guest has the type that it is called with: looked at when it is compiled, and again when it
is linked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import SiteMaker
from engine.loading import compiled, linker, load
from wsgi_wasm.binary.writer import Item, Writer
from wsgi_wasm.errors import ModuleError

RUN, HANDLER = "wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0"

CORE = """(core module $m (memory (export "memory") 1) (func (export "f") {core}))
  (core instance $c (instantiate $m)) (alias core export $c "memory" (core memory $memory))"""


def exporting(definitions: str, interface: str = RUN) -> str:
    """A component that exports an instance `$i` as this interface."""
    return f'(component {definitions} (export "{interface}" (instance $i)))'


def function(core: str, kind: str, name: str = "run", interface: str = RUN) -> str:
    """One with a function of this type in it."""
    lifted = f'(func $f {kind} (canon lift (core func $c "f") (memory $memory)))'
    return exporting(f'{CORE.format(core=core)} {lifted} (instance $i (export "{name}" (func $f)))', interface)


I32 = "(result i32) i32.const 16"

WRONG_RUN = {
    "text": function(I32, "(result string)"),
    "number": function(I32, "(result u32)"),
    "list": function(I32, "(result (list u8))"),
    "nothing": function("", ""),
    "ok with a value": function(I32, "(result (result u8))"),
    "error with text": function(I32, "(result (result (error string)))"),
    "parameter": function("(param i32) (result i32) i32.const 0", '(param "a" u32) (result (result))'),
    "record type": exporting('(type $t (record (field "a" u32))) (instance $i (export "run" (type $t)))'),
    "resource": exporting('(type $t (resource (rep i32))) (instance $i (export "run" (type $t)))'),
    "instance": exporting('(instance $r) (instance $i (export "run" (instance $r)))'),
    "core module": exporting('(core module $r) (instance $i (export "run" (core module $r)))'),
    "component": exporting('(component $r) (instance $i (export "run" (component $r)))'),
    "another name": function(I32, "(result (result))", name="walk"),
    "empty": exporting("(instance $i)"),
}
WRONG_HANDLER = {
    "handle, nothing": function("", "", "handle", HANDLER),
    "handle, text": function(I32, "(result string)", "handle", HANDLER),
    "handle, type": exporting('(type $t (record (field "a" u32))) (instance $i (export "handle" (type $t)))', HANDLER),
    "handle, empty": exporting("(instance $i)", HANDLER),
}
# without a type that the export must have: Wasmtime refuses the first, and the others have nothing to look at
NOT_TO_BE_MADE = ("component", "another name", "empty")
OF_RUN = "its wasi:cli/run is not that of WASI 0.2, `run: func() -> result`"
OF_HANDLER = "its wasi:http/incoming-handler is not that of WASI 0.2"

START = '(module {} (memory (export "memory") 1) {})'
# The types of the GC proposal are not read before the module is compiled.
WRONG_START = {
    "sub": START.format("(type $t (sub (func (param i32))))", '(func (export "_start") (type $t))'),
    "rec": START.format("(rec (type $t (func (result i32))))", '(func (export "_start") (type $t) i32.const 0)'),
}
GC = {"features": ["gc"]}


@pytest.mark.parametrize("name", [*WRONG_RUN, *WRONG_HANDLER])
def test_a_component_with_another_type_is_refused_when_it_is_compiled(
    name: str, make_client: SiteMaker, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "x.wat").write_text({**WRONG_RUN, **WRONG_HANDLER}[name])
    client = make_client({"/": {"module": str(tmp_path / "x.wat")}}, cache_dir=str(tmp_path / "cache"))
    for _ in range(2):
        assert client.get("/").status_code == 503
    assert f"x.wat: {OF_RUN if name in WRONG_RUN else OF_HANDLER}" in caplog.text
    assert not list((tmp_path / "cache").glob("*.cwasm"))


@pytest.mark.parametrize("name", [name for name in WRONG_RUN if name not in NOT_TO_BE_MADE])
def test_an_artefact_with_another_type_is_refused_when_it_is_linked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a version that did not look."""
    export = Writer.export
    monkeypatch.setattr(Writer, "export", lambda self, called, item, _kind: export(self, called, item))
    one = compiled(WRONG_RUN[name])
    with pytest.raises(ModuleError, match="its wasi:cli/run"):
        load(one, linker(2))


def test_the_right_type_is_taken() -> None:
    load(compiled(function("(result i32) i32.const 0", "(result (result))")), linker(2))


@pytest.mark.parametrize("name", WRONG_START)
def test_a_program_with_types_of_gc(name: str, make_client: SiteMaker, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(WRONG_START[name])
    client = make_client({"/": {"module": str(tmp_path / "x.wat")}}, engine=GC, cache_dir=str(tmp_path / "cache"))
    assert client.get("/").status_code == 503
    notes = [json.loads(note.read_text()) for note in (tmp_path / "cache").glob("*.json")]
    assert all(
        note["facts"]["start_signature"] in ("(1 parameters) -> (0 results)", "(0 parameters) -> (1 results)")
        for note in notes
    )


def test_a_program_with_the_right_type_of_gc(make_client: SiteMaker, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(START.format("(type $t (sub (func)))", '(func (export "_start") (type $t))'))
    assert make_client({"/": {"module": str(tmp_path / "x.wat")}}, engine=GC).get("/").status_code == 502


def test_an_export_with_a_type() -> None:
    writer = Writer()
    writer.export("a", Item(5, 0))
    writer.export("b", Item(5, 1), Item(3, 0))
    assert writer.whole().endswith(b"\1\0\1a\5\0\0\x0b\x09\1\0\1b\5\1\1\5\0")
