"""What somebody may have meant whose file has a value of the wrong shape, or a key that is not
known. Each hint follows a message, and is empty where nothing is likely."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from wsgi_wasm.config.nodes import ListNode, MapNode, Node, ScalarNode
from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.interpreters import SUFFIXES
from wsgi_wasm.messages import did_you_mean, quote

_ANY_TARGET = "; write {module: FILE}, {directory: DIR} or {spin: FILE}"
_NO_DASHES = "; write its entries without '-'"
# A key and its value, with no space between.
_GLUED = re.compile(r"(?!https?:)([^\s:{}\[\],]+):[^\s:]+")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([ -~]{0,40})")
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")

# What other systems, or plain words, call a key.
_OTHER_NAMES = {
    "args": ("argv", "arguments"),
    "directory": ("cgi_bin", "document_root", "folder", "root", "scripts"),
    "dirs": ("mounts", "preopens", "volumes"),
    "env": ("environment", "envs", "vars"),
    "hosts": ("domains", "virtual_hosts", "vhosts"),
    "interpreters": ("handlers", "interpreter"),
    "isolate": ("sandbox",),
    "max_body": ("body_limit", "limit_request_body"),
    "memory": ("max_memory", "memory_limit"),
    "methods": ("method",),
    "module": ("binary", "component", "file", "path", "program", "script", "source", "wasm"),
    "routes": ("paths", "urls"),
    "timeout": ("deadline", "time_limit"),
}
_INTERPRETERS = {suffix: name for name, suffix in SUFFIXES.items()}
_MEANT = {other: name for name, others in _OTHER_NAMES.items() for other in others}


def for_key(name: str, known: Collection[str]) -> str:
    """The key of `known` that `name` stands for."""
    glued = _GLUED.fullmatch(name)
    if glued and glued[1] in known:
        return f"; write a space after {quote(glued[1] + ':')}"
    if name.startswith("/") and "routes" in known:
        return "; write it below 'routes'"
    plain = name.lower().replace("-", "_")
    if plain in known:
        return f"; did you mean {quote(plain)}?"
    return did_you_mean(plain, known) or by_meaning(plain, known)


def by_meaning(name: str, known: Collection[str]) -> str:
    """The key of `known` that has another name elsewhere."""
    meant = _MEANT.get(name)
    return f"; did you mean {quote(meant)}?" if meant is not None and meant in known else ""


def for_route(node: Node, path: str) -> str:
    """For what stands where a route's keys should; `path` names the route, as in `routes./shop`."""
    if isinstance(node, ListNode):
        if all(isinstance(item, MapNode) for item in node.items):
            return _NO_DASHES
        return for_route(node.items[0], path) if len(node.items) == 1 else _ANY_TARGET
    if not isinstance(node, ScalarNode) or node.is_null:
        return f"{_ANY_TARGET}, or indent its keys further than the path"
    text = node.text
    if re.match("[a-z]+://", text):
        return "; a module is a file on this machine"
    key = _target(text)
    if not key:
        return _ANY_TARGET
    more = f", interpreters: {{{key}: {_INTERPRETERS[key]}}}" if key in _INTERPRETERS else ""
    wanted = f"directory: {_written(text.rpartition('/')[0] or '.')}{more}" if more else f"{key}: {_written(text)}"
    route = path.partition("routes.")[2].removeprefix("/")
    return f"; did you mean {quote(f'/{route}: {{{wanted}}}', 200)}?"


def _target(text: str) -> str:
    """The key that makes a route of this file, or a script's suffix; empty where neither
    is likely."""
    lower = text.lower()
    if lower.endswith(MODULE_SUFFIXES):
        return "module"
    if lower.endswith(".toml"):
        return "spin"
    if text.endswith("/"):
        return "directory"
    return next((suffix for suffix in _INTERPRETERS if lower.endswith(suffix)), "")


def for_mapping(node: Node) -> str:
    """For what stands where a mapping of names should."""
    if isinstance(node, ListNode):
        if node.items and all(isinstance(item, MapNode) for item in node.items):
            return _NO_DASHES
        texts = [item.text for item in node.items if isinstance(item, ScalarNode)]
        return _assigned(texts) if len(texts) == len(node.items) else ""
    if not isinstance(node, ScalarNode) or node.is_null:
        return ""
    glued = _GLUED.match(node.text)
    return f"; write a space after {quote(glued[1] + ':')}" if glued else _assigned([node.text])


def _assigned(texts: list[str]) -> str:
    pairs = [_ASSIGNED.fullmatch(text) for text in texts]
    if not pairs or None in pairs or len(pairs) > 3:
        return ""
    return "; write {" + ", ".join(f"{pair[1]}: {_written(pair[2])}" for pair in pairs if pair) + "}"


def _written(text: str) -> str:
    """A text as a value between braces."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def for_syntax(lines: list[str], number: int) -> str:
    """For line `number` (from 0), where the parser gave up."""
    broken = lines[number] if number < len(lines) else ""
    if "${" in broken:
        return "; inside [ ] and { } a value with ${...} needs quotes"
    if "\t" in broken[: len(broken) - len(broken.lstrip())]:
        return "; indent with spaces, not tabs"
    # The parser notices at the next key that what came before it was none.
    for at in range(number, max(number - 2, -1), -1):
        glued = _GLUED.fullmatch(lines[at].strip()) if at < len(lines) else None
        if glued:
            return f"; write a space after {quote(glued[1] + ':')} on line {at + 1}"
    return ""
