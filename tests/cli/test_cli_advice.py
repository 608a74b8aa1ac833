"""What to do about a module that Wasmtime refuses: said wherever the refusal is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import SiteMaker
from guests.build import guest
from wsgi_wasm.engine.code.advice import NEEDS, NEVER, with_advice
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.compiling import compile_source
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
            f"needs the feature '{feature}', which is disabled: set `engine: {{features: [{feature}]}}`, or",
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
    checked = wsgi_wasm("check", refused.name, "--json", "--features", "")
    assert checked.status == 1
    errors = json.loads(checked.out)["routes"][0]["errors"]
    compiled = wsgi_wasm("compile", refused.name, "--features", "")
    assert compiled.status == 1
    for name, (_, advice) in ADVICE.items():
        assert any(error.startswith(f"{name}.wat: {advice}") for error in errors), name
        assert f"{refused.name}/{name}.wat: failed: {advice}" in compiled.text, name


def test_the_log_of_a_server_says_it(make_client: SiteMaker, refused: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/": {"directory": str(refused), "queue_timeout": "1h"}}, engine={"features": []})
    for name, (_, advice) in ADVICE.items():
        caplog.clear()
        assert client.get(f"/{name}.wat").status_code == 503
        of_engine, of_request = (record.getMessage() for record in caplog.records)
        assert of_engine.startswith(f"{refused}/{name}.wat: {advice}")
        assert f"503: {refused}/{name}.wat: {advice}" in of_request


@pytest.mark.parametrize("name", ["exceptions-tag", "gc-i31", "memory64-table", "never-1", "never-9"])
def test_run_says_it(name: str, wsgi_wasm: Command, refused: Path) -> None:
    done = wsgi_wasm("run", f"{refused.name}/{name}.wat", "--fail", "--features", "")
    assert done.status == 1
    assert f"{name}.wat: {ADVICE[name][1]}" in done.err


# Files that people give for modules, and what is said of them; tests/binary/test_foreign.py has all kinds.
FOREIGN = {
    "empty.wasm": (b"", "is empty: build or copy it again"),
    "program.wasm": (b"\x7fELF\2\1\1", "is not WebAssembly but a program for Linux (ELF): compile its source"),
    "shop.pl": (b"#!/usr/bin/perl\n", "is not WebAssembly but a script in Perl: a directory route runs scripts by"),
    "hello.c": (b"int main(void) {}\n", "is not WebAssembly but source code in C: compile it with `wsgi-wasm build "),
    "page.wat": (b"<!doctype html>", "is not WebAssembly but a page of HTML"),
    "glue.js": (b"var Module = {};", "is not WebAssembly but the JavaScript that Emscripten writes beside a module"),
    "folder": (None, "is a directory: use `directory` in place of `module`"),
}


@pytest.fixture
def foreign(tmp_path: Path, site: SiteWriter) -> Path:
    """A site that has a route for each of them."""
    for name, (data, _) in FOREIGN.items():
        if data is None:
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(data)
    return site(f"routes: {{{', '.join(f'/{name}: {{module: {name}}}' for name in FOREIGN)}}}")


@pytest.mark.parametrize("option", ["--json", "--no-compile"])
def test_check_names_what_is_no_module(option: str, wsgi_wasm: Command, foreign: Path) -> None:
    done = wsgi_wasm("check", foreign.name, "--json", option)
    assert done.status == 1
    errors = {route["name"]: route["errors"] for route in json.loads(done.out)["routes"]}
    for name, (_, expected) in FOREIGN.items():
        assert len(errors[f"/{name}"]) == 1
        assert errors[f"/{name}"][0].startswith(f"{name}: {expected}")


def test_compile_and_run_name_what_is_no_module(wsgi_wasm: Command, foreign: Path) -> None:
    done = wsgi_wasm("compile", foreign.name)
    assert done.status == 1
    for name, (_, expected) in FOREIGN.items():
        assert f"{name}: failed: {expected}" in done.text
        assert f"{name}: {expected}" in wsgi_wasm("run", foreign.name, f"/{name}").err


def test_the_log_of_a_server_names_what_is_no_module(
    make_client: SiteMaker, foreign: Path, caplog: pytest.LogCaptureFixture
) -> None:
    modules = {f"/{name}": {"module": str(foreign.with_name(name)), "queue_timeout": "1h"} for name in FOREIGN}
    client = make_client(modules)
    for name, (_, expected) in FOREIGN.items():
        caplog.clear()
        assert client.get(f"/{name}").status_code == 503
        assert f"503: {foreign.with_name(name)}: {expected}" in caplog.text


@pytest.mark.parametrize("command", ["check", "compile", "run", "serve"])
def test_what_is_no_file_for_a_command(command: str, wsgi_wasm: Command, foreign: Path, tmp_path: Path) -> None:
    for name in ("shop.pl", "hello.c", "glue.js"):
        expected = FOREIGN[name][1].replace("is not WebAssembly", "is neither a module nor a configuration")
        done = wsgi_wasm(command, name)
        assert done.status == 1
        assert done.err.startswith(f"{name}: {expected}")
    (tmp_path / "site.conf").write_text("routes: {}\nroutse: {}\n")
    assert wsgi_wasm(command, "site.conf").err == "site.conf:2:1: unknown key 'routse'; did you mean 'routes'?\n"


def test_a_module_by_its_content(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "counter.cgi").write_bytes(guest("echo").read_bytes())
    assert wsgi_wasm("check", "counter.cgi").status == 0
    assert wsgi_wasm("run", "counter.cgi", "--fail").status == 0


def instances(count: int, definitions: str) -> str:
    """A component that instantiates a core module with these definitions so many times."""
    return component(f"(core module $x {definitions})" + "(core instance (instantiate $x))" * count)


MANY_TABLES = "(table 1 funcref)" * 100
STATE = "bytes of Wasmtime's own for each instance (functions, globals, imports); at most 4194304 are allowed"

UNSUITABLE = {
    "imports": (
        importing("fd_sing", "fd_write", "fd_dance"),
        f"has unsupported imports: {PREVIEW1}.fd_dance, {PREVIEW1}.fd_sing",
    ),
    # What no pool has room for, in programs and in components.
    "elements": (program("", "(table 100001 funcref)"), "has a table of 100001 elements; at most 100000 are allowed"),
    "elements-behind-values": (
        program("", "(table 9 funcref (ref.null func)) (table 100002 funcref)"),
        "has a table of 100002 elements; at most 100000 are allowed",
    ),
    "tables": (program("", "(table 1 funcref)" * 5), "has 5 tables; at most 4 are allowed"),
    "globals": (program("", "(global i64 (i64.const 0))" * 270_000), STATE),
    "c-elements": (
        instances(1, "(table 100001 100009 funcref)"),
        "has a table of 100001 elements; at most 100000 are allowed",
    ),
    "c-tables": (instances(3, MANY_TABLES), "tables; at most 256 are allowed"),
    "c-memories": (instances(40, "(memory 0)"), "memories; at most 32 are allowed"),
    "c-core-instances": (instances(1200, ""), "core instances; at most 1000 are allowed"),
    "c-instances": (
        component("(component $x)" + "(instance (instantiate $x))" * 501),
        "instances of components inside it; at most 500 are allowed",
    ),
    "c-globals": (instances(1, "(global i64 (i64.const 0))" * 270_000), STATE),
    "c-globals-together": (
        instances(90, "(global i64 (i64.const 0))" * 3000),
        "bytes of Wasmtime's own for each instance",
    ),
}
MEMORY64 = {
    "memory": program("", '(memory (export "memory") i64 65537)'),
    "c-memory": component("(core module $x (memory i64 65537)) (core instance (instantiate $x))"),
}


@pytest.mark.parametrize("name", UNSUITABLE)
@pytest.mark.parametrize("cached", [True, False])
def test_what_no_guest_may_be(name: str, cached: bool, wsgi_wasm: Command, tmp_path: Path) -> None:
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


def test_what_no_guest_may_be_is_said_by_compile_and_not_stored(wsgi_wasm: Command, tmp_path: Path) -> None:
    folder, cache = tmp_path / "unsuitable", tmp_path / "cache"
    folder.mkdir()
    cache.mkdir(mode=0o700)
    for name, (text, _) in UNSUITABLE.items():
        (folder / f"{name}.wat").write_text(text)
    done = wsgi_wasm("compile", folder.name, cache=cache)
    assert done.status == 1
    for name, (_, said) in UNSUITABLE.items():
        line = next(line for line in done.text.splitlines() if f"/{name}.wat: failed: " in line)
        assert said in line
    stored = {json.loads(note.read_text())["module"] for note in cache.glob("*.json")}
    assert stored <= {str(folder / "imports.wat")}, "an artefact that nobody can use"


@pytest.mark.parametrize("name", MEMORY64)
def test_a_memory_of_more_than_all_addresses(name: str, wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(MEMORY64[name])
    site("{engine: {features: [memory64]}, routes: {/: {module: x.wat, memory: 4GiB}}}")
    assert "has a memory of 4096 MiB" in wsgi_wasm("check", "site.yaml").text


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
