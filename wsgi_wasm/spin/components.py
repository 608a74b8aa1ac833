"""Reads `[component.<id>]` and what stands below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from wsgi_wasm.config.nodes import path_of
from wsgi_wasm.messages import quote
from wsgi_wasm.spin.dependencies import read_dependencies
from wsgi_wasm.spin.legacy import outbound_hosts
from wsgi_wasm.spin.model import Component, Mount
from wsgi_wasm.spin.sources import read_source
from wsgi_wasm.spin.tables import TomlTable, kind_of

KEBAB = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
SNAKE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
VARIABLE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_ENVIRONMENT = re.compile(r"[^=\0]+")


def read_component(identity: str, table: TomlTable, profile: str | None, remarks: list[str]) -> Component:
    """One component, with the overrides of `profile` applied. Mistakes are reported; `remarks`
    gathers the rest."""
    if not KEBAB.fullmatch(identity):
        table.report("", f"{quote(identity)} is not a valid component id; use letters, digits and single '-'")
    table = _overridden(table, profile)
    table.ignore("tool", "build", "targets")
    models = table.texts("ai_models")
    if models:
        remarks.append(f"{table.at('ai_models')}: there are no language models; calls return an error")
    inherits = table.flag("dependencies_inherit_configuration")
    files, siblings = read_dependencies(table, inherits, remarks)
    component = Component(
        id=identity,
        source=read_source(table, "source"),
        description=table.text("description"),
        files=tuple(_mounts(table)),
        exclude_files=table.texts("exclude_files"),
        environment=_environment(table),
        variables=_variables(table),
        allowed_outbound_hosts=(*table.texts("allowed_outbound_hosts"), *_http_hosts(table)),
        key_value_stores=_labels(table, "key_value_stores"),
        sqlite_databases=_labels(table, "sqlite_databases"),
        dependencies=files,
        siblings=siblings,
    )
    table.close()
    return component


def _overridden(table: TomlTable, profile: str | None) -> TomlTable:
    """The component's table with what its `[profile.<name>]` says in the place of its own."""
    profiles = dict(table.tables("profile"))
    chosen = profiles.get(profile) if profile is not None else None
    data = {name: value for name, value in table.data.items() if name != "profile"}
    for one in profiles.values():
        one.ignore("source", "build", "environment", "dependencies")
        one.close()
    if chosen is not None:
        data.update({name: chosen.data[name] for name in ("source",) if name in chosen.data})
        for name in ("environment", "dependencies"):
            own, over = data.get(name, {}), chosen.data.get(name, {})
            if isinstance(own, dict) and isinstance(over, dict) and over:
                data[name] = {**own, **over}
    return TomlTable(data, table.path, table.reading)


def _environment(table: TomlTable) -> dict[str, str]:
    found = table.text_table("environment")
    for name, value in found.items():
        if not _ENVIRONMENT.fullmatch(name) or "\0" in value:
            table.reading.report(
                path_of(table.at("environment"), name), "is not a valid name or value for an environment variable"
            )
    return found


def _variables(table: TomlTable) -> dict[str, str]:
    found = table.text_table("variables")
    for name in found:
        check_variable(name, path_of(table.at("variables"), name), table)
    return found


def check_variable(name: str, path: str, table: TomlTable) -> None:
    """Report a name that no variable may have."""
    if not VARIABLE.fullmatch(name):
        table.reading.report(path, "is not a valid variable name; use lower-case letters, digits and single '_'")


def _labels(table: TomlTable, name: str) -> tuple[str, ...]:
    labels = table.texts(name)
    for number, label in enumerate(labels):
        if not (KEBAB.fullmatch(label) or SNAKE.fullmatch(label)):
            table.reading.report(f"{table.at(name)}[{number}]", f"{quote(label)} is neither kebab-case nor snake_case")
    return labels


def _http_hosts(table: TomlTable) -> list[str]:
    """`allowed_http_hosts`, which came before `allowed_outbound_hosts`."""
    found = []
    for number, old in enumerate(table.texts("allowed_http_hosts")):
        try:
            found += outbound_hosts(old)
        except ValueError:
            table.report(f"allowed_http_hosts[{number}]", f"{quote(old)} is not a valid host")
    return found


def _mounts(table: TomlTable) -> Iterator[Mount]:
    value: Any = table.value("files")
    if value is not None and not isinstance(value, list):
        table.report("files", f"expected a list, found {kind_of(value)}")
        return
    for number, entry in enumerate(value or []):
        key_path = f"{table.at('files')}[{number}]"
        if isinstance(entry, str):
            yield Mount(source=entry, destination=None)
        elif isinstance(entry, dict):
            mount = TomlTable(entry, key_path, table.reading)
            yield Mount(
                source=mount.text("source", required=True), destination=mount.text("destination", required=True)
            )
            mount.close()
        else:
            table.reading.report(key_path, f"expected a pattern or {{source, destination}}, found {kind_of(entry)}")
