"""Components of the WASI 0.3 generation: refused by name, for as long as the `wasmtime` package cannot run them."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from wsgi_wasm.binary.wrap import Parts, wrap
from wsgi_wasm.engine.capi import core
from wsgi_wasm.engine.code.adapter import adapter_parts
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import ModuleError

EMPTY = '(component $e) (instance $i (instantiate $e)) (export "{name}" (instance $i))'

# What a component has, and what the message names of it.
LATER: dict[str, tuple[str, str]] = {
    "a handler of 0.3": (EMPTY.format(name="wasi:http/handler@0.3.0"), "wasi:http/handler@0.3.0"),
    "a release candidate": (
        EMPTY.format(name="wasi:http/handler@0.3.0-rc-2026-03-15"),
        "wasi:http/handler@0.3.0-rc-2026-03-15",
    ),
    "a program of 0.3": (EMPTY.format(name="wasi:cli/run@0.3.0"), "wasi:cli/run@0.3.0"),
    "an import of 0.3": (
        '(import "wasi:clocks/types@0.3.0" (instance))' + EMPTY.format(name="wasi:cli/run@0.2.0"),
        "wasi:clocks/types@0.3.0",
    ),
    "a stream": (
        '(import "a:b/c" (instance (export "f" (func (result (stream u8))))))'
        + EMPTY.format(name="wasi:cli/run@0.2.0"),
        "a stream",
    ),
    "a future": (
        '(import "a:b/c" (instance (export "f" (func (param "x" (future))))))'
        + EMPTY.format(name="wasi:cli/run@0.2.0"),
        "a future",
    ),
    "an async function": (
        '(import "f" (func async))' + EMPTY.format(name="wasi:cli/run@0.2.0"),
        "an async function",
    ),
    "a stream within a list of a record": (
        """(import "a:b/c" (instance
             (type $s (stream u8)) (type $r' (record (field "body" $s)))
             (export "r" (type $r (eq $r'))) (export "f" (func (result (list $r))))))"""
        + EMPTY.format(name="wasi:cli/run@0.2.0"),
        "a stream",
    ),
}


@pytest.mark.parametrize(("body", "words"), LATER.values(), ids=LATER)
def test_refused(body: str, words: str) -> None:
    with pytest.raises(ModuleError) as caught:
        wrap(wat_to_wasm(f"(component {body})".encode()), adapter_parts())
    message = str(caught.value)
    assert f"of the WASI 0.3 generation ({words})" in message
    assert "spin-sdk 3" in message
    assert "wasi:http/incoming-handler@0.2" in message


def test_a_route_with_one_is_unavailable(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "later.wat").write_text(f"(component {LATER['a handler of 0.3'][0]})")
    client: Client = make_client({"/x": {"module": str(tmp_path / "later.wat")}, "/hello": {"module": "hello"}})
    assert client.get("/x").status_code == 503
    assert "of the WASI 0.3 generation (wasi:http/handler@0.3.0)" in caplog.text
    assert client.get("/hello").status_code == 200


def test_other_components_are_refused_with_what_they_export() -> None:
    parts: Parts = adapter_parts()
    for name in ("wasi:http/incoming-handler@0.1.0", "wasi:http/incoming-handler@0.2.0-rc-2023-11-10", "a:b/c@1.0.0"):
        with pytest.raises(ModuleError) as caught:
            wrap(wat_to_wasm(f"(component {EMPTY.format(name=name)})".encode()), parts)
        assert f"exports {name}; a guest exports" in str(caught.value)
        assert ("a draft" in str(caught.value)) == ("-rc-" in name)


# --- red when the package has learned it: then these components are to be served, not refused ---

PRESENT = b"wasmtime_component_linker_add_wasip2", b"wasi:io/streams@0.2."
ABSENT = b"wasmtime_component_linker_add_wasip3", b"wasi:http/handler@0.3.", b"wasi:clocks/types@0.3."


def test_the_package_has_no_wasi_03() -> None:
    with Path(core._path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as library:
        assert all(library.find(text) >= 0 for text in PRESENT), "what this test looks for is spelled otherwise now"
        assert not [text for text in ABSENT if library.find(text) >= 0], "WASI 0.3 is there: serve it"
