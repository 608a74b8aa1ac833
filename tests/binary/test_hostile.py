"""Components that are cut off, changed or made to harm their reader: an error that says where, in little time."""

from __future__ import annotations

import contextlib
import random
from functools import cache

import pytest

from guests.binary import section
from guests.build import component
from wsgi_wasm.binary.needs import needs
from wsgi_wasm.binary.outline import outline
from wsgi_wasm.binary.reader import PREAMBLE, sections
from wsgi_wasm.binary.wrap import Parts, wrap
from wsgi_wasm.binary.writer import Item, Writer
from wsgi_wasm.engine.code.adapter import adapter_parts
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import ModuleError


@cache
def parts() -> Parts:
    return adapter_parts()


def read(source: bytes) -> None:
    """Everything that is done with a guest before Wasmtime sees it."""
    wrap(source, parts())
    needs(source)


@pytest.mark.parametrize("name", ["http", "program"])
def test_every_beginning_of_a_component_is_refused(name: str) -> None:
    source = component(name).read_bytes()
    read(source)
    last = list(sections(source))[-1]
    # Where only custom sections are missing at the end, nothing is.
    needed = max(end for number, _, end in sections(source) if number != 0)
    ends = {end for _, start, stop in sections(source) for end in (start - 1, start, stop - 1, stop)}
    ends |= set(range(min(needed, 3000))) | set(range(0, needed, 37))
    assert last.end == len(source)
    for end in sorted(ends):
        if end < needed:
            with pytest.raises(ModuleError):
                read(source[:end])


@pytest.mark.parametrize("seed", range(8))
def test_changed_bytes_raise_nothing_else(seed: int) -> None:
    """What is still well-formed is for Wasmtime to judge."""
    chance = random.Random(seed)
    source = component("http").read_bytes()
    head = next(start for number, start, _ in sections(source) if number == 1)
    odd = [0, 1, 0x40, 0x42, 0x66, 0x7F, 0x80, 0xFF]
    for _ in range(150):
        changed = bytearray(source)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(8, head)] = chance.choice([*odd, chance.randrange(256)])
        with contextlib.suppress(ModuleError):
            read(bytes(changed))


@pytest.mark.parametrize("sort", range(1, 6))
@pytest.mark.parametrize("how", ["alias", "import"])
def test_every_sort_of_item(sort: int, how: str) -> None:
    """A component may import and alias what no guest of the gateway has a use for, values among them."""
    instance = section(7, b"\1\x42\0") + section(10, b"\1\0\5a:b/c\5\0")
    values = {1: b"\1\0", 2: b"\2\1\x7f", 3: b"\3\1", 4: b"\4\0", 5: b"\5\0"}
    item = section(6, bytes([1, sort, 0, 0]) + b"\1x") if how == "alias" else section(10, b"\1\0\1x" + values[sort])
    with contextlib.suppress(ModuleError):
        read(PREAMBLE + instance + item + section(10, b"\1\0\5a:b/d\5\0"))


NESTED_TYPE = b"\x42\x01\x01" * 5000 + b"\x42\x00"  # an instance type that declares an instance type that ...
NO_IMPORT = section(10, b"\x00")  # what comes before the last import is read
HUGE = b"\xff\xff\xff\xff\x0f"

# What is read, and words of the message.
MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "expected a component at byte 0"),
    "another preamble": (b"\0asm\x0d\0\x02\0", "expected a component"),
    "a section past the end": (PREAMBLE + b"\x07\x7f\x00", "truncated in the section at byte 10"),
    "a size that never ends": (PREAMBLE + b"\x07" + b"\x80" * 40, "a number is too large at byte 14"),
    "a count of four thousand million": (PREAMBLE + section(7, HUGE) + NO_IMPORT, "a vector claims 4294967295 items"),
    "a count larger than the section": (PREAMBLE + section(7, b"\x05\x7f") + NO_IMPORT, "a vector claims 5 items"),
    "types inside each other": (PREAMBLE + section(7, b"\x01" + NESTED_TYPE) + NO_IMPORT, "more than 32"),
    "an unknown type": (PREAMBLE + section(7, b"\x01\x10") + NO_IMPORT, "unknown kind of type (0x10)"),
    "a type that is not there": (
        PREAMBLE + section(7, b"\x01\x70\x05") + NO_IMPORT,
        "index 5 does not exist",
    ),
    "a type that names itself": (
        PREAMBLE + section(7, b"\x01\x70\x00") + NO_IMPORT,
        "index 0 does not exist",
    ),
    "a value type that is none": (PREAMBLE + section(7, b"\x01\x70\x41") + NO_IMPORT, "unknown value type"),
    "an alias of no instance": (PREAMBLE + section(6, b"\x01\x03\x00\x00\x01a") + NO_IMPORT, "does not exist"),
    "an alias outwards": (PREAMBLE + section(6, b"\x01\x03\x02\x01\x00") + NO_IMPORT, "outside"),
    "a name that is not UTF-8": (PREAMBLE + section(10, b"\x01\x00\x01\xff\x01\x00"), "not UTF-8 at byte 12"),
    "a name longer than its section": (PREAMBLE + section(10, b"\x01\x00\x7fab"), "ends too early"),
    "an unknown form of name": (PREAMBLE + section(10, b"\x01\x07\x01a\x01\x00"), "unknown form (7)"),
    "bytes after the last item": (PREAMBLE + section(10, b"\x00\x00\x00"), "longer than it says"),
    "a core module imported": (PREAMBLE + section(10, b"\x01\x00\x01a\x00\x11\x00"), "a core module"),
    "a value imported": (PREAMBLE + section(10, b"\x01\x00\x01a\x02\x00\x7f"), "sort 2"),
    "imports after a canonical function": (
        PREAMBLE + section(8, b"\x00") + NO_IMPORT,
        "after its definitions",
    ),
    "no exports": (PREAMBLE, "exports nothing"),
}


@pytest.mark.parametrize(("source", "words"), MALFORMED.values(), ids=MALFORMED)
def test_malformed(source: bytes, words: str) -> None:
    with pytest.raises(ModuleError) as caught:
        wrap(source, parts())
    assert words in str(caught.value)


def nested(depth: int, copies: int) -> bytes:
    """A component with a component inside, and so on, each instantiated `copies` times by the one around it."""
    inner = PREAMBLE + section(1, b"\0asm\x01\0\0\0") + section(2, b"\x01\x00\x00\x00")
    for _ in range(depth):
        outside = Writer()
        item = outside.add_component(inner)
        for _ in range(copies):
            outside.instantiate(item, [])
        inner = outside.whole()
    return inner


def test_needs_are_counted_through_copies() -> None:
    assert needs(nested(0, 1)).core_instances == 1
    assert needs(nested(3, 2)).core_instances == 8


@pytest.mark.parametrize(("depth", "copies", "words"), [(31, 2, "core instances"), (500, 1, "more than 32 levels")])
def test_components_inside_each_other(depth: int, copies: int, words: str) -> None:
    """Thirty levels of two copies are a thousand million instances in 2 KB."""
    with pytest.raises(ModuleError) as caught:
        needs(nested(depth, copies))
    assert words in str(caught.value)


def test_memories_are_told_apart() -> None:
    text = """(component
        (core module $m (memory 1) (memory 2 16) (memory 3 17) (table 1 funcref) (table 2 3 funcref))
        (core instance (instantiate $m)) (core instance (instantiate $m)))"""
    found = needs(wat_to_wasm(text.encode()))
    assert found.core_instances == 2
    assert found.memories == 6
    assert found.tables == 4
    assert found.minimum == 2 * 6 * 65536
    assert found.bounded == 2 * 16 * 65536
    assert found.unbounded == 4
    assert found.largest == 3 * 65536


def test_a_component_that_imports_a_component_is_refused() -> None:
    text = """(component $c
        (component $inner (import "a" (component $a)) (instance (instantiate $a)))
        (component $other)
        (instance (instantiate $inner (with "a" (component $other)))))"""
    with pytest.raises(ModuleError) as caught:
        needs(wat_to_wasm(text.encode()))
    assert "that it imports" in str(caught.value)


def test_the_outline_of_a_component() -> None:
    found = outline(component("http", "0.2.6").read_bytes())
    assert found.exports == {"wasi:http/incoming-handler@0.2.6": 5}
    by_name = {one.name: one for one in found.imports}
    assert ("[method]pollable.block", 1) in by_name["wasi:io/poll@0.2.6"].exports
    assert ("pollable", 3) in by_name["wasi:io/poll@0.2.6"].exports
    assert by_name["wasi:io/poll@0.2.6"].item == Item(5, 0)
    assert found.asynchronous == ""
