"""What a guest has piped to sendmail, as a message (RFC 5322) that can be handed on.

A field that a client has smuggled into another one's value is the danger: whatever cannot be told
from that is refused, and every address must be one that the route may use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formataddr, formatdate, getaddresses, make_msgid
from fnmatch import fnmatchcase

from wsgi_wasm.hostapi.mail.arguments import MailCall

MOST_FIELDS = 64 << 10  # bytes of all fields
_LONGEST_LINE = 998  # RFC 5322 2.1.1
_LONGEST_ADDRESS = 254  # RFC 5321 4.5.3.1.3, without the brackets

# Fields that there can be only one of (RFC 5322 3.6, RFC 2045): a second one was smuggled in.
_ONCE = frozenset(
    (
        *("date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references"),
        *("subject", "return-path", "mime-version", "content-type", "content-transfer-encoding"),
    )
)
_SENDERS, _RECIPIENTS = ("from", "sender"), ("to", "cc", "bcc")
_NOT_PASSED = frozenset(("bcc", "return-path"))

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Unsendable(ValueError):
    """A message that is refused; the text says why. `key` is what of `mail` would allow it."""

    def __init__(self, text: str, key: str = "") -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends it to whom (RFC 5321)."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that a route may use, as patterns, and for how many people a message may be."""

    senders: Sequence[str]
    recipients: Sequence[str]
    most: int


def normal(data: bytes) -> bytes:
    """With line ends as SMTP has them: a lone CR or LF is read differently by different servers."""
    return _LINE_END.sub(b"\r\n", data)


def without_rest(data: bytes) -> bytes:
    """Up to a line that has a dot alone; line ends are normal."""
    if data.startswith(b".\r\n"):
        return b""
    end = data.find(b"\r\n.\r\n")
    return data if end < 0 else data[: end + 2]


def finished(data: bytes, call: MailCall, allowed: Allowed) -> tuple[Envelope, bytes]:
    """The envelope and the message with the fields that it needs; line ends are normal. Raises
    Unsendable."""
    if b"\0" in data:
        raise Unsendable("it has a NUL in it")
    fields, body = _parts(data)
    envelope = _envelope(fields, call, allowed)
    lines = [text for name, text in fields if name not in _NOT_PASSED]
    names = {name for name, _ in fields}
    if "from" not in names:
        lines.insert(0, b"From: " + formataddr((_printable(call.full_name), envelope.sender)).encode())
    if "date" not in names:
        lines.append(b"Date: " + formatdate().encode())
    if "message-id" not in names:
        lines.append(b"Message-ID: " + make_msgid(domain=envelope.sender.rpartition("@")[2]).encode())
    return envelope, b"\r\n".join([*lines, b"", body])


def _parts(data: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """The fields, by their names in lower case, each with its continuation lines; and the body. As
    for sendmail, what does not begin with a field is all body. Raises Unsendable."""
    end = 0 if data.startswith(b"\r\n") else data.find(b"\r\n\r\n")
    head, body = (data, b"") if end < 0 else (data[:end], data[end + 2 :].removeprefix(b"\r\n"))
    head = head.removesuffix(b"\r\n")
    if not _NAME.match(head):
        return [], data.removeprefix(b"\r\n")
    if len(head) > MOST_FIELDS:
        raise Unsendable(f"its fields have more than {MOST_FIELDS >> 10} KiB")
    fields: list[tuple[str, bytes]] = []
    for line in head.split(b"\r\n"):
        if len(line) > _LONGEST_LINE:
            raise Unsendable(f"a line of its fields has more than {_LONGEST_LINE} bytes")
        name = _NAME.match(line)
        if line[:1] in (b" ", b"\t") and fields and line.strip():
            fields[-1] = fields[-1][0], fields[-1][1] + b"\r\n" + line
        elif name is None:
            raise Unsendable("a line before its body is no field, as where a text with line ends is put into a field")
        else:
            fields.append((name[1].decode().lower(), line))
    names = [name for name, _ in fields]
    twice = next((name for name in _ONCE if names.count(name) > 1), None)
    if twice is not None:
        raise Unsendable(f"it has the field {twice} twice, as where a text with line ends is put into a field")
    return fields, body


def _envelope(fields: Sequence[tuple[str, bytes]], call: MailCall, allowed: Allowed) -> Envelope:
    recipients = list(call.recipients)
    author = None
    for name, text in fields:
        if call.from_fields and name.startswith("resent-") and name[7:] in _RECIPIENTS:
            raise Unsendable("it has Resent fields, which -t does not take here")
        if name not in (*_SENDERS, *_RECIPIENTS):
            continue
        found = list(_addresses(text))
        if name in _SENDERS:
            author = author or next(iter(found), None)
            _check(found, allowed.senders, "from", f"its field {name} has")
        elif call.from_fields:
            recipients += found
        else:
            _check(found, allowed.recipients, "to", f"its field {name} has")
    recipients = list(dict.fromkeys(recipients))
    if not recipients:
        raise Unsendable("it is for nobody")
    if len(recipients) > allowed.most:
        raise Unsendable(f"it is for {len(recipients)} recipients", "max_recipients")
    _check(recipients, allowed.recipients, "to", "it is for")
    sender = call.sender or author or _default(allowed.senders)
    if call.sender is None and author is None and sender is None:
        raise Unsendable("nobody has sent it: it needs the option -f or a field From")
    assert sender is not None
    _check([sender.strip("<>")], allowed.senders, "from", "its sender is")
    return Envelope(sender.strip("<>"), tuple(recipients))


def _default(senders: Sequence[str]) -> str | None:
    """The first address that stands for itself."""
    return next((one for one in senders if "*" not in one), None)


def _addresses(field: bytes) -> Iterator[str]:
    """Those in a field. Raises Unsendable for what is none, so that nothing is left unjudged."""
    text = field.partition(b":")[2].decode("utf-8", "replace").replace("\r\n", "")
    for _, address in getaddresses([text]):
        if address or text.strip().strip(";").rpartition(":")[2].strip():
            yield address


def _check(addresses: Sequence[str], patterns: Sequence[str], key: str, what: str) -> None:
    judge = _judge(patterns)
    for address in addresses:
        if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
            raise Unsendable(f"{what} {address[:_LONGEST_ADDRESS]!r}, which is no address that is taken here")
        if not judge(address):
            raise Unsendable(f"{what} {address!r}, which is not allowed", key)


def _judge(patterns: Sequence[str]) -> Callable[[str], bool]:
    folded = [one.lower() for one in patterns]
    return lambda address: any(fnmatchcase(address.lower(), one) for one in folded)


def _printable(text: str) -> str:
    if any(ord(char) < 0x20 or char == "\x7f" for char in text):
        raise Unsendable("the name after -F has control characters")
    return text
