"""The JSON that a worker reads."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_wasm.wws.request import request_stream

GIVEN: dict[str, Any] = {
    "url": "http://h/\xe9",
    "method": "GET",
    "headers": {"a": "b"},
    "kv": {"k": "v\U0001f600"},
    "params": {"p": "1"},
}


def told(body: bytes) -> dict[str, object]:
    stream = request_stream(**{**GIVEN, "headers": [("a", "b")]}, body=body)
    read: dict[str, object] = json.loads(stream.read())
    return read


@given(st.text(), st.integers(65_520, 65_550))
def test_text_is_text(body: str, before: int) -> None:
    """Also where a piece ends inside of it."""
    body = body.encode("utf-8", "replace").decode()
    for text in (body, "x" * before + body):
        assert told(text.encode()) == {**GIVEN, "body": text}


@pytest.mark.parametrize("part", ["\xe9", "\u65e5", "\U0001f600", "\x01", '"', "\\", "a\U0001f600"])
def test_long_texts(part: str) -> None:
    for shift in range(4):
        text = "x" * shift + part * 100_000
        assert told(text.encode()) == {**GIVEN, "body": text}


@pytest.mark.parametrize("before", [0, 1, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("bad", [b"\xff", b"\xe9", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
def test_what_is_no_text_is_in_base64(bad: bytes, before: int) -> None:
    body = b"x" * before + bad
    assert told(body) == {**GIVEN, "body": base64.b64encode(body).decode(), "base64": True}


def test_an_empty_body() -> None:
    assert told(b"") == {**GIVEN, "body": ""}
