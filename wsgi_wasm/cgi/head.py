"""A guest's answer: where its head ends and what it says (RFC 3875 6.2 and 6.3).

Everything here answers with a whole `Head` or raises `BadGateway`, and nothing of a refused head is
forwarded. How the output was cut into pieces changes neither.

Bytes 0x80 to 0xFF in a value are obs-text (RFC 9110 5.5) and pass as they are: WSGI strings
stand for bytes, and every byte is latin-1. What is no latin-1 text, such as UTF-16 or a byte
order mark before the first name, falls over the grammar: NUL is no character of a value, and
0xEF none of a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from wsgi_wasm.cgi import abnf, names
from wsgi_wasm.cgi.message import REASONS, Head
from wsgi_wasm.errors import BadGateway

# Heads repeat, so short ones are kept parsed: at most 256 of them, 256 KiB.
_REMEMBERED_HEADS = 256
_REMEMBERED_LENGTH = 1024

# Content-Length travels as a signed 64-bit number in servers and clients.
_LENGTH_LIMIT = 2**63


class HeadParser:
    """Takes a guest's output piece by piece until the head is whole. One object per answer.

    `limit` is in bytes, line ends and the closing empty line included. `allowed` names, as
    `names.dashed` gives them, the server-control fields (`X-Sendfile`) that may pass. `max_fields`
    counts header lines of every kind.
    """

    must_say_status = False

    __slots__ = ("_allowed", "_buffer", "_limit", "_max_fields", "_whole", "body")

    def __init__(self, limit: int = 65536, allowed: frozenset[str] = frozenset(), max_fields: int = 100) -> None:
        self.body = b""
        """What followed the head in the output fed so far; valid once the head is whole."""
        self._limit = limit
        self._allowed = allowed
        self._max_fields = max_fields
        self._buffer = bytearray()
        self._whole = False

    def feed(self, data: bytes) -> Head | None:
        """The head once it is whole, else None; do not call again after that. Raises BadGateway."""
        buffer = self._buffer
        if buffer:
            # The end may straddle two pieces, by at most the LF CR before this one. Nothing else is
            # looked at twice.
            start = max(len(buffer) - 2, 0)
            buffer += data
            end = _head_end(buffer, start, self._limit)
            if end:
                data = bytes(buffer)
        else:
            end = _head_end(data, 0, self._limit)
            if not end:
                buffer += data
        if not end:
            if len(buffer) > self._limit:
                raise BadGateway(f"the head is longer than {self._limit} bytes")
            return None
        parse = _parse_short if end <= _REMEMBERED_LENGTH else _parse
        head = parse(data[:end], self._allowed, self._max_fields)
        self._whole = True
        self.body = data[end:]
        return head

    def finish(self) -> None:
        """The output has ended. Raises BadGateway unless the head is whole."""
        if self._whole:
            return
        if not self._buffer:
            raise BadGateway("no answer: the guest wrote nothing")
        raise BadGateway(
            f"the output ended before the head was complete: {_excerpt(self._buffer[:80].decode('latin-1'))}"
        )


def _head_end(output: bytes | bytearray, start: int, limit: int) -> int:
    """Where the body begins; 0 where no empty line ends between `start` and `limit`."""
    if start == 0 and output.startswith((b"\n", b"\r\n")):
        # RFC 3875 6.2: a response has at least one field. A lone CR waits for its LF.
        raise BadGateway("the head is empty")
    match = abnf.HEAD_END.search(output, start, limit)
    return match.end() if match else 0


@dataclass(slots=True)
class _HeadDraft:
    """What the header lines say, before it is decided what the answer is."""

    status: int | None = None
    reason: str = ""
    first_line: tuple[int, str] | None = None
    content_length: int | None = None
    content_type: str | None = None
    location: str | None = None
    connection: list[str] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)


def _parse(raw: bytes, allowed: frozenset[str], max_fields: int) -> Head:
    """The head in `raw`, which ends with its empty line. Raises BadGateway."""
    text = raw.decode("latin-1")
    draft = _HeadDraft()
    if text.startswith("HTTP/"):
        text = _take_status_line(text, draft)
    lines = text.count("\n") - 1
    if lines > max_fields:
        raise BadGateway(f"the head has {lines} lines, but at most {max_fields} are allowed")
    pairs = abnf.FIELD_LINE.findall(text)
    if len(pairs) != lines:
        raise BadGateway(_first_fault(text))
    for name, value in pairs:
        known = names.dashed(name)
        handle = _HANDLERS.get(known)
        value = value.strip(" \t")
        if handle is not None:
            handle(draft, name, value)
        elif known in allowed or not names.is_server_control(known):
            draft.fields.append((name, value))
    return _decide(draft, len(pairs))


# A cached head is exactly what parsing would give: `Head` is frozen, and refusals are
# not remembered.
_parse_short = lru_cache(maxsize=_REMEMBERED_HEADS)(_parse)


def _decide(draft: _HeadDraft, lines: int) -> Head:
    """The answer that a well-formed head of `lines` header lines means (RFC 3875
    6.2.1 to 6.2.4)."""
    fields = tuple(draft.fields)
    if draft.connection:
        # RFC 9110 7.6.1: the fields that Connection names belong to the connection, too.
        fields = tuple(pair for pair in fields if names.dashed(pair[0]) not in draft.connection)
    status, reason = draft.status, draft.reason
    if draft.first_line is not None:
        first, phrase = draft.first_line
        if status not in (None, first):
            raise BadGateway(f"the status line says {first}, but the Status field says {status}")
        status, reason = first, reason or phrase
    location = draft.location
    implied = status is None
    if status is None and location is not None:
        # A local redirect stands alone (RFC 3875 6.2.2). With anything beside it, or where the path
        # is not one that we could serve, the client goes there by itself, which is always right.
        if lines == 1 and abnf.LOCAL_PATH_QUERY.fullmatch(location):
            return Head(302, REASONS[302], (), None, location, implied)
        status = 302
    if status is None:
        status = 200
    reason = reason or REASONS.get(status, "Unknown")
    return Head(status, reason, fields, draft.content_length, None, implied)


def _take_status_line(text: str, draft: _HeadDraft) -> str:
    """Reads the status line of an nph guest into `draft`; the rest of the head."""
    match = abnf.STATUS_LINE.match(text)
    if match is None:
        raise BadGateway(f"not a status line: {_excerpt(text.partition(chr(10))[0])}")
    draft.first_line = int(match[1]), (match[2] or "").strip(" ")
    return text[match.end() :]


def _first_fault(text: str) -> str:
    """Says what is wrong with the first header line that is no header line."""
    for number, line in enumerate(text.split("\n"), 1):
        if abnf.FIELD_LINE.fullmatch(line + "\n"):
            continue
        name, colon, _ = line.partition(":")
        if line[:1] in (" ", "\t"):
            fault = "a folded line"
        elif not colon:
            fault = "no colon"
        elif not name or not abnf.FIELD_LINE.fullmatch(name + ":\n"):
            fault = "the name is not a token"
        else:
            fault = "a control character in the value"
        return f"line {number} of the head: {fault}: {_excerpt(line)}"
    return "the head is malformed"


def _excerpt(text: str) -> str:
    """The beginning of `text` for a log line: ASCII, control characters escaped."""
    return ascii(text[:80])


# Handlers of single fields: (draft, name, value) -> None. Each reads one field into the draft,
# keeps it in `draft.fields` if the client shall see it, and raises BadGateway if it makes the
# head unusable.


def _status(draft: _HeadDraft, name: str, value: str) -> None:
    if draft.status is not None:
        raise BadGateway("Status appears twice")
    match = abnf.STATUS.fullmatch(value)
    if match is None:
        raise BadGateway(f"not a status: {_excerpt(value)}")
    draft.status = int(match[1])
    draft.reason = (match[2] or "").strip(" ")


def _content_length(draft: _HeadDraft, name: str, value: str) -> None:
    # int() would take `+5`, `1_0` and digits of other scripts; each has been a way to smuggle.
    digits = value.lstrip("0") or "0"
    if not abnf.DIGITS.fullmatch(value) or len(digits) > 19 or int(digits) >= _LENGTH_LIMIT:
        raise BadGateway(f"Content-Length is not a plain number: {_excerpt(value)}")
    if draft.content_length not in (None, int(digits)):
        raise BadGateway(f"two different values for Content-Length: {draft.content_length} and {int(digits)}")
    draft.content_length = int(digits)


def _content_type(draft: _HeadDraft, name: str, value: str) -> None:
    if draft.content_type is not None:
        raise BadGateway("Content-Type appears twice")
    draft.content_type = value
    draft.fields.append((name.replace("_", "-"), value))


def _location(draft: _HeadDraft, name: str, value: str) -> None:
    if draft.location is not None:
        raise BadGateway("Location appears twice")
    if not value:
        raise BadGateway("Location is empty")
    draft.location = value
    draft.fields.append((name, value))


def _connection(draft: _HeadDraft, name: str, value: str) -> None:
    draft.connection += [names.dashed(option.strip(" \t")) for option in value.split(",")]


def _transfer_encoding(draft: _HeadDraft, name: str, value: str) -> None:
    # Framing is the server's. httpd answers 502 as well; to drop it would forward chunks as if they
    # were the body.
    raise BadGateway("Transfer-Encoding from a guest")


def _drop(draft: _HeadDraft, name: str, value: str) -> None:
    pass


_HANDLERS = dict.fromkeys(names.HOP_BY_HOP_FIELDS | names.FRONT_SERVER_FIELDS, _drop) | {
    "connection": _connection,
    "content-length": _content_length,
    "content-type": _content_type,
    "location": _location,
    "status": _status,
    "transfer-encoding": _transfer_encoding,
}
