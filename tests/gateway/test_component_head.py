"""The head of a component's answer, wherever it comes and however the output is cut into pieces."""

from __future__ import annotations

import pytest

from wsgi_wasm.errors import BadGateway
from wsgi_wasm.protocols.component_head import MARK, MOST_EARLY, ComponentHeadParser

HEAD = b"Status: 404\r\ncontent-type: text/plain\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 23, 24, 25, 1000])
@pytest.mark.parametrize(
    ("output", "body"),
    [
        (HEAD + b"body", b"body"),
        (HEAD + MARK + b"body", MARK + b"body"),
        (MARK + MARK + HEAD + b"body", b"body"),
        (MARK + b"early " + MARK + HEAD + b"body", b"early body"),
        (MARK + b"\0wsgi-wasm head \0" + MARK + HEAD, b"\0wsgi-wasm head \0"),
    ],
)
def test_pieces(output: bytes, body: bytes, size: int) -> None:
    parser, pieces = ComponentHeadParser(), [output[at : at + size] for at in range(0, len(output), size)]
    head = None
    while head is None:
        head = parser.feed(pieces.pop(0))
    assert (head.status, head.fields) == (404, (("content-type", "text/plain"),))
    assert parser.body + b"".join(pieces) == body


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([b"\0no mark at all"], "begins with NUL"),
        ([b"Status: 200\r\n", b"\0\r\n\r\n"], "no colon"),
        ([MARK, b"x" * MOST_EARLY, b"x"], "more than 1 MiB"),
        ([MARK + b"x" * (MOST_EARLY + 1) + MARK + HEAD], "more than 1 MiB"),
        ([MARK + b"x" + MARK + b"no head\n\n"], "no colon"),
    ],
)
def test_what_is_refused(pieces: list[bytes], message: str) -> None:
    parser = ComponentHeadParser()
    for piece in pieces[:-1]:
        assert parser.feed(piece) is None
    with pytest.raises(BadGateway, match=message):
        parser.feed(pieces[-1])
