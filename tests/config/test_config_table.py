"""The table of keys against the model and what reads the file: a value that goes nowhere would be lost silently."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

import wsgi_wasm.config
from wsgi_wasm.config import load_config
from wsgi_wasm.config.schema import TABLE, TARGETS
from wsgi_wasm.config.section import Key

# What makes something of the keys whose values do not go into the model as they are.
BUILDERS = ("load", "routes", "grants", "settings")


def goal(key: Key) -> tuple[type, str] | None:
    if key.into is None or isinstance(key.into, tuple):
        return key.into
    return key.into, key.name


def test_every_key_goes_into_a_field_or_is_made_into_something() -> None:
    folder = Path(wsgi_wasm.config.__file__).parent
    text = "\n".join((folder / f"{name}.py").read_text("utf-8") for name in BUILDERS)
    for key in TABLE.keys:
        into = goal(key)
        if into is None:
            assert f'"{key.name}"' in text or key.name in TARGETS, f"nothing reads {key.name}"
        else:
            assert into[1] in {field.name for field in fields(into[0])}, f"{key.name} has no field"


def test_no_two_keys_go_into_one_field() -> None:
    goals = Counter(into for key in TABLE.keys if (into := goal(key)) is not None)
    assert not [into for into, count in goals.items() if count > 1]


def test_other_keys_that_entries_name() -> None:
    for key in TABLE.keys:
        for section in key.sections:
            known = TABLE.at(section)
            assert not key.only_with or known.keys() & key.only_with.split() or section in ("defaults", "handler"), (
                key.name
            )
            if key.default_where is not None:
                assert key.default_where.key in known, key.name
    for kind in TABLE.sections.values():
        names = {*kind.one_of, kind.required, kind.short} - {""}
        assert names <= TABLE.at(kind.name).keys(), kind.name


@pytest.mark.parametrize(
    ("defaults", "route", "size"),
    [
        ("{}", "", 100),
        ("{}", "interface: wws", 10),
        ("{interface: wws}", "", 10),
        ("{interface: wws}", "interface: cgi", 100),
        ("{}", "interface: wws, max_output: 1GiB", 1024),
        ("{max_output: 1GiB}", "interface: wws", 1024),
    ],
)
def test_a_default_that_another_key_decides(defaults: str, route: str, size: int, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"defaults: {defaults}\nroutes: {{/a: {{module: a.wasm, {route}}}}}\n")
    assert load_config(site, {}).routes[0].limits.max_output == size << 20
