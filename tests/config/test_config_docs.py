"""The sample, the schema and the reference page against the table of keys, so that none of them can drift."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wsgi_wasm.config import load_config
from wsgi_wasm.config.jsonschema import json_schema
from wsgi_wasm.config.nodes import ListNode, MapNode, Node, Reading, ScalarNode
from wsgi_wasm.config.reader import read_document
from wsgi_wasm.config.reference import default_text, reference
from wsgi_wasm.config.schema import TABLE
from wsgi_wasm.config.section import NO_DEFAULT

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "conf" / "site.yaml"
HERE = Path(__file__).parent
REMAKE = "remake it: python -m wsgi_wasm.config {} > {}"

# Mistakes that a schema cannot see: the same key twice, a key against another one, what a variable holds, YAML's own.
UNSEEN = frozenset(
    {
        "alias-bomb",
        "alias-to-itself",
        "alias-without-anchor",
        "anchor-twice",
        "comments-alone",
        "duplicate-keys",
        "escapes",
        "grants-and-directories",
        "inherited",
        "merge-keys-and-tags",
        "nested",
        "overlaps",
        "redirects",
        "secrets-in-other-places",
        "syntax",
        "syntax-missing-space",
        "syntax-tab",
        "syntax-unquoted-reference",
        "two-documents",
        "variables-of-the-server",
    }
)


def data_of(node: Node) -> Any:
    """The node as an editor with YAML 1.2 sees it."""
    match node:
        case ListNode():
            return [data_of(item) for item in node.items]
        case MapNode():
            return {key.text: data_of(value) for key, value in node.entries}
        case ScalarNode(text=text, plain=True) if text in ("", "~", "null"):
            return None
        case ScalarNode(text=text, plain=True) if text in ("true", "false"):
            return text == "true"
        case ScalarNode(text=text, plain=True) if re.fullmatch(r"[-+]?[0-9]+", text):
            return int(text)
        case ScalarNode(text=text, plain=True) if re.fullmatch(r"[-+]?[0-9.]+e[0-9]+", text):
            return float(text)
        case _:
            return node.text


def data_in(file: Path) -> Any:
    reading = Reading(file.name, file.parent, {})
    return data_of(read_document(file.read_bytes(), reading))


def test_reference_page_is_the_one_made_from_the_table() -> None:
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text() == reference(), REMAKE.format("--reference", "docs/configuration.md")


def test_schema_is_the_one_made_from_the_table() -> None:
    schema = json.loads((ROOT / "conf" / "site.schema.json").read_text())
    assert schema == json_schema(), REMAKE.format("--schema", "conf/site.schema.json")


@pytest.mark.parametrize(
    ("option", "file"), [("--schema", "conf/site.schema.json"), ("--reference", "docs/configuration.md")]
)
def test_command_that_remakes_them(option: str, file: str) -> None:
    command = [sys.executable, "-m", "wsgi_wasm.config", option]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / file).read_text()


def test_sample_loads_and_says_where_its_schema_is() -> None:
    assert load_config(SAMPLE, {}).routes
    assert SAMPLE.read_text().startswith("# yaml-language-server: $schema=site.schema.json\n")


def test_sample_shows_every_key() -> None:
    def keys(data: Any) -> Iterator[str]:
        if isinstance(data, dict):
            for key, value in data.items():
                yield key
                yield from keys(value)

    assert {key.name for key in TABLE.keys} <= set(keys(data_in(SAMPLE)))


NOT_DEFAULTS = ("harden", "log", "mail", "trusted_proxies")


def test_sample_shows_the_defaults() -> None:
    sample = data_in(SAMPLE)
    shown = {"defaults": sample["defaults"], "engine": sample["engine"], "site": sample}
    for place, section in shown.items():
        for name, key in TABLE.at(place).items():
            if name not in ("routes", "defaults", "hosts", "engine", "key_value", "sqlite", *NOT_DEFAULTS):
                assert section[name] == key.default, name


def test_defaults_are_valid_values() -> None:
    for key in TABLE.keys:
        if key.default is not NO_DEFAULT:
            text = f"{key.name}: {default_text(key.default)}"
            reading = Reading("", ROOT, {})
            node = read_document(text.encode(), reading)
            assert isinstance(node, MapNode)
            key.kind.read(node.entries[0][1], key.name, reading)
            assert not reading.problems


def test_every_key_is_explained_in_a_sentence() -> None:
    for key in TABLE.keys:
        assert key.doc.endswith("."), key.name
        assert key.example, key.name


def test_examples_of_the_page_load(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    blocks = re.findall(r"```yaml\n(.*?)```", reference(), re.DOTALL)
    assert len(blocks) > 8
    for block in blocks:
        if block.startswith("/"):
            block = indented(block, "routes:", "/cart: {module: cart.wasm}")
        elif block.startswith(("dirs:", "commands:", "mail:")):
            block = "routes:\n" + indented(indented(block, "/a:", "module: bin/a.wasm"), "", "")
        elif block.startswith("interpreters:"):
            block = "routes:\n" + indented(indented(block, "/a:", "directory: a"), "", "")
        site.write_text(block)
        load_config(site, {})


def indented(block: str, head: str, first: str) -> str:
    lines = [head, "  " + first] if head else []
    return "\n".join([*lines, *("  " + line for line in block.splitlines())]) + "\n"


def test_schema_is_a_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_schema_accepts_what_the_loader_accepts() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json_schema())
    for file in [SAMPLE, *sorted((HERE / "valid").glob("*.yaml"))]:
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data_in(file))]
        assert not errors, file.name


@pytest.mark.parametrize("file", sorted((HERE / "invalid").glob("*.yaml")), ids=lambda file: file.stem)
def test_schema_sees_the_mistakes_that_it_can(file: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    if file.stem not in UNSEEN:
        assert not jsonschema.Draft202012Validator(json_schema()).is_valid(data_in(file))
