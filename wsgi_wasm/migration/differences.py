"""How two answers differ: in the status, in a field, in the body, and by which rule they may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from wsgi_wasm.migration.body_rows import BodyRow, first_difference, rows_of
from wsgi_wasm.migration.compare_rules import MASKED, Expected, Rules
from wsgi_wasm.migration.hidden import Hidden
from wsgi_wasm.migration.sending import Reply, SiteAddress

MOST_MASKED = 4 << 20
"""Bytes of a body that rules are applied to; longer ones are compared as they are."""
OWN_PLACE = "{site}"


@dataclass(frozen=True, slots=True)
class Difference:
    """`part` is `answer`, `status`, `body` or a field's name. `rule` names what allows it, "" if
    nothing does. Of a body `offset` is the first byte that differs and `rows` what stands around
    it."""

    part: str
    native: str
    ours: str
    rule: str = ""
    offset: int = -1
    rows: tuple[BodyRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparing:
    """Compares two sites' answers to one request. What it shows of them leaves out what is
    `hidden`."""

    native: SiteAddress
    ours: SiteAddress
    rules: Rules
    hidden: Hidden

    def differences(self, path: str, native: Reply, ours: Reply) -> tuple[Difference, ...]:
        """What differs between the answers to a request for `path`."""
        if native.failure or ours.failure:
            there, here = (reply.failure or f"status {reply.status}" for reply in (native, ours))
            return (Difference("answer", there, here),)
        expected = [rule for rule in self.rules.expected if rule.is_for(path)]
        return (
            *self._status(native, ours, expected),
            *self._fields(native, ours, expected),
            *self._body(native, ours, expected),
        )

    def _status(self, native: Reply, ours: Reply, expected: Sequence[Expected]) -> Iterator[Difference]:
        pair = (native.status, ours.status)
        if pair[0] != pair[1]:
            rule = next((one.name for one in expected if one.status == pair), "")
            yield Difference("status", str(pair[0]), str(pair[1]), rule)

    def _fields(self, native: Reply, ours: Reply, expected: Sequence[Expected]) -> Iterator[Difference]:
        theirs, mine = (_by_name(reply) for reply in (native, ours))
        for name in sorted(theirs.keys() | mine.keys()):
            if name in self.rules.ignored:
                continue
            before, after = theirs.get(name, []), mine.get(name, [])
            if self._plain(name, before, self.native) == self._plain(name, after, self.ours):
                continue
            rule = next((one.name for one in expected if name in one.fields), "")
            there, here = (", ".join(self.hidden.shown(name, value) for value in values) for values in (before, after))
            yield Difference(name, there, here, rule)

    def _plain(self, name: str, values: Sequence[str], site: SiteAddress) -> list[str]:
        """As two sites would have it: without the own address and what is masked. Repeated fields
        are one list (RFC 9110 5.3), but for cookies."""
        texts = [self.rules.masked(_anywhere(value, site)) for value in values]
        if name == "set-cookie":
            return texts
        return [part.strip(" \t") for part in ",".join(texts).split(",")] if texts else []

    def _body(self, native: Reply, ours: Reply, expected: Sequence[Expected]) -> Iterator[Difference]:
        if native.digest == ours.digest and native.size == ours.size and native.cut == ours.cut:
            return
        sizes = [f"{reply.size:,} bytes{' and more' if reply.cut else ''}" for reply in (native, ours)]
        rule = next((one.name for one in expected if one.any_body), "")
        if max(native.size, ours.size) > MOST_MASKED:
            offset = first_difference(native.body, ours.body)
            texts = [_part(reply.body, offset) for reply in (native, ours)]
            yield self._difference(texts, sizes, rule, offset)
            return
        whole = [_text(reply.body) for reply in (native, ours)]
        places = zip(whole, (self.native, self.ours), strict=True)
        texts = [self.rules.masked(_anywhere(text, site)) for text, site in places]
        if texts[0] == texts[1] and native.cut == ours.cut:
            return
        names, masked = _masked_by(expected, texts)
        if masked[0] == masked[1]:
            rule = names
        yield self._difference(texts, sizes, rule, first_difference(native.body, ours.body))

    def _difference(self, texts: Sequence[str], sizes: Sequence[str], rule: str, offset: int) -> Difference:
        return Difference("body", sizes[0], sizes[1], rule, offset, rows_of(texts[0], texts[1], self.hidden.hide))


def _masked_by(expected: Sequence[Expected], texts: Sequence[str]) -> tuple[str, list[str]]:
    """The texts without what rules mask, and the names of the rules that had something to mask."""
    names, masked = [], list(texts)
    for rule in expected:
        before = list(masked)
        for mask in rule.masks:
            masked = [mask.sub(MASKED, text) for text in masked]
        if masked != before:
            names.append(rule.name)
        if masked[0] == masked[1]:
            break
    return "+".join(names), masked


def _by_name(reply: Reply) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in reply.fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def _anywhere(text: str, site: SiteAddress) -> str:
    """A text that does not say where its site is."""
    text = text.replace(site.url, OWN_PLACE)
    return text.replace(site.authority, OWN_PLACE) if ":" in site.authority else text


def _text(body: IO[bytes]) -> str:
    body.seek(0)
    return body.read().decode("utf-8", "surrogateescape")


def _part(body: IO[bytes], offset: int) -> str:
    body.seek(max(0, offset - 200))
    return body.read(2000).decode("utf-8", "surrogateescape")
