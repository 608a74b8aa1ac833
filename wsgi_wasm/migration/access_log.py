"""Requests from a server's access log, in the common or the combined format (with or without the
virtual host before it)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.migration.planned import Plan, planned_request

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LINE = re.compile(r'^(?:\S+:\d+ )?\S+ \S+ .{0,300}?\[[^\]]{10,40}\] "((?:[^"\\]|\\.)*)" (?:\d{3}|-) (?:\d+|-)')
_ESCAPE = re.compile(r'\\(?:x([0-9a-fA-F]{2})|([\\"nrtbvf]))')
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v", "f": "\f"}
_MOST_LINE = 64 << 10


def looks_like_log(text: str) -> bool:
    """Whether the first line with anything in it is one of a log."""
    return bool(_LINE.match(text.lstrip("\n")[:_MOST_LINE].partition("\n")[0]))


def read_access_log(path: Path, text: str) -> Plan:
    """Each different request once. A log has no bodies, so requests that had one cannot be sent
    again; the agent and the referrer of the combined format are sent too."""
    plan = Plan()
    for number, line in enumerate(_lines(text), 1):
        if not line.strip():
            continue
        found = _LINE.match(line[:_MOST_LINE])
        words = _plain(found[1]).split(" ") if found else []
        if found is None or len(words) not in (2, 3):
            plan.leave_out("lines that are no request")
            continue
        if words[0] in ("POST", "PUT", "PATCH"):
            plan.leave_out(f"{words[0]}: a log has no bodies")
            continue
        fields = _fields(line[found.end() : _MOST_LINE])
        try:
            plan.add(planned_request(words[0], _target(words[1]), fields, b"", f"{path.name}:{number}"))
        except ValueError as error:
            plan.leave_out(str(error))
    return plan


def _lines(text: str) -> Iterator[str]:
    """One after the other, as a log has millions of them."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _fields(rest: str) -> tuple[tuple[str, str], ...]:
    values = [_plain(value) for value in _QUOTED.findall(rest)[:2]]
    if len(values) < 2:
        return ()
    return tuple((name, value) for name, value in zip(("Referer", "User-Agent"), values, strict=True) if value != "-")


def _target(text: str) -> str:
    """In absolute form, as proxies are asked, only the path counts here."""
    return re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", text) or "/"


def _plain(text: str) -> str:
    """What Apache escaped (`\\"`, `\\xhh`), as it was."""
    return _ESCAPE.sub(lambda one: chr(int(one[1], 16)) if one[1] else _NAMED.get(one[2], one[2]), text)
