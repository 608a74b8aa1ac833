"""What a worker prints: one JSON object with `data`, `headers`, `status`, `kv` and `base64`.

The text comes from a stranger, so it is read against this one shape, with bounds on everything, and never built up as a
tree first: that could take a hundred times the memory of the text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from wsgi_wasm.cgi import abnf
from wsgi_wasm.errors import BadGateway

MAX_FIELDS = 200  # header fields; `HeadParser` has its own bound on lines
MAX_PAIRS = 10_000  # of `kv`
MAX_UNKNOWN = 10_000  # tokens in fields that the protocol does not have
MAX_DEPTH = 64  # of what stands in them
DEFAULT_TYPE = "text/html"

_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'[\[\]{}:,]|-?[0-9][0-9eE+.\-]*|true|false|null|(?=")')
_STATUS = re.compile(r"[2-5][0-9][0-9](?![0-9.eE])")
_STRING = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """`fields` are checked names and values as latin-1 strings of their bytes; `kv` is None where none was given."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    kv: dict[str, str]

    def head(self) -> bytes:
        """The head as a CGI program would print it, for the one parser of heads that there is."""
        lines = [f"Status: {self.status}", *(f"{name}: {value}" for name, value in self.fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def read_answer(output: bytes) -> WorkerAnswer:
    """Raises BadGateway, naming what is wrong and where."""
    try:
        text = output.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadGateway(f"the answer is not UTF-8, at byte {error.start}") from None
    reader = _Reader(text)
    draft = _Draft()
    for name in reader.names("the answer"):
        handle = _FIELDS.get(name)
        if handle is None:
            reader.skip()
        elif name in draft.seen:
            raise BadGateway(f"{name!r} appears twice")
        else:
            handle(draft, reader)
            draft.seen.add(name)
    reader.end()
    missing = [name for name in ("data", "headers", "status", "kv") if name not in draft.seen]
    if missing:
        raise BadGateway(f"the answer has no {', '.join(missing)}")
    if not any(name.lower() == "content-type" for name, _ in draft.fields):
        draft.fields.insert(0, ("Content-Type", DEFAULT_TYPE))
    return WorkerAnswer(draft.status, tuple(draft.fields), _body(draft), draft.kv)


@dataclass(slots=True)
class _Draft:
    seen: set[str] = field(default_factory=set)
    data: str = ""
    status: int = 200
    base64: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)
    kv: dict[str, str] = field(default_factory=dict)


def _body(draft: _Draft) -> bytes:
    data = _bytes(draft.data, "data")
    if not draft.base64:
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise BadGateway(f"data is no base64: {error}") from None


def _bytes(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadGateway(f"{what} holds half of a surrogate pair") from None


class _Reader:
    """Goes once through a JSON text. `at` is the place of the next value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self._unknown = 0
        self._blank()

    def _blank(self) -> str:
        """Past white space, to the next character; "" at the end."""
        match = _SPACE.match(self._text, self.at)
        assert match is not None
        self.at = match.end()
        return self._text[self.at : self.at + 1]

    def fault(self, wanted: str) -> BadGateway:
        found = self._text[self.at : self.at + 40]
        return BadGateway(f"not the JSON of a worker: {wanted} at character {self.at}, found {found!a}")

    def take(self, character: str) -> bool:
        if self._blank() != character:
            return False
        self.at += 1
        return True

    def names(self, what: str, most: int = MAX_UNKNOWN) -> Iterator[str]:
        """The names in an object, of which repeated ones count too; the caller reads or skips each one's value."""
        if not self.take("{"):
            raise self.fault(f"{what} has to be an object")
        if self.take("}"):
            return
        for _ in range(most):
            yield self.string("a name")
            if self.take(","):
                continue
            if not self.take("}"):
                raise self.fault("expected , or }")
            return
        raise BadGateway(f"more than {most} names in {what}")

    def string(self, what: str) -> str:
        """A string; where it is a name, its colon as well."""
        if self._blank() != '"':
            raise self.fault(f"{what} has to be a string")
        try:
            value, self.at = _STRING.raw_decode(self._text, self.at)
        except json.JSONDecodeError as error:
            raise self.fault(f"{what}: {error.msg}") from None
        if what == "a name" and not self.take(":"):
            raise self.fault("expected :")
        return str(value)

    def strings(self, what: str) -> list[str]:
        """A string, or a list of them."""
        if not self.take("["):
            return [self.string(what)]
        values: list[str] = []
        if self.take("]"):
            return values
        while True:
            values.append(self.string(what))
            if len(values) > MAX_FIELDS:
                raise BadGateway(f"more than {MAX_FIELDS} values for {what}")
            if self.take("]"):
                return values
            if not self.take(","):
                raise self.fault("expected , or ]")

    def match(self, pattern: re.Pattern[str], what: str) -> str:
        self._blank()
        match = pattern.match(self._text, self.at)
        if match is None:
            raise self.fault(what)
        self.at = match.end()
        return match[0]

    def skip(self) -> None:
        """Past one value of any kind, whose grammar is of no interest."""
        depth = 0
        while True:
            token = self.match(_TOKEN, "expected a value") or self.string("a text")
            self._unknown += 1
            if self._unknown > MAX_UNKNOWN:
                raise BadGateway("too much in fields that a worker's answer does not have")
            depth += (token in ("[", "{")) - (token in ("]", "}"))
            if depth > MAX_DEPTH:
                raise BadGateway(f"more than {MAX_DEPTH} levels deep")
            if depth < 0:
                raise self.fault("expected a value")
            if depth == 0 and token not in (",", ":"):
                return

    def end(self) -> None:
        if self._blank():
            raise self.fault("something stands behind the answer")


# Readers of single fields: (draft, reader) -> None. Each raises BadGateway for what it cannot take.


def _data(draft: _Draft, reader: _Reader) -> None:
    draft.data = reader.string("data")


def _status(draft: _Draft, reader: _Reader) -> None:
    draft.status = int(reader.match(_STATUS, "status has to be a number from 200 to 599"))


def _base64(draft: _Draft, reader: _Reader) -> None:
    draft.base64 = reader.match(re.compile("true|false"), "base64 has to be true or false") == "true"


def _headers(draft: _Draft, reader: _Reader) -> None:
    for name in reader.names("headers", MAX_FIELDS):
        for value in reader.strings(f"header {name[:80]!a}"):
            draft.fields.append(_field(name, value))
        if len(draft.fields) > MAX_FIELDS:
            raise BadGateway(f"more than {MAX_FIELDS} header fields")


def _field(name: str, value: str) -> tuple[str, str]:
    # The JavaScript kit writes `_` for `-`, and no registered field has one.
    name = name.replace("_", "-")
    if not abnf.FIELD_NAME.fullmatch(name):
        raise BadGateway(f"the header name {name[:80]!a} is no token")
    text = _bytes(value, f"header {name}").decode("latin-1")
    if not abnf.FIELD_VALUE.fullmatch(text):
        raise BadGateway(f"a control character in header {name}: {value[:80]!a}")
    if name.lower() == "status":
        raise BadGateway("a header called Status: the field `status` says it")
    return name, text


def _kv(draft: _Draft, reader: _Reader) -> None:
    for key in reader.names("kv", MAX_PAIRS):
        draft.kv[key] = reader.string(f"kv {key[:80]!a}")
        _bytes(key, "a key"), _bytes(draft.kv[key], "a value")


_FIELDS: dict[str, Callable[[_Draft, _Reader], Any]] = {
    "data": _data,
    "status": _status,
    "base64": _base64,
    "headers": _headers,
    "kv": _kv,
}
