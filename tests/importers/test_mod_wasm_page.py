"""The page for those who come from mod_wasm says what the importer does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from wsgi_wasm.importers.apache.settings import PlaceSettings
from wsgi_wasm.importers.apache.table import APACHE, MOD_WASM, Meaning

PAGE = (Path(__file__).parents[2] / "docs" / "mod_wasm.md").read_text("utf-8")


def rows(table: Mapping[str, Meaning]) -> str:
    return "\n".join(f"| `{name}` | {one.key} | {one.differs} |".replace("|  |", "| |") for name, one in table.items())


@pytest.mark.parametrize("table", [MOD_WASM, APACHE], ids=["mod_wasm", "httpd"])
def test_the_table_is_the_importers(table: Mapping[str, Meaning]) -> None:
    assert rows(table) in PAGE, f"write this into docs/mod_wasm.md:\n{rows(table)}"


def test_keys_are_keys_of_the_gateway() -> None:
    from wsgi_wasm.config.schema import TABLE

    known = {key.name for key in TABLE.keys} | {"raw", "cgi"}
    for name, one in {**MOD_WASM, **APACHE}.items():
        for key in re.findall(r"`([a-z_]+)[:`]", one.key):
            assert key in known, (name, key)


def test_every_directive_of_mod_wasm_is_read() -> None:
    """Each in the table changes what the importer knows of a place, and no other one does."""
    source = Path(PlaceSettings.__init__.__globals__["__file__"]).read_text("utf-8")
    read = set(re.findall(r'"(wasm[a-z]+)"', source))
    assert read == {name.lower() for name in MOD_WASM}
