"""Reads `[component.<id>.dependencies]`: which component is plugged into which import.

Facts: spinframework/spin, crates/manifest/src/schema/v2.rs and crates/compose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from wsgi_wasm.binary.versions import InterfaceName, compatible, parse
from wsgi_wasm.messages import did_you_mean, quote
from wsgi_wasm.spin.model import Component, Sibling
from wsgi_wasm.spin.sources import MISSING, read_source
from wsgi_wasm.spin.tables import ManifestReading, TomlTable, kind_of

_WORD = r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*"
_VERSION = r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_NAME = re.compile(rf"{_WORD}|{_WORD}:{_WORD}(?:/{_WORD})?(?:@{_VERSION})?")
_LONGEST_NAME = 256  # characters; what `compose` takes


def read_dependencies(
    table: TomlTable, inherits: bool, remarks: list[str]
) -> tuple[dict[str, Path], dict[str, Sibling]]:
    """Plugs by import, in the words of `compose`: files, and components of the application."""
    files: dict[str, Path] = {}
    siblings: dict[str, Sibling] = {}
    dependencies = table.table("dependencies")
    if dependencies is None:
        return files, siblings
    for name in dependencies.data:
        if not _is_name(name):
            dependencies.report(
                name, "is not a valid import; write an interface ('demo:api/greeter@1.0.0') or a package"
            )
        value = dependencies.value(name)
        if isinstance(value, dict):
            entry = TomlTable(value, dependencies.at(name), table.reading)
            key = _import_of(name, entry)
            if "component" in entry:
                siblings[key] = Sibling(entry.text("component"), entry.at("component"))
                _check_rights(entry, siblings[key].id, inherits, remarks)
            else:
                files[key] = _file(dependencies, name, entry)
                _check_rights(entry, files[key].name, inherits, remarks)
            entry.close()
        elif isinstance(value, str):
            _report_registry(dependencies, name, parse(name).package, value)
        else:
            dependencies.report(name, f"expected a version or a table, found {kind_of(value)}")
    for one, other in _conflicts(tuple(dependencies.data)):
        dependencies.report(one, f"and {quote(other)} are for the same imports")
    return files, siblings


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def _file(dependencies: TomlTable, name: str, entry: TomlTable) -> Path:
    entry.ignore("url", "digest", "package", "registry", "version")
    if "path" in entry:
        return read_source(entry, "path")
    if "url" in entry:
        return read_source(dependencies, name)
    if "version" not in entry:
        entry.report("", "needs one of 'path', 'url', 'component' and 'version'")
    else:
        _report_registry(dependencies, name, entry.text("package") or parse(name).package, entry.text("version"))
    return MISSING


def _report_registry(dependencies: TomlTable, name: str, package: str, version: str) -> None:
    dependencies.report(
        name,
        f"packages are not fetched from a registry: download the package {quote(package)}, version {quote(version)}, "
        'and write {path = "..."}',
    )


def _import_of(name: str, entry: TomlTable) -> str:
    export = entry.text("export")
    if export and not _is_name(export):
        entry.report("export", f"{quote(export)} is not a valid export; write an interface or a name")
    if export and ":" in name and not parse(name).interface:
        entry.report("export", f"one export cannot provide all of {quote(name)}; name one of its interfaces")
    return f"{name}={export}" if export and export != name else name


def _check_rights(entry: TomlTable, plug: str, inherits: bool, remarks: list[str]) -> None:
    """A composition is one component here, and nothing in it has other rights."""
    given: Any = entry.value("inherit_configuration")
    if isinstance(given, list):
        given = entry.texts("inherit_configuration")
    elif given is not None:
        given = entry.flag("inherit_configuration")
    if not inherits and given is not True:
        less = ", ".join(given) if given else "nothing"
        remarks.append(f"{entry.path}: {plug} may use what its component may use; Spin would give it {less}")


def _conflicts(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for one, other in combinations(names, 2):
        if ":" in one and ":" in other and _overlap(parse(one), parse(other)):
            yield other, one


def _overlap(one: InterfaceName, other: InterfaceName) -> bool:
    if one.package != other.package or (one.interface and other.interface and one.interface != other.interface):
        return False
    if not one.version or not other.version:
        return True
    return compatible(f"x:y@{one.version}", f"x:y@{other.version}") or compatible(
        f"x:y@{other.version}", f"x:y@{one.version}"
    )


def with_siblings(components: Mapping[str, Component], reading: ManifestReading) -> dict[str, Component]:
    """The components with files in the place of the ids that dependencies name. Ids that there are
    not are reported."""
    found = {}
    for identity, component in components.items():
        plugs = dict(component.dependencies)
        for name, sibling in component.siblings.items():
            if sibling.id in components:
                plugs[name] = components[sibling.id].source
            else:
                near = did_you_mean(sibling.id, tuple(components))
                reading.report(sibling.key_path, f"there is no component {quote(sibling.id)}{near}")
        found[identity] = replace(component, dependencies=plugs, siblings={})
    return found
