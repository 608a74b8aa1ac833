"""Keys and sections: mappings whose keys are ours, each listed in a table (`schema.TABLE`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from wsgi_wasm.config.hints import by_meaning, for_key, for_mapping, for_route
from wsgi_wasm.config.kinds import BROKEN, Kind, Setting
from wsgi_wasm.config.nodes import MapNode, Node, Reading, ScalarNode, found, path_of
from wsgi_wasm.messages import quote


class _NoDefault(Enum):
    NO_DEFAULT = "no default"


NO_DEFAULT: Final = _NoDefault.NO_DEFAULT


Into = type | tuple[type, str] | None
"""Where a key's value goes unchanged: a class of the model, in which the field has the key's name
unless another is given; None where something is made of the value first."""


@dataclass(frozen=True, slots=True)
class DefaultWhere:
    """Another default, where the key `key` of the same section has this value."""

    key: str
    value: str
    default: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. `sections` are the sections that have it; `default` is written as in a file, as
    JSON-like data; `example` is its value in a line of YAML; `group` is where the reference
    page has it.

    The key is a mistake where the section has none of the keys `only_with` (names with spaces
    between). With `in_manifest`, a Spin
    application's manifest decides it, so it is a mistake beside `spin`. With `by_name`, its value
    is a mapping of which an inherited one keeps the names that are not written.
    """

    name: str
    into: Into
    kind: Kind
    default: Any
    sections: tuple[str, ...]
    group: str
    doc: str
    example: str
    only_with: str = ""
    in_manifest: bool = False
    by_name: bool = False
    default_where: DefaultWhere | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """All keys, what each section is called in messages, and the sections by name."""

    titles: dict[str, str]
    keys: list[Key] = field(default_factory=list)
    sections: dict[str, SectionKind] = field(default_factory=dict)

    def key(
        self,
        sections: str,
        name: str,
        into: Into,
        kind: Kind,
        default: Any,
        example: str,
        doc: str,
        group: str = "",
        **more: Any,
    ) -> None:
        """Add a key, as `Key` has it; `sections` are names with spaces between."""
        where = tuple(sections.split())
        common = {"name": name, "into": into, "kind": kind, "default": default, "sections": where}
        self.keys.append(Key(**common, group=group, doc=doc, example=example, **more))

    def at(self, section: str) -> dict[str, Key]:
        return {key.name: key for key in self.keys if section in key.sections}

    def fields(self, model: type) -> dict[str, str]:
        """Fields of a class of the model, and the keys that go into them unchanged."""
        found = {}
        for key in self.keys:
            goal, into = key.into if isinstance(key.into, tuple) else (key.into, key.name)
            if goal is model:
                found[into] = key.name
        return found

    def owners(self, name: str) -> str:
        """The sections that have the key `name`, in words; empty when none has."""
        titles = [title for section, title in self.titles.items() if name in self.at(section)]
        return " or ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionKind:
    """A mapping with the keys of the section `name`, at most one of `one_of` among them (which
    is checked where something is made of the section). A scalar stands for the key `short`.
    Reads to `Settings`."""

    name: str
    noun: str
    table: KeyTable
    required: str = ""
    short: str = ""
    one_of: tuple[str, ...] = ()

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and self.short:
            return self._read_short(node, path, reading)
        if not isinstance(node, MapNode):
            reading.report(node, path, f"expected {self.noun}, found {found(node)}{self._hint(node, path)}")
            return BROKEN
        known = self.table.at(self.name)
        settings: dict[str, Setting] = {}
        for key, value_node in node.entries:
            if key.text not in known:
                reading.report(key, path, self._unknown(key.text, tuple(known)))
                continue
            key_path = path_of(path, key.text)
            settings[key.text] = Setting(known[key.text].kind.read(value_node, key_path, reading), key, key_path)
        if self.required and self.required not in settings:
            reading.report(node, path, f"needs the key {quote(self.required)}")
            return BROKEN
        return settings

    def _read_short(self, node: ScalarNode, path: str, reading: Reading) -> Any:
        if node.is_null:
            reading.report(node, path, f"expected {self.noun}, found nothing")
            return BROKEN
        value = self.table.at(self.name)[self.short].kind.read(node, path, reading)
        return BROKEN if value is BROKEN else {self.short: Setting(value, node, path)}

    def _unknown(self, name: str, known: tuple[str, ...]) -> str:
        owners = self.table.owners(name)
        if owners:
            return (
                f"key {quote(name)} belongs to {owners}, not to {self.table.titles[self.name]}{by_meaning(name, known)}"
            )
        return f"unknown key {quote(name)}{for_key(name, known)}"

    def _hint(self, node: Node, path: str) -> str:
        return for_route(node, path) if self.name == "route" else for_mapping(node)

    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.name}"}
