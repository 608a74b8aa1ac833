"""The requests that a comparison sends, and the plainest way to write them down.

The list: a line is a method and a target, or a target alone for GET. Indented lines below it are
its fields (`Name: value`) and its body: `= TEXT`, where several lines are joined, or `@ FILE`.
Lines that begin with `#`, and empty ones, are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote as percent_encoded

from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.files.regular import opened
from wsgi_wasm.messages import escaped, quote, reason

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})
"""Without side effects, as far as a method can tell (RFC 9110 9.2.1); TRACE and CONNECT are never
sent."""

MOST_FILE = 256 << 20  # bytes of a list, a log or an archive
MOST_BODY = 64 << 20
MOST_REASONS = 20
MOST_REQUESTS = 100_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
# Of the connection, or made by whoever sends.
_OWN_FIELDS = frozenset(
    """host connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length accept-encoding
    expect http2-settings""".split()  # noqa: SIM905
)


class BadRequests(WsgiWasmError):
    """A file of requests that cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request. `target` is a path with a query, in ASCII; `source` says where it stood."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    source: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent without being asked for."""
        return self.method in SAFE_METHODS

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(slots=True)
class Plan:
    """What was read: each different request once, in order. `left_out` counts the reasons for which
    others are not among them."""

    requests: list[PlannedRequest] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    _known: set[tuple[object, ...]] = field(default_factory=set)

    def add(self, planned: PlannedRequest) -> None:
        """A request, if it is not the same as another."""
        key = (planned.method, planned.target, planned.fields, planned.body)
        if key in self._known:
            self.leave_out("the same as another")
        elif len(self._known) == MOST_REQUESTS:
            self.leave_out(f"more than {MOST_REQUESTS} different ones")
        else:
            self._known.add(key)
            self.requests.append(planned)

    def leave_out(self, why: str) -> None:
        """Count a request that is not among them. A stranger's log can have any number of
        reasons."""
        new = why not in self.left_out and len(self.left_out) >= MOST_REASONS
        self.left_out["for other reasons" if new else why] += 1


def planned_request(
    method: str, target: str, fields: tuple[tuple[str, str], ...], body: bytes, source: str
) -> PlannedRequest:
    """One of foreign text. Raises ValueError where it can not be sent."""
    if not _TOKEN.fullmatch(method):
        raise ValueError(f"no method: {quote(method)}")
    if method in ("TRACE", "CONNECT"):
        raise ValueError(f"{quote(method)} is never sent")
    if not target.startswith("/") and target != "*":
        raise ValueError(f"the target does not begin with a slash: {quote(target)}")
    if any(character < "!" or character == "\x7f" for character in target):
        raise ValueError("the target has spaces or control characters")
    kept = []
    for name, value in fields:
        if not _TOKEN.fullmatch(name) or re.search(r"[\0\r\n]", value):
            raise ValueError(f"no header field: {quote(name)}")
        if name.lower() not in _OWN_FIELDS:
            kept.append((name, value.strip(" \t")))
    ascii_target = percent_encoded(target, safe="".join(map(chr, range(33, 127))))
    return PlannedRequest(method, ascii_target, tuple(kept), body, source)


def read_file(path: Path) -> str:
    """A file of requests. Raises BadRequests."""
    try:
        with opened(path) as file:
            if file.info.st_size > MOST_FILE:
                raise BadRequests(f"{escaped(path)}: is larger than {MOST_FILE >> 20} MiB: take a part of it")
            return file.read(MOST_FILE).decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise BadRequests(f"{escaped(path)}: cannot be read: {reason(error)}") from None


def read_list(path: Path, text: str) -> Plan:
    """The list. Raises BadRequests."""
    plan = Plan()
    for number, lines in _blocks(text):
        source = f"{path.name}:{number}"
        try:
            plan.add(_listed(path, source, lines))
        except ValueError as error:
            raise BadRequests(f"{escaped(path)}:{number}: {error}") from None
    return plan


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each request's lines, with the number of the first."""
    block: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] not in " \t" and block:
            yield start, block
            block = []
        start = start if block else number
        block.append(line)
    if block:
        yield start, block


def _listed(path: Path, source: str, lines: list[str]) -> PlannedRequest:
    words = lines[0].split()
    if lines[0][0] in " \t" or len(words) > 2:
        raise ValueError(f"not METHOD TARGET: {quote(lines[0])}")
    fields, body, texts = [], b"", []
    for line in lines[1:]:
        line = line.strip()
        if line.startswith("= ") or line == "=":
            texts.append(line[2:])
        elif line.startswith("@ "):
            body = _body(path.parent / line[2:].strip())
        elif ":" in line:
            name, _, value = line.partition(":")
            fields.append((name, value))
        else:
            raise ValueError(f"neither a field nor a body (`= TEXT`, `@ FILE`): {quote(line)}")
    body = "\n".join(texts).encode("utf-8", "surrogateescape") or body
    method = words[0] if len(words) == 2 else "POST" if body else "GET"
    return planned_request(method, words[-1], tuple(fields), body, source)


def _body(path: Path) -> bytes:
    try:
        with opened(path) as file:
            if file.info.st_size > MOST_BODY:
                raise ValueError(f"{escaped(path)} is larger than {MOST_BODY >> 20} MiB")
            return file.read(MOST_BODY)
    except OSError as error:
        raise ValueError(f"{escaped(path)} cannot be read: {reason(error)}") from None


Reader = Callable[[Path, str], Plan]
