"""Writes YAML that a person would keep: block style, comments, quotes only where
they are needed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from wsgi_wasm.config.nodes import is_unicode
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.messages import printable

Value: TypeAlias = "str | bool | Sequence[Value] | Mapping[str, Value]"

# Without quotes only where no reader of YAML could take the text for anything else.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def scalar(text: str) -> str:
    """A text as YAML."""
    if (
        _PLAIN.fullmatch(text)
        and text.lower() not in _WORDS
        and not re.fullmatch(r"\.?[0-9._]*|\.(inf|nan)", text, re.I)
    ):
        return text
    return "".join(one if one.isprintable() else _escape(one) for one in json.dumps(text, ensure_ascii=False))


def _escape(character: str) -> str:
    """As YAML writes what it does not print, and line ends that JSON does not know."""
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escaped(text: str) -> str:
    """A text in which `${` means nothing to the gateway."""
    return text.replace("${", "$${")


def value(data: Value) -> str:
    """A value on one line."""
    match data:
        case bool():
            return "true" if data else "false"
        case str():
            return scalar(data)
        case Mapping():
            return "{" + ", ".join(f"{scalar(key)}: {value(text)}" for key, text in data.items()) + "}"
        case _:
            return "[" + ", ".join(map(value, data)) + "]"


def comment(text: str, indent: str = "") -> list[str]:
    """Comment lines, broken at about a hundred columns."""
    lines, line = [], f"{indent}#"
    for word in map(printable, text.split()):
        if len(line) + len(word) > 99 and line.strip() != "#":
            lines.append(line)
            line = f"{indent}#"
        line += f" {word}"
    return [*lines, line]


def host_path(path: Path, base: Path) -> str:
    """A path for a file in `base`: relative where it lies below, else absolute. Raises ConfigError
    where YAML cannot hold it."""
    if not is_unicode(str(path)):
        raise ConfigError([Problem(printable(str(path)), 0, 0, "is not UTF-8, as names in YAML are")])
    whole, start = Path(os.path.abspath(path)), Path(os.path.abspath(base))
    return escaped(str(whole.relative_to(start)) if whole.is_relative_to(start) else str(whole))
