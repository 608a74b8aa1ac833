"""A YAML document without YAML's types: text, lists and mappings, each with its place; and the
notes on its mistakes.

What a scalar means is decided later, by the kind that its key wants: `no` is text where
text is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.messages import quote, shorten

MOST_PROBLEMS = 100  # of one file: who has more mends one kind, and looks again

# The texts that YAML takes for "no value" when they are not quoted.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One written text; `plain` when it stands without quotes."""

    text: str
    plain: bool
    line: int
    column: int

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class ListNode:
    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class MapNode:
    """Keys are unique: the reader reports a second one and leaves it out."""

    entries: tuple[tuple[ScalarNode, Node], ...]
    line: int
    column: int


Node: TypeAlias = ScalarNode | ListNode | MapNode


@dataclass(slots=True)
class Reading:
    """One run over one file: where its paths start, what `${NAME}` may name, and the problems
    found so far."""

    file: str
    base: Path
    environ: Mapping[str, str]
    problems: set[Problem] = field(default_factory=set)
    _expanded: dict[str, str] = field(default_factory=dict)  # what is written for them, by texts

    def report(self, node: Node, path: str, message: str) -> None:
        """Note a mistake at `node`; `path` names the key, such as `routes./shop.dirs`, and is empty
        at the top. Raises ConfigError with the last one that is taken."""
        self.report_at(node.line, node.column, f"{path}: {message}" if path else message)

    def report_at(self, line: int, column: int, message: str) -> None:
        """The same. A text that came from a variable may be a secret: where one is quoted, it is as
        it is written in the file."""
        for text, written in self._expanded.items():
            message = message.replace(quote(text), quote(written))
        self.problems.add(Problem(self.file, line, column, message))
        if len(self.problems) >= MOST_PROBLEMS:
            more = f"there are {MOST_PROBLEMS} mistakes or more: only these are listed"
            raise ConfigError([*self.problems, Problem(self.file, 0, 0, more)])

    def expand(self, node: ScalarNode, path: str) -> str | None:
        """The node's text with each `${NAME}` replaced; None after reporting what
        stands in the way."""
        if "${" not in node.text:
            return node.text
        wrong: list[str] = []
        text = _REFERENCE.sub(lambda match: self._reference(match, wrong), node.text)
        for message in wrong:
            self.report(node, path, message)
        if wrong:
            return None
        if text:
            self._expanded[text] = node.text
        return text

    def _reference(self, match: re.Match[str], wrong: list[str]) -> str:
        if match[0] == "$${":
            return "${"
        name = match[1]
        if not match[2] or not _VARIABLE.fullmatch(name):
            wrong.append(
                f"{quote(match[0])} is not a reference to an environment variable; write '$${{' for the text '${{'"
            )
            return ""
        value = self.environ.get(name)
        if value is None:
            wrong.append(f"environment variable {name} is not set")
            return ""
        if "\0" in value or not is_unicode(value):
            wrong.append(f"environment variable {name} is not UTF-8 text")
            return ""
        return value


def path_of(parent: str, key: str) -> str:
    """The name of `key` in messages: `routes` and `/shop` give `routes./shop`."""
    key = shorten(key) if shorten(key).isprintable() else repr(shorten(key))
    return f"{parent}.{key}" if parent else key


def is_unicode(text: str) -> bool:
    """False when `text` holds a lone surrogate, which no UTF-8 file or variable can."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def found(node: Node) -> str:
    """What stands at `node`, for messages."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    return "nothing" if node.is_null else quote(node.text)


def written(data: Any) -> Node:
    """A node as if `data` (JSON-like, such as a default of the table of keys) stood in a file."""
    match data:
        case None:
            return ScalarNode("null", True, 0, 0)
        case bool():
            return ScalarNode(str(data).lower(), True, 0, 0)
        case list():
            return ListNode(tuple(written(item) for item in data), 0, 0)
        case dict():
            entries = tuple((ScalarNode(key, False, 0, 0), written(value)) for key, value in data.items())
            return MapNode(entries, 0, 0)
        case _:
            return ScalarNode(str(data), False, 0, 0)
