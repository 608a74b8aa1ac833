"""The head parser against the corpus (see corpus/README.md), and what holds for any output whatever."""

from __future__ import annotations

import base64
import json
import re
import wsgiref.util
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsgi_wasm.cgi import abnf, head, names
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.errors import BadGateway

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path.stem for path in CORPUS.glob("*.guest"))
KEYS = {
    "about": "required",
    "request": {"method", "fields", "body"},
    "parser": {"limit", "allowed", "max_fields"},
    "head": {"status", "reason", "fields", "content_length", "local_redirect", "body", "body_base64", "error"},
    "response": {"status", "reason", "fields", "body", "body_base64"},
    "mod_cgid": {"status", "reason", "fields", "body", "error"},
}

Answer = tuple[Head, bytes] | str


def load(name: str) -> tuple[bytes, dict[str, Any]]:
    return (CORPUS / f"{name}.guest").read_bytes(), json.loads((CORPUS / f"{name}.json").read_text("utf-8"))


def parser(options: dict[str, Any]) -> HeadParser:
    options = dict(options)
    if "allowed" in options:
        options["allowed"] = frozenset(options["allowed"])
    return HeadParser(**options)


def answer(pieces: list[bytes], options: dict[str, Any] | None = None) -> Answer:
    """Head and body of what a guest wrote in `pieces`, or the text of the refusal."""
    incremental = parser(options or {})
    try:
        for number, piece in enumerate(pieces, 1):
            found = incremental.feed(piece)
            if found is not None:
                return found, incremental.body + b"".join(pieces[number:])
        incremental.finish()
    except BadGateway as error:
        return str(error)
    raise AssertionError("finish() accepted an output without a head")


def expected(case: dict[str, Any], output: bytes) -> tuple[Head, bytes]:
    said = case["head"]
    body = base64.b64decode(said["body_base64"]) if "body_base64" in said else said["body"].encode("ascii")
    fields = tuple((name, value) for name, value in said["fields"])
    redirect = said.get("local_redirect")
    return Head(said["status"], said["reason"], fields, said.get("content_length"), redirect, is_implied(output)), body


def is_implied(output: bytes) -> bool:
    """Whether the head says no status."""
    return re.search(rb"^status:|\AHTTP/", re.split(rb"\n\r?\n", output)[0], re.MULTILINE | re.IGNORECASE) is None


def check(name: str, got: Answer) -> None:
    output, case = load(name)
    if "error" in case["head"]:
        assert isinstance(got, str), got
        assert case["head"]["error"] in got
        assert case["head"]["status"] == BadGateway.status
    else:
        assert got == expected(case, output)


def single_bytes(output: bytes) -> list[bytes]:
    return [output[i : i + 1] for i in range(len(output))]


def split_points(output: bytes) -> range | list[int]:
    """Every point; of a long output those near its ends, and some between."""
    if len(output) <= 1000:
        return range(len(output) + 1)
    return [*range(50), *range(50, len(output), len(output) // 50), *range(len(output) - 50, len(output) + 1)]


@pytest.mark.parametrize("name", CASES)
def test_whole(name: str) -> None:
    output, case = load(name)
    check(name, answer([output], case.get("parser")))


@pytest.mark.parametrize("name", CASES)
def test_byte_by_byte(name: str) -> None:
    output, case = load(name)
    check(name, answer(single_bytes(output), case.get("parser")))


@pytest.mark.parametrize("name", CASES)
def test_split_at_every_point(name: str) -> None:
    output, case = load(name)
    whole = answer([output], case.get("parser"))
    for point in split_points(output):
        assert answer([output[:point], output[point:]], case.get("parser")) == whole, point


@pytest.mark.parametrize("name", CASES)
def test_a_longer_body_does_not_change_the_head(name: str) -> None:
    output, case = load(name)
    if "error" in case["head"]:
        return
    found, body = expected(case, output)
    more = b"\nStatus: 500\r\n\r\n" + bytes(range(256)) * 300
    assert answer([output + more], case.get("parser")) == (found, body + more)


def test_corpus_is_well_formed() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.json")) == CASES
    for name in CASES:
        case = load(name)[1]
        assert case.keys() <= KEYS.keys(), name
        assert case["about"], name
        for part in case.keys() - {"about"}:
            assert set(case[part]) <= set(KEYS[part]), (name, part)


def test_a_refusal_says_nothing_that_could_disturb_a_log() -> None:
    text = answer([b"X: \x1b[31m\xff\x85\x00" + b"y" * 5000 + b"\n\n"])
    assert isinstance(text, str)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 500


def test_finish_after_a_whole_head() -> None:
    incremental = HeadParser()
    assert incremental.feed(b"Status: 204\n\n") is not None
    incremental.finish()


def test_heads_are_remembered_apart() -> None:
    """The same bytes mean different heads to routes that allow different fields."""
    output = [b"X-Sendfile: /a\nX-A: 1\n\n"]
    for _ in range(2):
        assert answer(output) == (Head(200, "OK", (("X-A", "1"),), implied=True), b"")
        both = (("X-Sendfile", "/a"), ("X-A", "1"))
        assert answer(output, {"allowed": ["x-sendfile"]}) == (Head(200, "OK", both, implied=True), b"")
        assert answer(output, {"max_fields": 1}) == "the head has 2 lines, but at most 1 are allowed"


def test_what_is_remembered_is_bounded() -> None:
    head._parse_short.cache_clear()
    for number in range(1000):
        answer([b"X: %d\n\n" % number])
        answer([b"X: %d%s\n\n" % (number, b"a" * 2000)])
    info = head._parse_short.cache_info()
    assert info.misses == 1000
    assert info.currsize == info.maxsize == 256


BOMBS = {
    "fields": b"a: b\n" * 100_000,
    "short fields": b"a:\n" * 20_000,
    "name": b"a" * 1_000_000,
    "spaces": b"a: " + b" " * 60_000 + b"\n\n",
    "carriage returns": b"\r" * 60_000,
    "near ends": b"x\n\r" * 20_000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_no_byte_is_searched_often(bomb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, a head costs no more than a few looks at each byte."""
    searched = 0

    class Counting:
        def search(self, output: bytes, start: int, limit: int) -> re.Match[bytes] | None:
            nonlocal searched
            searched += min(len(output), limit) - start
            return real.search(output, start, limit)

    real = abnf.HEAD_END
    monkeypatch.setattr(abnf, "HEAD_END", Counting())
    answer(single_bytes(bomb))
    assert searched <= 4 * len(bomb)


def test_patterns_do_not_backtrack() -> None:
    """Inputs that take minutes where two repetitions fight over the same characters."""
    for value in (b" " * 65_000 + b"x", b"x" + b" \t" * 32_000 + b"\x00", b"%2" * 30_000, b"/" * 65_000 + b"#"):
        for name in (b"A", b"Location", b"Status", b"Connection", b"Content-Length"):
            answer([name + b": " + value + b"\n\n"], {"limit": 1 << 20})


# What a hostile or broken program may print: grammar pieces in any order, and noise.
_pieces = st.sampled_from(
    [
        *(
            b"Status",
            b"Location",
            b"Content-Length",
            b"Content-Type",
            b"Connection",
            b"Transfer-Encoding",
            b"X-A",
            b"a",
        ),
        *(b"X-Sendfile", b"HTTP/1.1 200 OK", b": ", b":", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"),
        *(b"\x00", b"\xff", b"\x85", b"200", b"404 Nope", b"302", b"12", b"/path?query", b"//host", b"close, x-a"),
    ]
)
_lines = st.builds(
    lambda name, value, end: name + b": " + value + end,
    _pieces,
    _pieces | st.binary(max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
)
_answers = st.builds(
    lambda lines, end, body: b"".join(lines) + end + body,
    st.lists(_lines, max_size=8),
    _pieces,
    st.binary(max_size=20),
)
outputs = st.binary(max_size=200) | st.lists(_pieces, max_size=30).map(b"".join) | _answers
options = st.fixed_dictionaries(
    {}, optional={"limit": st.integers(2, 120), "max_fields": st.integers(0, 5), "allowed": st.just(["x-sendfile"])}
)
repeatable = settings(derandomize=True, deadline=None, database=None, max_examples=500)


@repeatable
@given(output=outputs, given_options=options, cuts=st.lists(st.integers(0, 220), max_size=10))
@example(output=b"\r\nx", given_options={}, cuts=[1])
@example(output=b"a:b\n\r\nx", given_options={}, cuts=[4, 5])
def test_any_split_gives_the_same_answer(output: bytes, given_options: dict[str, Any], cuts: list[int]) -> None:
    """And nothing but BadGateway is ever raised: `answer` catches nothing else."""
    edges = [0, *sorted(cuts), len(output)]
    pieces = [output[start:end] for start, end in pairwise(edges)]
    whole = answer([output], given_options)
    assert answer(pieces, given_options) == whole
    assert answer(single_bytes(output), given_options) == whole


@repeatable
@given(output=outputs, given_options=options)
def test_an_accepted_head_is_fit_for_any_server(output: bytes, given_options: dict[str, Any]) -> None:
    got = answer([output], given_options)
    if isinstance(got, str):
        return
    found, body = got
    assert output.endswith(body)
    assert 200 <= found.status <= 599
    assert found.reason
    assert re.fullmatch(r"[ -~\x80-\xff]+", found.reason)
    assert found.content_length is None or 0 <= found.content_length < 2**63
    assert found.local_redirect is None or (found.local_redirect.startswith("/") and not found.fields)
    for name, value in found.fields:
        assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name)
        assert re.fullmatch(r"[\t -~\x80-\xff]*", value)
        assert value == value.strip(" \t")
        lower = name.lower()
        assert not wsgiref.util.is_hop_by_hop(name)
        assert lower not in names.HOP_BY_HOP_FIELDS
        assert lower not in ("status", "content-length", "date", "server")
        assert lower in given_options.get("allowed", ()) or not names.is_server_control(lower)


@repeatable
@given(output=outputs)
def test_an_accepted_head_means_the_same_when_written_again(output: bytes) -> None:
    got = answer([output])
    if isinstance(got, str) or got[0].local_redirect is not None:
        return
    found, body = got
    lines = [f"Status: {found.status} {found.reason}", *(f"{name}: {value}" for name, value in found.fields)]
    if found.content_length is not None:
        lines.append(f"Content-Length: {found.content_length}")
    written = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
    assert answer([written], {"max_fields": 102}) == (replace(found, implied=False), body)
