"""The kinds of values that keys take: what reads a node, words the kind for messages and docs, and
writes its schema.

Contract of `read(node, path, reading)`: it returns the value, or reports every mistake below `node`
and returns BROKEN, or (collections) returns what remains without the broken parts. It never raises
for what stands in a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol

from wsgi_wasm.config import scalars
from wsgi_wasm.config.hints import for_mapping
from wsgi_wasm.config.nodes import ListNode, MapNode, Node, Reading, ScalarNode, found, path_of
from wsgi_wasm.messages import quote


class _Broken(Enum):
    BROKEN = "broken"


BROKEN: Final = _Broken.BROKEN

# In a schema pattern: a value that holds `${NAME}` cannot be judged before it is expanded.
_OR_EXPANDED = r"|\$\{"


class Kind(Protocol):
    @property
    def noun(self) -> str:
        """What the kind is called in messages, with its article."""
        ...

    def read(self, node: Node, path: str, reading: Reading) -> Any: ...

    def schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """A value with the key that it was written at."""

    value: Any
    key: ScalarNode
    path: str


Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One text. `pattern` and `types` describe it in the schema; with `nullable`, a plain
    `null` gives None."""

    noun: str
    parse: Callable[[str], Any]
    pattern: str = ""
    types: tuple[str, ...] = ("string",)
    extra: Mapping[str, Any] = field(default_factory=dict)
    nullable: bool = False
    is_path: bool = False

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and node.is_null and node.text == "null" and self.nullable:
            return None
        if not isinstance(node, ScalarNode) or node.is_null:
            reading.report(node, path, f"expected {self.noun}, found {found(node)}{self._null_hint(node)}")
            return BROKEN
        text = reading.expand(node, path)
        if text is None:
            return BROKEN
        try:
            value = self.parse(text)
        except ValueError as error:
            # An expanded text may be a secret: only what is written goes into the message.
            reason = str(error) if text == node.text else f"does not expand to {self.noun}"
            reading.report(node, path, f"{quote(node.text)} {reason}")
            return BROKEN
        return reading.base / value if self.is_path else value

    def _null_hint(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            return ""
        if self.nullable:
            return "; write null for none"
        return '; write "" for an empty text' if self.parse is scalars.plain_text else ""

    def schema(self) -> dict[str, Any]:
        types = [*self.types, *(["null"] if self.nullable else [])]
        schema: dict[str, Any] = {"type": types if len(types) > 1 else types[0]}
        if self.pattern:
            schema["pattern"] = f"^(?:{self.pattern})${_OR_EXPANDED}"
        return {**schema, **self.extra}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words."""

    allowed: tuple[str, ...]

    @property
    def noun(self) -> str:
        return "one of " + ", ".join(self.allowed)

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        return Scalar(noun=self.noun, parse=lambda text: scalars.choice(text, self.allowed)).read(node, path, reading)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(self.allowed)}, {"type": "string", "pattern": r"\$\{"}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathOrName:
    """A host path, or one of a few names, each of which reads to itself (a `str`, where a path
    is a `Path`)."""

    path: Scalar
    names: tuple[str, ...]

    @property
    def noun(self) -> str:
        return f"{self.path.noun} or {', '.join(self.names)}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, ScalarNode) and node.text in self.names:
            return node.text
        return self.path.read(node, path, reading)

    def schema(self) -> dict[str, Any]:
        return self.path.schema()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list without repetitions; `unique=False` allows them. `completed` adds what
    the items imply."""

    item: Kind
    plural: str
    unique: bool = True
    fold: bool = False  # compare without case
    at_least: int = 0
    nullable: bool = False
    completed: Callable[[tuple[Any, ...]], tuple[Any, ...]] = tuple

    @property
    def noun(self) -> str:
        return f"a list of {self.plural}" + (" or null" if self.nullable else "")

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if self.nullable and isinstance(node, ScalarNode) and node.plain and node.text == "null":
            return None
        if not isinstance(node, ListNode):
            reading.report(node, path, f"expected {self.noun}, found {found(node)}{_list_hint(node)}")
            return BROKEN
        if len(node.items) < self.at_least:
            reading.report(node, path, f"expected {self.noun}, found an empty list")
        values: dict[Any, Any] = {}
        for number, item in enumerate(node.items):
            item_path = f"{path}[{number}]"
            value = self.item.read(item, item_path, reading)
            if value is BROKEN:
                continue
            mark = (value.lower() if self.fold else value) if self.unique else number
            if mark in values:
                reading.report(item, item_path, f"{found(item)} is already in the list")
            values[mark] = value
        return self.completed(tuple(values.values()))

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": ["array", "null"] if self.nullable else "array", "items": self.item.schema()}
        if self.unique:
            schema["uniqueItems"] = True
        if self.at_least:
            schema["minItems"] = self.at_least
        return schema


def _list_hint(node: Node) -> str:
    if not isinstance(node, ScalarNode) or node.is_null or not re.fullmatch(r"[ -~]{1,40}", node.text):
        return ""
    return f"; write [{node.text}]" if node.text.isalnum() else f"; write [{json.dumps(node.text)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A mapping whose keys are names of the user's. `inner` gives the keys of its values, where
    they cannot be names themselves. Reads to `Settings`."""

    key: Scalar
    value: Kind
    plural: str
    inner: Callable[[], Collection[str]] = tuple

    @property
    def noun(self) -> str:
        return f"a mapping of {self.plural}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, MapNode):
            reading.report(node, path, f"expected {self.noun}, found {found(node)}{for_mapping(node)}")
            return BROKEN
        settings: dict[str, Setting] = {}
        for key, value_node in node.entries:
            value_path = path_of(path, key.text)
            if key.text in self.inner():
                reading.report(key, path, f"{quote(key.text)} is none of the {self.plural}; indent it below one")
                continue
            try:
                name = self.key.parse(key.text)
            except ValueError as error:
                name = key.text
                reading.report(key, path, f"{quote(key.text)} {error}")
            if name in settings:
                first = settings[name].key
                reading.report(key, path, f"duplicate key {quote(key.text)}, first on line {first.line}")
            value = self.value.read(value_node, value_path, reading)
            if value is not BROKEN:
                settings.setdefault(name, Setting(value, key, value_path))
        return settings

    def schema(self) -> dict[str, Any]:
        # Keys are never expanded.
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.key.pattern})$"},
            "additionalProperties": self.value.schema(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Names that guests use, and what each stands for: a mapping, or a list where each stands for
    itself. Reads to `Settings`."""

    item: Scalar
    plural: str

    @property
    def noun(self) -> str:
        return f"a list of {self.plural}, or a mapping to them"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, ListNode):
            labels = ListOf(item=self.item, plural=self.plural).read(node, path, reading)
            written = {item.text: item for item in node.items if isinstance(item, ScalarNode)}
            nowhere = ScalarNode("", False, node.line, node.column)
            return {label: Setting(label, written.get(label, nowhere), path) for label in labels}
        if isinstance(node, MapNode):
            return MapOf(key=self.item, value=self.item, plural=self.plural).read(node, path, reading)
        reading.report(node, path, f"expected {self.noun}, found {found(node)}{_list_hint(node)}")
        return BROKEN

    def schema(self) -> dict[str, Any]:
        as_list = ListOf(item=self.item, plural=self.plural).schema()
        return {"anyOf": [as_list, MapOf(key=self.item, value=self.item, plural=self.plural).schema()]}
