"""The adapter's code that lies in the package is what its sources make, and fits where memory.wat has it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from wsgi_wasm.engine.code.adapter import FILES
from wsgi_wasm.toolchain.adapter import CODE, build_adapter
from wsgi_wasm.toolchain.build import build_code


def test_the_code_is_what_the_sources_make(tmp_path: Path) -> None:
    for made in build_adapter(tmp_path):
        assert made.read_bytes() == (FILES / made.name).read_bytes(), "run: python -m wsgi_wasm.toolchain.adapter"


@pytest.mark.parametrize("name", CODE)
def test_stack_and_data_end_before_allocation_begins(tmp_path: Path, name: str) -> None:
    first = re.search(r"\(global \$next \(mut i32\) \(i32.const (\d+)\)", (FILES / "memory.wat").read_text())
    assert first is not None
    build_code([FILES / source for source in CODE[name]], tmp_path / name, exports=["__heap_base"])
    text = subprocess.run(["wasm-tools", "print", tmp_path / name], capture_output=True, text=True, check=True).stdout
    exported = re.search(r'\(export "__heap_base" \(global (\d+)\)\)', text)
    assert exported is not None
    value = re.search(rf"\(global \(;{exported[1]};\) i32 i32.const (\d+)\)", text)
    assert value is not None
    assert int(value[1]) <= int(first[1])
