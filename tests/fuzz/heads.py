"""Heads of answers: from a guest's bytes to what the server is told."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fuzz.go_cgi import NoAnswer, go_answer
from fuzz.target import Draw, Target, check_message
from wsgi_wasm.cgi import names
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.errors import BadGateway
from wsgi_wasm.gateway.conditions import unmet_condition
from wsgi_wasm.protocols.component_head import MARK, ComponentHeadParser

Answer = tuple[Head, bytes] | str

CORPUS = Path(__file__).parents[1] / "cgi" / "corpus"
WORDS = (
    *(
        b"Status: 200 OK\n",
        b"Content-Type: text/plain\n",
        b"Location: /x?y\n",
        b"Content-Length: 5\n",
        b"\n\n",
        b"\r\n",
    ),
    *(
        b"\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"Connection: close, x-a\n",
        b"Transfer-Encoding: chunked\n",
        b"X-Sendfile: /e",
    ),
    *(
        b"Transfer_Encoding: chunked\n",
        b"X-Accel-Redirect: /a\n",
        b"Set-Cookie: a=b\n",
        b"Location: http://a/\n",
        b": ",
    ),
    *(b"Date: x\n", b"X-A: b\n", b" folded\n", b"Status: 304\n", b"Content-Length: 00\n", b"\r", b"%zz", b"//"),
)


def seeds() -> Iterable[bytes]:
    for path in sorted(CORPUS.glob("*.guest")):
        data = path.read_bytes()
        if len(data) <= 700:
            yield data


def answered(parser: HeadParser, pieces: Iterable[bytes]) -> Answer:
    """As the gateway reads a head; the error's text in place of an answer."""
    rest = iter(pieces)
    try:
        for piece in rest:
            head = parser.feed(piece)
            if head is not None:
                return head, parser.body + b"".join(rest)
        parser.finish()
    except BadGateway as error:
        check_message(error)
        return str(error)
    raise AssertionError("no head at the end of the output, and no error")


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    points = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(points) if end > start]


def check_splits(new: Callable[[], HeadParser], data: bytes, draw: Draw) -> Answer:
    """Any split gives the same answer."""
    whole = answered(new(), [data] if data else [])
    assert answered(new(), split(data, [draw.number(2) for _ in range(3)])) == whole
    if len(data) <= 100:
        assert answered(new(), [data[i : i + 1] for i in range(len(data))]) == whole
    return whole


TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def check_head(head: Head) -> None:
    """Nothing is in a head that a server could take for something else (RFC 9110 5.5, RFC 9112 4)."""
    assert 200 <= head.status <= 599
    assert VALUE.fullmatch(head.reason)
    for name, value in head.fields:
        assert TOKEN.fullmatch(name), name
        assert VALUE.fullmatch(value), value
        assert value == value.strip(" \t")
        lower = _dashed(name)
        assert lower not in {"transfer-encoding", "status", "content-length"}
        assert lower not in {*names.HOP_BY_HOP_FIELDS, *names.FRONT_SERVER_FIELDS}
        assert not names.is_server_control(lower)
    for single in ("content-type", "location"):
        assert sum(name.lower() == single for name, _ in head.fields) <= 1
    assert head.content_length is None or 0 <= head.content_length < 2**63
    if head.local_redirect is not None:
        assert head.local_redirect.startswith("/")
        assert not head.local_redirect.startswith("//")
        assert head.local_redirect.isascii()
        assert not head.fields


def written(head: Head) -> bytes:
    """The head again, as a guest would have written it."""
    lines = [f"Status: {head.status} {head.reason}".rstrip(" ")]
    if head.content_length is not None:
        lines.append(f"Content-Length: {head.content_length}")
    lines += [f"{name}: {value}" for name, value in head.fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def check(data: bytes) -> None:
    draw, output = Draw(data[:6]), data[6:]
    limit = 1024

    def new() -> HeadParser:
        return HeadParser(limit, max_fields=20)

    found = check_splits(new, output, draw)
    if isinstance(found, str):
        return
    head, body = found
    check_head(head)
    assert output.endswith(body)
    assert len(output) - len(body) <= limit
    if head.local_redirect is None:
        again = answered(HeadParser(), [written(head) + body])
        assert again == (replace(head, implied=False), body), again


def check_component(data: bytes) -> None:
    """As above, where a part of the body may stand before the head."""
    draw, output = Draw(data[:6]), data[6:].replace(b"<MARK>", MARK)

    def new() -> HeadParser:
        return ComponentHeadParser(1024, max_fields=20)

    found = check_splits(new, output, draw)
    if isinstance(found, str):
        return
    check_head(found[0])
    if output.startswith(MARK):
        early, _, rest = output[len(MARK) :].partition(MARK)
        assert answered(HeadParser(1024, max_fields=20), [rest] if rest else []) == (
            found[0],
            found[1].removeprefix(early),
        )
    else:
        assert answered(HeadParser(1024, max_fields=20), [output]) == found


def check_against_go(data: bytes) -> None:
    """Ours is Go's answer, or the difference is one that is meant: `STRICTER`, or one of those below."""
    ours = answered(HeadParser(), [data] if data else [])
    try:
        theirs = go_answer(data)
    except NoAnswer as error:
        # Go asks for a type or a status, takes no long lines, and reads a status with less care.
        assert isinstance(ours, str) or error.reason in ("no type", "long line"), (error.reason, ours)
        return
    if isinstance(ours, str):
        assert any(reason in ours for reason in STRICTER), ours
        return
    head, body = ours
    # Go skips what it does not understand, and we refuse it, but for a status line (RFC 3875 5).
    assert all(line.startswith(b"HTTP/") for line in theirs.skipped)
    if theirs.local_redirect is not None:
        # RFC 3875 6.2.2: only where it stands alone; otherwise the client is sent there.
        assert head.local_redirect in (theirs.local_redirect, None)
        return
    assert body == theirs.body
    # Go knows Status in one spelling alone, and then takes it for a field.
    spelled = theirs.values("status")
    if not spelled and not theirs.skipped:
        assert head.status == theirs.status
    # A name with underscores is treated as its twin with dashes.
    options = {_dashed(option.strip(" \t")) for value in theirs.values("connection") for option in value.split(",")}
    dropped = {*names.HOP_BY_HOP_FIELDS, *names.FRONT_SERVER_FIELDS, "content-length", "status", *options}
    kept = [
        (name, value)
        for name, value in theirs.fields
        if _dashed(name) not in dropped and not names.is_server_control(_dashed(name))
    ]
    assert list(head.fields) == kept


def _dashed(name: str) -> str:
    return name.lower().replace("_", "-")


# What we refuse and Go takes, by words of our message.
STRICTER = (
    "the head is longer than", "lines, but at most", "a folded line", "no colon", "the name is not a token",
    "a control character in the value", "Status appears twice", "Content-Type appears twice", "Location appears twice",
    "Location is empty", "not a status", "Content-Length is not", "two different values", "Transfer-Encoding",
    "the status line says", "the head is empty", "ended before the head was complete", "the guest wrote nothing",
)  # fmt: skip


def check_conditional(data: bytes) -> None:
    """Whatever a client writes into preconditions, and a guest into ETag and Last-Modified."""
    parts = [part.decode("latin-1") for part in (*data.split(b"\0"), *[b""] * 6)[:6]]
    names_of = ("IF_NONE_MATCH", "IF_MODIFIED_SINCE", "IF_MATCH", "IF_UNMODIFIED_SINCE")
    environ = {f"HTTP_{name}": text for name, text in zip(names_of, parts[:4], strict=True) if text}
    fields = tuple((name, text) for name, text in zip(("ETag", "Last-Modified"), parts[4:], strict=True) if text)
    found = unmet_condition(environ, Head(200, "OK", fields))
    assert found in (None, 304, 412)
    assert found is None or environ
    if found == 412:
        assert "HTTP_IF_MATCH" in environ or (fields and "HTTP_IF_UNMODIFIED_SINCE" in environ)


CONDITIONS = (
    b'"a"\0\0\0\0"a"\0', b'W/"a", "b"\0\0\0\0"b"\0', b"*\0\0\0\0\"x\"", b'\0\0"a", W/"b"\0\0W/"b"', b"\0\0*",
    b"\0Sun, 06 Nov 1994 08:49:37 GMT\0\0\0\0Sun, 06 Nov 1994 08:49:37 GMT",
    b"\0Sunday, 06-Nov-94 08:49:37 GMT\0\0\0\0Sun Nov  6 08:49:37 1994",
    b'"a"\0Thu, 01 Jan 1970 00:00:00 GMT\0\0\0W/"a"\0x',
    b"\0\0\0Sun, 06 Nov 1994 08:49:37 GMT\0\0Sun, 06 Nov 1994 08:49:38 GMT",
)  # fmt: skip


TARGETS = (
    Target(
        "head",
        "an answer or 502, the same for any split; what is accepted holds only tokens and field values, and reads the "
        "same when written again",
        check,
        lambda: [b"\0" * 6 + seed for seed in seeds()],
        WORDS,
        tries=20000,
        longest=700,
    ),
    Target(
        "head-go",
        "Go's net/http/cgi gives the same answer, but for listed differences",
        check_against_go,
        lambda: list(seeds()),
        WORDS,
        tries=20000,
        longest=700,
    ),
    Target(
        "component-head",
        "the head of a component that wrote before it: as `head`, and the body is whole",
        check_component,
        lambda: [
            *(b"\0" * 6 + seed for seed in seeds()),
            *(b"\0" * 6 + b"<MARK>early<MARK>" + seed for seed in seeds()),
        ],
        (*WORDS, b"<MARK>", b"\0"),
        tries=20000,
        longest=700,
    ),
    Target(
        "conditional",
        "conditions of requests and validators of answers: 304 or not, never an error",
        check_conditional,
        lambda: CONDITIONS,
        (b'"', b'W/"', b"*", b"\0", b", ", b" GMT", b"1994", b"-0000", b"99999"),
        tries=20000,
        longest=400,
    ),
)
