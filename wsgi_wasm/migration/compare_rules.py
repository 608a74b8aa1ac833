"""What may differ between two answers: by nature, or by a rule that has a name.

A file of rules is YAML:

    ignore: [X-Powered-By]                # fields, in every answer
    mask: ['\\d\\d:\\d\\d:\\d\\d']        # expressions, in bodies and values of fields
    expect:                               # differences that have a name
      error-status: {path: "/cgi-bin/broken*", status: [500, 502]}
      own-software: {path: ["/cgi-bin/env*"], mask: "SERVER_SOFTWARE=.*"}
      login: {path: "/login", fields: [WWW-Authenticate], body: any}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.files.regular import opened
from wsgi_wasm.messages import did_you_mean, escaped, quote, reason

OF_NATURE = frozenset(
    """date server via connection keep-alive transfer-encoding content-length age x-request-id""".split()  # noqa: SIM905
)
"""Fields of the connection or of the moment, or that the body decides."""

MASKED = "\N{HORIZONTAL ELLIPSIS}"
_MOST_RULES = 1 << 20  # bytes


class BadRules(WsgiWasmError):
    """Rules that cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A difference that has a name. It is one of the answers to `paths` (patterns as a shell has
    them) in the status, in the `fields` (lower case), or in the body: all of it, or what `masks`
    match."""

    name: str
    paths: tuple[str, ...] = ("*",)
    status: tuple[int, int] | None = None
    fields: frozenset[str] = frozenset()
    masks: tuple[re.Pattern[str], ...] = ()
    any_body: bool = False

    def is_for(self, path: str) -> bool:
        """Whether answers to this path may differ so."""
        return any(fnmatchcase(path, pattern) for pattern in self.paths)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules. `ignored` are fields in lower case."""

    ignored: frozenset[str] = OF_NATURE
    masks: tuple[re.Pattern[str], ...] = ()
    expected: tuple[Expected, ...] = field(default=())

    def masked(self, text: str) -> str:
        """A text without what may differ everywhere."""
        for mask in self.masks:
            text = mask.sub(MASKED, text)
        return text

    def with_more(self, ignored: Collection[str], masks: Sequence[str]) -> Rules:
        """The same and what the command line adds. Raises BadRules."""
        more = tuple(_expression("--mask", mask) for mask in masks)
        names = frozenset(name.lower() for name in ignored)
        return Rules(self.ignored | names, self.masks + more, self.expected)


def read_rules(path: Path) -> Rules:
    """The rules in a file. Raises BadRules."""
    try:
        with opened(path) as file:
            value = yaml.safe_load(file.read(_MOST_RULES))
    except OSError as error:
        raise BadRules(f"{escaped(path)}: cannot be read: {reason(error)}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadRules(f"{escaped(path)}: is no YAML: {escaped(' '.join(str(error).split()), 200)}") from None
    try:
        return _rules(value or {})
    except BadRules as error:
        raise BadRules(f"{escaped(path)}: {error}") from None


def _rules(value: Any) -> Rules:
    keys = _mapping("the file", value, ("ignore", "mask", "expect"))
    expected = keys.get("expect", {})
    if not isinstance(expected, dict):
        raise BadRules("expect: must have a name for each difference")
    return Rules(
        ignored=OF_NATURE | {name.lower() for name in _texts("ignore", keys)},
        masks=tuple(_expression("mask", mask) for mask in _texts("mask", keys)),
        expected=tuple(_expected(str(name), rule) for name, rule in expected.items()),
    )


def _expected(name: str, value: Any) -> Expected:
    place = f"expect: {escaped(name, 60)}"
    keys = _mapping(place, value, ("path", "status", "fields", "mask", "body"))
    status = keys.get("status")
    numbers = isinstance(status, list) and len(status) == 2 and all(type(one) is int for one in status)
    if status is not None and not numbers:
        raise BadRules(f"{place}: status: must be two numbers, the native one first: [500, 502]")
    if keys.get("body", "any") != "any":
        raise BadRules(f"{place}: body: can only be `any`; use `mask` for a part of it")
    if not keys.keys() - {"path"}:
        raise BadRules(f"{place}: must say what may differ: status, fields, mask or body")
    return Expected(
        name=name,
        paths=tuple(_texts(f"{place}: path", keys, "path")) or ("*",),
        status=(status[0], status[1]) if isinstance(status, list) else None,
        fields=frozenset(one.lower() for one in _texts(f"{place}: fields", keys, "fields")),
        masks=tuple(_expression(place, mask) for mask in _texts(f"{place}: mask", keys, "mask")),
        any_body="body" in keys,
    )


def _mapping(place: str, value: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRules(f"{place}: must have keys ({', '.join(allowed)})")
    for key in value:
        if key not in allowed:
            raise BadRules(f"{place}: unknown key {quote(str(key))}{did_you_mean(str(key), allowed)}")
    return value


def _texts(place: str, keys: dict[str, Any], name: str = "") -> Iterator[str]:
    value = keys.get(name or place, [])
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str):
            raise BadRules(f"{place}: must be a text or a list of texts")
        yield one


def _expression(place: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadRules(f"{place}: {quote(text)} is no regular expression: {escaped(error)}") from None
