"""What to do about a module that Wasmtime refuses: said wherever the refusal is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import SiteMaker
from wsgi_wasm.engine.code.advice import NEEDS, NEVER, with_advice
from wsgi_wasm.engine.code.compiler import compile_source
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.program.preview1 import PREVIEW1
from wsgi_wasm.errors import ModuleError

from .conftest import Command
from .programs import importing

SiteWriter = Callable[[str], Path]


def program(body: str, fields: str = "") -> str:
    return f'(module {fields} (func (export "_start") {body}))'


def component(definitions: str) -> str:
    """A program as a component, with more definitions in it."""
    return f"""(component
      (core module $m (func (export "run") (result i32) i32.const 0))
      (core instance $i (instantiate $m))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $r (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $r))
      {definitions})"""


# By feature: modules that need it.
WITH_FEATURE = {
    "exceptions": {
        "tag": program("(if (i32.const 0) (then (throw $t)))", "(tag $t)"),
        "try": program("(block $h (try_table (catch_all $h)))"),
        "exnref": program("(local exnref)"),
        "tag-in-component": component("(core module (tag))"),
    },
    "gc": {
        "struct": program("(drop (struct.new $s (i32.const 1)))", "(type $s (struct (field i32)))"),
        "i31": program("(drop (ref.i31 (i32.const 1)))"),
        "anyref": program("(local anyref)"),
        "recursion": program("", "(rec (type (func)) (type (func)))"),
        "subtype": program("", "(type (sub (func)))"),
        "typed-reference": program("(local (ref null $f))", "(type $f (func))"),
        "call-ref": program(
            "(call_ref $f (ref.func $g))", "(type $f (func)) (func $g (type $f)) (elem declare func $g)"
        ),
    },
    "memory64": {
        "memory": program("", '(memory (export "memory") i64 1)'),
        "table": program("", "(table i64 1 funcref)"),
    },
    "relaxed_simd": {"conversion": program("(drop (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0)))")},
}

# By what is said: modules that no feature helps.
NOT_OFFERED = {
    "legacy exceptions; build with the standard ones": program("try nop catch_all nop end"),
    "threads; build without them": program("", "(memory 1 2 shared)"),
    "threads; ": program("atomic.fence", "(memory 1)"),
    "more than one memory": program("", "(memory 1) (memory 1)"),
    "custom page sizes": program("", "(memory 1 (pagesize 1))"),
    "wide arithmetic": program("(i64.mul_wide_s (i64.const 0) (i64.const 0)) drop drop"),
    "memory control": program("(memory.discard (i32.const 0) (i32.const 65536))", "(memory 1)"),
    "stack switching": program("", "(type $f (func)) (type (cont $f))"),
    "shared-everything threads": program("", "(global (shared i32) (i32.const 0))"),
    "asynchronous functions, streams and futures of WASI 0.3": component("(type (stream u8))"),
    "error contexts of WASI 0.3": component("(core func (canon error-context.drop))"),
    "lists of fixed length": component("(type (list u8 4))"),
    "maps in a component": component("(type (map string u32))"),
}

ADVICE = {
    **{
        f"{feature}-{name}": (
            text,
            f"needs the feature '{feature}', which is disabled: set `engine: {{features: [{feature}]}}` (",
        )
        for feature, modules in WITH_FEATURE.items()
        for name, text in modules.items()
    },
    **{
        f"never-{number}": (text, f"needs a feature that is not supported: {said}")
        for number, (said, text) in enumerate(NOT_OFFERED.items())
    },
}


FEATURE_OF = {f"{feature}-{name}": feature for feature, modules in WITH_FEATURE.items() for name in modules}


def in_words_of_wasmtime(text: str, features: frozenset[str]) -> str:
    """What it says when it compiles a module; empty where it does."""
    try:
        compile_source(ModuleSource(Path("x.wat")), features, lambda path: text.encode())
    except ModuleError as error:
        return str(error)
    return ""


def test_every_row_is_what_wasmtime_says() -> None:
    """Words that have changed would give no advice, and nobody would notice."""
    said = [in_words_of_wasmtime(text, frozenset()) for text, _ in ADVICE.values()]
    assert not [words for words, _ in (*NEEDS, *NEVER) if not any(words in text for text in said)]
    for text, (_, advice) in zip(said, ADVICE.values(), strict=True):
        assert with_advice(text, ()).startswith(advice)
        assert with_advice(text, ()).endswith(f" ({text})"), "its own words are kept"


@pytest.mark.parametrize("name", FEATURE_OF)
def test_the_feature_that_is_named_helps(name: str) -> None:
    assert not in_words_of_wasmtime(ADVICE[name][0], frozenset({FEATURE_OF[name]}))


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("type mismatch: expected i32, found i64", ()),
        ("exceptions proposal not enabled (at offset 0x14)", ("exceptions",)),
        ("unknown operator --> <anon>:1:34 | 1 | (i32.frob) ;; multiple memories", ()),
    ],
)
def test_other_words_are_left_alone(text: str, features: tuple[str, ...]) -> None:
    assert with_advice(text, features) == text


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """A directory with all these modules."""
    folder = tmp_path / "refused"
    folder.mkdir()
    for name, (text, _) in ADVICE.items():
        (folder / f"{name}.wat").write_text(text)
    return folder


def test_check_and_compile_say_it(wsgi_wasm: Command, refused: Path) -> None:
    checked = wsgi_wasm("check", refused.name, "--json")
    assert checked.status == 1
    errors = json.loads(checked.out)["routes"][0]["errors"]
    compiled = wsgi_wasm("compile", refused.name)
    assert compiled.status == 1
    for name, (_, advice) in ADVICE.items():
        assert any(error.startswith(f"{name}.wat: {advice}") for error in errors), name
        assert f"{refused.name}/{name}.wat: failed: {advice}" in compiled.text, name


def test_the_log_of_a_server_says_it(make_client: SiteMaker, refused: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/": {"directory": str(refused), "queue_timeout": "1h"}})
    for name, (_, advice) in ADVICE.items():
        caplog.clear()
        assert client.get(f"/{name}.wat").status_code == 503
        of_engine, of_request = (record.getMessage() for record in caplog.records)
        assert of_engine.startswith(f"{refused}/{name}.wat: {advice}")
        assert f"503: {refused}/{name}.wat: {advice}" in of_request


@pytest.mark.parametrize("name", ["exceptions-tag", "gc-i31", "memory64-table", "never-1", "never-9"])
def test_run_says_it(name: str, wsgi_wasm: Command, refused: Path) -> None:
    done = wsgi_wasm("run", f"{refused.name}/{name}.wat", "--fail")
    assert done.status == 1
    assert f"{name}.wat: {ADVICE[name][1]}" in done.err


UNSUITABLE = {
    # what is refused when it is linked, and when it is loaded
    "imports": (
        importing("fd_sing", "fd_write", "fd_dance"),
        f"has unsupported imports: {PREVIEW1}.fd_dance, {PREVIEW1}.fd_sing",
    ),
    "table": (program("", "(table 100001 funcref)"), "cannot be loaded: "),
}


@pytest.mark.parametrize("name", UNSUITABLE)
@pytest.mark.parametrize("cached", [True, False])
def test_what_is_refused_after_it_was_compiled(name: str, cached: bool, wsgi_wasm: Command, tmp_path: Path) -> None:
    text, said = UNSUITABLE[name]
    (tmp_path / "x.wat").write_text(text)
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    if not cached:
        cache.chmod(0o777)  # not trusted: each process compiles for itself
    for command in ("check", "run"):
        done = wsgi_wasm(command, "x.wat", cache=cache)
        assert said in done.text + done.err
        assert "changed while it was compiled" not in done.text + done.err


def test_too_little_memory(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "program.wat").write_text(program("", '(memory (export "memory") 40)'))
    (tmp_path / "component.wat").write_text(component("(core module (memory 40)) (core instance (instantiate 1))"))
    site(
        """
        defaults: {memory: 1MiB}
        routes: {/program: {module: program.wat}, /component: {module: component.wat}}
        """
    )
    advice = "starts with 2560 KiB of memory, but `memory` allows only 1024 KiB: set `memory: 3MiB` or more"
    assert wsgi_wasm("check", "site.yaml").text.count(advice) == 2
    for route in ("/program", "/component"):
        assert advice in wsgi_wasm("run", "site.yaml", route).err
