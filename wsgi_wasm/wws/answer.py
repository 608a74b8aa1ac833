"""What a worker prints: one JSON object with `data`, `headers`, `status`, `kv` and `base64`.

The bytes come from a stranger, so they are read against this one shape, with bounds on everything,
and never become text or a tree as a whole: that could take ten or a hundred times their memory.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wsgi_wasm.cgi import abnf
from wsgi_wasm.errors import BadGateway
from wsgi_wasm.messages import escaped
from wsgi_wasm.wws.reader import MAX_TEXT, JsonReader

MAX_FIELDS = 200  # header fields; `HeadParser` has its own bound on lines
MAX_PAIRS = 10_000  # of `kv`
MAX_NAMESPACE = 1 << 20  # bytes of keys and values in `kv`
DEFAULT_TYPE = "text/html"

_STATUS = re.compile(rb"[2-5][0-9][0-9](?![0-9.eE])")
_FLAG = re.compile(rb"true|false")


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """`fields` are checked names and values as latin-1 strings of their bytes; `kv` is None where
    none was given."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    kv: dict[str, str]

    def head(self) -> bytes:
        """The head as a CGI program would print it, for the one parser of heads that there is."""
        lines = [f"Status: {self.status}", *(f"{name}: {value}" for name, value in self.fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def read_answer(output: bytes | bytearray) -> WorkerAnswer:
    """Raises BadGateway, naming what is wrong and where. Takes at most twice the output's
    memory besides it."""
    reader = JsonReader(output)
    draft = _AnswerDraft()
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
class _AnswerDraft:
    seen: set[str] = field(default_factory=set)
    data: bytearray = field(default_factory=bytearray)
    status: int = 200
    base64: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)
    kv: dict[str, str] = field(default_factory=dict)


def _body(draft: _AnswerDraft) -> bytes:
    if not draft.base64:
        return bytes(draft.data)
    try:
        return base64.b64decode(draft.data, validate=True)
    except binascii.Error as error:
        raise BadGateway(f"data is not valid base64: {error}") from None


# Readers of single fields: (draft, reader) -> None. Each raises BadGateway for what it cannot take.


def _data(draft: _AnswerDraft, reader: JsonReader) -> None:
    draft.data = reader.data("data")


def _status(draft: _AnswerDraft, reader: JsonReader) -> None:
    draft.status = int(reader.match(_STATUS, "status must be a number from 200 to 599"))


def _base64(draft: _AnswerDraft, reader: JsonReader) -> None:
    draft.base64 = reader.match(_FLAG, "base64 must be true or false") == b"true"


def _headers(draft: _AnswerDraft, reader: JsonReader) -> None:
    size = 0
    for name in reader.names("headers", MAX_FIELDS):
        for value in reader.strings(f"header {name[:80]!a}", MAX_FIELDS):
            draft.fields.append(_field(name, value))
            size += len(name) + len(value)
        if len(draft.fields) > MAX_FIELDS:
            raise BadGateway(f"more than {MAX_FIELDS} header fields")
        if size > MAX_TEXT:
            raise BadGateway(f"headers are larger than {MAX_TEXT >> 20} MiB")


def _field(name: str, value: bytearray) -> tuple[str, str]:
    # The JavaScript kit writes `_` for `-`, and no registered field has one.
    name = name.replace("_", "-")
    if not abnf.FIELD_NAME.fullmatch(name):
        raise BadGateway(f"the header name {name[:80]!a} is not a token")
    text = value.decode("latin-1")
    if not abnf.FIELD_VALUE.fullmatch(text):
        raise BadGateway(f"a control character in header {escaped(name)}: {value[:80].decode('utf-8', 'replace')!a}")
    if name.lower() == "status":
        raise BadGateway("a header named Status is not allowed: use the field `status`")
    return name, text


def _kv(draft: _AnswerDraft, reader: JsonReader) -> None:
    size = 0
    for key in reader.names("kv", MAX_PAIRS):
        value = reader.data(f"kv {key[:80]!a}", MAX_TEXT)
        size += len(key.encode()) + len(value)
        if size > MAX_NAMESPACE:
            raise BadGateway(f"kv is larger than {MAX_NAMESPACE >> 20} MiB")
        draft.kv[key] = value.decode("utf-8")


_FIELDS: dict[str, Callable[[_AnswerDraft, JsonReader], Any]] = {
    "data": _data,
    "status": _status,
    "base64": _base64,
    "headers": _headers,
    "kv": _kv,
}
