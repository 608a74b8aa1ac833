"""Keys and sections: mappings whose keys are ours, each listed in a table (`schema.KEYS`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from wsgi_wasm.config.kinds import BROKEN, Kind, Setting
from wsgi_wasm.config.nodes import MapNode, Node, Reading, ScalarNode, found, path_of
from wsgi_wasm.messages import did_you_mean, quote


class _NoDefault(Enum):
    NO_DEFAULT = "no default"


NO_DEFAULT: Final = _NoDefault.NO_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. `places` are the sections that have it; `default` is written as in a file, as JSON-like data; `example`
    is its value in a line of YAML; `group` is where the reference page has it."""

    name: str
    kind: Kind
    default: Any
    places: tuple[str, ...]
    group: str
    doc: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All keys, and what each section is called in messages."""

    keys: Sequence[Key]
    titles: dict[str, str]

    def at(self, place: str) -> dict[str, Key]:
        return {key.name: key for key in self.keys if place in key.places}

    def owners(self, name: str) -> str:
        """The sections that have the key `name`, in words; empty when none has."""
        titles = [self.titles[place] for place in self.titles if name in self.at(place)]
        return " or ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping with the keys of `place`. A scalar in its place stands for the key `short`. Reads to `Settings`."""

    place: str
    noun: str
    table: Table
    required: str = ""
    short: str = ""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and self.short:
            return self._read_short(node, path, reading)
        if not isinstance(node, MapNode):
            reading.report(node, path, f"expected {self.noun}, found {found(node)}")
            return BROKEN
        known = self.table.at(self.place)
        settings: dict[str, Setting] = {}
        for key, value_node in node.entries:
            if key.text not in known:
                reading.report(key, path, self._unknown(key.text, tuple(known)))
                continue
            place = path_of(path, key.text)
            settings[key.text] = Setting(known[key.text].kind.read(value_node, place, reading), key, place)
        if self.required and self.required not in settings:
            reading.report(node, path, f"needs the key '{self.required}'")
            return BROKEN
        return settings

    def _read_short(self, node: ScalarNode, path: str, reading: Reading) -> Any:
        if node.is_null:
            reading.report(node, path, f"expected {self.noun}, found nothing")
            return BROKEN
        value = self.table.at(self.place)[self.short].kind.read(node, path, reading)
        return BROKEN if value is BROKEN else {self.short: Setting(value, node, path)}

    def _unknown(self, name: str, known: tuple[str, ...]) -> str:
        owners = self.table.owners(name)
        if owners:
            return f"key {quote(name)} belongs to {owners}, not to {self.table.titles[self.place]}"
        return f"unknown key {quote(name)}{did_you_mean(name, known)}"

    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.place}"}
