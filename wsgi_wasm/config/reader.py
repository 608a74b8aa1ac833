"""Text to nodes. Uses YAML's events rather than its constructors, so that no value is guessed at
and every node keeps its place; and refuses what a configuration does not need: tags, merge keys,
several documents, endless nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from wsgi_wasm.config.hints import for_syntax
from wsgi_wasm.config.nodes import ListNode, MapNode, Node, Reading, ScalarNode, is_unicode, path_of
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.files.text import encoding_hint, without_mark
from wsgi_wasm.messages import quote

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 1 << 20
# With aliases written out: a few lines of them can stand for billions of nodes.
MAX_NODES = 50_000
MAX_DEPTH = 20

# What YAML does not print, and the line ends that editors do not show.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def read_document(data: bytes, reading: Reading) -> Node:
    """The one document in `data`.

    Mistakes that leave the rest readable (a duplicate key, a tag) are noted in `reading`; raises
    ConfigError, with what was noted before, when there is nothing to go on with.
    """
    text = _decode(data, reading)
    if not text.strip():
        _stop(reading, 1, 1, "the file is empty")
    import yaml  # 30 ms, and only loading needs it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    composer = _Composer(yaml, yaml.parse(text, Loader=loader), reading)
    try:
        node = composer.document()
    except yaml.MarkedYAMLError as error:
        _stop_at_mark(text, error, reading)
    except yaml.YAMLError as error:
        _stop(reading, 1, 1, f"not YAML: {quote(str(error))}")
    if node is None:
        _stop(reading, 1, 1, "the file is empty")
    return node


def _decode(data: bytes, reading: Reading) -> str:
    if len(data) > MAX_BYTES:
        _stop(reading, 0, 0, "larger than 1 MiB")
    data = without_mark(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        message = f"not UTF-8: byte 0x{data[error.start]:02x}{encoding_hint(data)}"
        _stop(reading, *_position(before), message)
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        _stop(reading, *_position(text[: unprintable.start()]), f"character U+{ord(unprintable[0]):04X} is not allowed")
    return text


def _position(before: str) -> tuple[int, int]:
    lines = re.split("\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1


def _stop(reading: Reading, line: int, column: int, message: str) -> NoReturn:
    reading.report_at(line, column, message)
    raise ConfigError(list(reading.problems))


def _stop_at_mark(text: str, error: yaml.MarkedYAMLError, reading: Reading) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    message = f"not YAML: {error.problem or error.context}"
    _stop(reading, line + 1, column + 1, message + for_syntax(text.splitlines(), line))


@dataclass(frozen=True, slots=True)
class _Sized:
    """A node and how many nodes it stands for, itself among them."""

    node: Node
    size: int


class _Composer:
    """Builds nodes from events by recursive descent, which `MAX_DEPTH` bounds."""

    def __init__(self, yaml: Any, events: Iterator[Any], reading: Reading) -> None:
        self._yaml = yaml
        self._events = events
        self._reading = reading
        self._anchors: dict[str, _Sized] = {}
        self._size = 0

    def document(self) -> Node | None:
        """The root node, or None where the file holds comments alone."""
        yaml = self._yaml
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._stop(event, "a second document starts here; a configuration is one document")
                root = self._node(next(self._events), "", 1)
        if isinstance(root, ScalarNode) and root.is_null:
            return None
        return root

    def _node(self, event: Any, path: str, depth: int) -> Node:
        yaml = self._yaml
        before = self._size
        self._count(event, 1)
        if depth > MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            tag = quote(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._report(event, path, f"tags such as {tag} are not supported; put the text in quotes")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(event, path, depth)
        else:
            node = self._map(event, path, depth)
        if event.anchor is not None:
            if event.anchor in self._anchors:
                self._stop(event, f"a second anchor '&{event.anchor}'")
            self._anchors[event.anchor] = _Sized(node, self._size - before)
        return node

    def _alias(self, event: Any) -> Node:
        # An anchor is known when its node is whole, so an alias inside of it finds nothing either.
        target = self._anchors.get(event.anchor)
        if target is None:
            self._stop(event, f"'*{event.anchor}' has no complete anchor '&{event.anchor}' before it")
        self._count(event, target.size)
        return target.node

    def _scalar(self, event: Any, path: str) -> ScalarNode:
        text: str = event.value
        if "\0" in text or not is_unicode(text):
            self._report(event, path, "the text contains NUL or half of a surrogate pair")
            text = text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")
        return ScalarNode(text, event.implicit[0], event.start_mark.line + 1, event.start_mark.column + 1)

    def _list(self, event: Any, path: str, depth: int) -> ListNode:
        items: list[Node] = []
        for inner in self._events:
            if isinstance(inner, self._yaml.SequenceEndEvent):
                break
            items.append(self._node(inner, f"{path}[{len(items)}]", depth + 1))
        return ListNode(tuple(items), event.start_mark.line + 1, event.start_mark.column + 1)

    def _map(self, event: Any, path: str, depth: int) -> MapNode:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        for inner in self._events:
            if isinstance(inner, self._yaml.MappingEndEvent):
                break
            key = self._node(inner, path, depth + 1)
            text = key.text if isinstance(key, ScalarNode) else "?"
            value = self._node(next(self._events), path_of(path, text), depth + 1)
            if not isinstance(key, ScalarNode):
                self._report(inner, path, "a key must be a text")
            elif text in entries:
                first = entries[text][0]
                self._report(inner, path, f"duplicate key {quote(text)}, first on line {first.line}")
            elif text == "<<" and key.plain:
                self._report(inner, path, "merge keys '<<' are not supported; put shared keys into 'defaults'")
            else:
                entries[text] = (key, _placed(value, key))
        return MapNode(tuple(entries.values()), event.start_mark.line + 1, event.start_mark.column + 1)

    def _count(self, event: Any, nodes: int) -> None:
        self._size += nodes
        if self._size > MAX_NODES:
            self._stop(event, f"more than {MAX_NODES} values, including those that aliases repeat")

    def _report(self, event: Any, path: str, message: str) -> None:
        mark = event.start_mark
        self._reading.report_at(mark.line + 1, mark.column + 1, f"{path}: {message}" if path else message)

    def _stop(self, event: Any, message: str) -> NoReturn:
        _stop(self._reading, event.start_mark.line + 1, event.start_mark.column + 1, message)


def _placed(value: Node, key: ScalarNode) -> Node:
    """A missing value has no place worth pointing at: take its key's."""
    if isinstance(value, ScalarNode) and value.is_null and not value.text:
        return ScalarNode("", True, key.line, key.column)
    return value
