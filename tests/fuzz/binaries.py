"""WebAssembly in binary form: what is read of modules and components before the engine sees them, and notes of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import NoneType

from fuzz.target import Target, check_message, temporary
from wsgi_wasm.binary.component_facts import ComponentFacts, imports_of
from wsgi_wasm.binary.module_facts import from_json, read_facts, to_json
from wsgi_wasm.binary.needs import needs
from wsgi_wasm.binary.outline import outline
from wsgi_wasm.binary.plug import plug
from wsgi_wasm.binary.reader import is_component
from wsgi_wasm.binary.versions import compatible, parse
from wsgi_wasm.binary.wrap import Parts, wrap
from wsgi_wasm.engine.code.adapter import adapter_parts
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.pruning import artefacts
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import ModuleError

GUESTS = Path(__file__).parents[1] / "guests"
NUMBERS = (
    b"\0",
    b"\1",
    b"\x7f",
    b"\x80\1",
    b"\xff\xff\3",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\1",
    b"\x80" * 12,
)
DIGEST = hashlib.sha256(b"").hexdigest()  # of the artefact in `store`
LARGEST = 20_000  # bytes of a seed


def assembled(pattern: str) -> list[bytes]:
    found = []
    for path in sorted(GUESTS.glob(pattern)):
        text = path.read_text("utf-8").replace("VERSION", "0.2.6")
        try:
            found.append(wat_to_wasm(text.encode()))
        except ModuleError:
            continue  # meant to be refused
    return [one for one in found if len(one) <= LARGEST]


@cache
def modules() -> list[bytes]:
    return assembled("*.wat")


SMALL = (
    "(component)",
    "(component (core module $m (memory 1 2) (table 1 funcref)) (core instance (instantiate $m)))",
    '(component (import "a:b/c@1.0.0" (instance (export "f" (func (param "x" string) (result u32))))))',
    '(component (type $r (record (field "a" u8))) (import "t" (type (eq $r))) (import "f" (func (param "r" 1))))',
    """(component (import "wasi:io/poll@0.2.6" (instance (export "pollable" (type (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow 0)))))))""",
    "(component (component $c (core module $m) (core instance (instantiate $m))) (instance (instantiate $c)))",
    """(component
        (type $i (instance (type (variant (case "a" u8) (case "b" (list string)))) (export "v" (type (eq 0)))))
        (import "d:e/f" (instance $x (type $i))) (alias export $x "v" (type $v)) (import "v" (type (eq $v))))""",
    '(component (import "a" (component)) (import "m" (core module)))',
)


@cache
def components() -> list[bytes]:
    return [*assembled("components/*.wat"), *(wat_to_wasm(text.encode()) for text in SMALL)]


@cache
def parts() -> Parts:
    return adapter_parts()


def check_module(data: bytes) -> None:
    try:
        facts = read_facts(data)
    except ModuleError as error:
        check_message(error)
        return
    assert from_json(json.loads(json.dumps(to_json(facts)))) == facts
    assert facts.memory_minimum >= 0
    # What it says grows with what it is.
    assert len(facts.imports) <= len(data)
    assert len(facts.exports) <= len(data)


def check_component(data: bytes) -> None:
    """The first byte says what is asked."""
    which, source = data[:1], data[1:]
    try:
        found = outline(source)
        for one in imports_of(found):
            parse(one.name)
        counted = needs(source)
        assert counted.minimum >= 0
        assert counted.core_instances >= 0
        match which:
            case b"w":
                wrapped = wrap(source, parts())
                assert is_component(wrapped.component)
                outline(wrapped.component)
            case b"p":
                plug(source, {one.name: ("plug", source) for one in found.imports[:2]})
    except ModuleError as error:
        check_message(error)


@cache
def store() -> Cache:
    found = Cache(temporary())
    (found.directory / f"{'0' * 64}-{'0' * 16}.cwasm").write_bytes(b"")
    return found


def check_note(data: bytes) -> None:
    """What lies beside an artefact: facts of the right kinds, or nothing."""
    (artefact,) = store().directory.glob("*.cwasm")
    artefact.with_suffix(".json").write_bytes(data)
    for one in artefacts(store()):
        check_message(ascii(one.module))
    facts = store().find(artefact)
    if facts is None:
        return
    for field in fields(facts):
        kinds = KINDS.get(field.name, (int,))
        assert isinstance(getattr(facts, field.name), kinds), field.name
    for item in facts.imports:
        assert all(isinstance(getattr(item, field.name), str | tuple | bool) for field in fields(item))
    if isinstance(facts, ComponentFacts):
        assert facts.waits in (True, False)
        assert facts.outbound in (True, False)
    assert from_json(json.loads(json.dumps(to_json(facts)))) == facts


# Of the fields that are no numbers.
KINDS: dict[str, tuple[type, ...]] = {
    "imports": (list, tuple), "exports": (dict,), "memory_maximum": (int, NoneType), "memory_imported": (bool,),
    "start_signature": (str, NoneType), "entry_points": (list,), "untyped": (list,), "has_start": (bool,),
    "interface": (str,), "features": (list,),
}  # fmt: skip


def note_seeds() -> Iterable[bytes]:
    for source in modules():
        facts = to_json(read_facts(source))
        yield json.dumps({"sha256": DIGEST, "checked": "1-2", "wasmtime": "50", "facts": facts, "module": "a"}).encode()
    component = ComponentFacts("http", (), 1, 2, 3, 4, 5, 6, 7)
    facts = to_json(component)
    facts["component"]["imports"] = [{"name": "a:b/c", "functions": ["f"], "resources": [], "is_instance": True}]
    yield json.dumps({"sha256": DIGEST, "checked": "1-2", "facts": facts}).encode()


def check_versions(data: bytes) -> None:
    one, _, other = data.decode("utf-8", "replace").partition("\n")
    first, second = parse(one), parse(other)
    assert first.stem in one
    both = compatible(one, other), compatible(other, one)
    if first.stem != second.stem:
        assert not any(both)
    if all(both):
        assert first.version == second.version or _numbers(first.version) == _numbers(second.version)


def _numbers(version: str) -> list[str]:
    return [part.lstrip("0") or "0" for part in version.split(".")]


TARGETS = (
    Target(
        "module",
        "what a core module says of itself, or what is wrong with it",
        check_module,
        modules,
        (*NUMBERS, b"\x60\0\0", b"\x02\x7f", b"_start", b"\x07\x0a", b"\0asm\1\0\0\0"),
        tries=8000,
        longest=4000,
    ),
    Target(
        "component",
        "a component's outline, needs, wrapping and composition, or what is wrong with it and where",
        check_component,
        lambda: [which + source for source in components() for which in (b"w", b"p", b"o")],
        (
            *NUMBERS,
            b"\x42\1\1",
            b"\x6d\2",
            b"\x70\0",
            b"\x72\1",
            b"\1\0\1a",
            b"a:b/c@",
            b"\0asm\x0d\0\1\0",
            b"\x0b\1\0",
        ),
        tries=8000,
        longest=8000,
    ),
    Target(
        "cache-note",
        "the note beside an artefact: facts, or the module is compiled anew",
        check_note,
        lambda: list(note_seeds()),
        (b"null", b"[]", b"{}", b'"', b",", b":", b"[" * 3000, b"1e999", b'"component"', b'"facts"', b"\xff", b"NaN"),
        tries=8000,
        longest=4000,
    ),
    Target(
        "versions",
        "names of interfaces and which versions stand for each other",
        check_versions,
        lambda: (
            b"wasi:io/poll@0.2.6\nwasi:io/poll@0.2.0",
            b"a:b/c@1.0.0\na:b/c@1.2.3",
            b"a\na@1",
            b"a:b@0.3.0-rc\na:b@0.3.0",
        ),
        (b"@", b".", b"-", b"+", b"0.2.", b"\n", b"\xd9\xa3", b"\xc2\xb2"),
        tries=10000,
        longest=12000,
    ),
)
