"""What workers print, well-formed and hostile, as data: from a guest's standard output to the client."""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.errors import BadGateway
from wsgi_wasm.protocols.wws import AnswerReader
from wsgi_wasm.wws.answer import read_answer

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "answers.yaml").read_text("utf-8"))


def printed(case: dict[str, Any]) -> bytes:
    if "hex_print" in case:
        return bytes.fromhex(case["hex_print"])
    text: str = case["print"]
    repeated = "".join(case["repeat"].replace("#", str(number)) for number in range(case.get("times", 0)))
    return text.replace("@", repeated + case.get("end", "")).encode()


@pytest.mark.parametrize("name", CASES)
def test_answer(
    name: str, tmp_path: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    (tmp_path / "answer").write_bytes(printed(case))
    route = {"module": "worker", "interface": "wws", "dirs": {"/answers": str(tmp_path)}, "max_output": "2MiB"}
    with caplog.at_level(logging.ERROR, "wsgi_wasm"):
        answer = make_client({"/w": route}).get("/w?answer=answer")
    status = case.get("status", 200)
    assert answer.status_code == status, caplog.text
    if status == 502:
        assert case["log"] in caplog.text
        return
    if "body" in case or "hex" in case:
        assert answer.data == (bytes.fromhex(case["hex"]) if "hex" in case else case["body"].encode())
    if "length" in case:
        assert len(answer.data) == case["length"]
    for field, value in case.get("fields", {}).items():
        assert ", ".join(answer.headers.getlist(field)) == value
    for field in case.get("absent", ()):
        assert field not in answer.headers


JSON_LIKE = st.text(alphabet='{}[]":,\\utrfn0123456789.-eE dataheskvb64 \n', max_size=200)


@given(st.binary(max_size=200) | JSON_LIKE.map(str.encode))
def test_whatever_is_printed_is_an_answer_or_refused(output: bytes) -> None:
    for before in (b"", b'{"data":"', b'{"data":"","headers":{"a":', b'{"status":', b'{"kv":{"a":', b'{"x":'):
        try:
            answer = read_answer(before + output)
        except BadGateway:
            continue
        assert 200 <= answer.status <= 599


# A string is read in pieces, of which none may end inside one of these.
PARTS = ["x", "\xe9", "\u65e5", "\U0001f600", '\\"', "\\\\", "\\u00e9", "\\ud83d\\ude00", "\\\\ud83d", "\\\\\\n"]


def whole(data: str) -> bytes:
    return f'{{"data":"{data}","headers":{{}},"status":200,"kv":{{}}}}'.encode()


@pytest.mark.parametrize("part", PARTS)
def test_long_strings(part: str) -> None:
    for shift in range(24):
        output = whole("x" * shift + part * (200_000 // len(part)))
        assert read_answer(output).body == json.loads(output)["data"].encode()


@given(st.integers(1000, 1030), st.lists(st.sampled_from(PARTS), min_size=20, max_size=60))
def test_strings_of_all_kinds_of_parts(shift: int, parts: list[str]) -> None:
    output = whole("x" * shift + "".join(parts))
    assert read_answer(output).body == json.loads(output)["data"].encode()


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00"])
@pytest.mark.parametrize("length", range(1010, 1030))
def test_half_a_pair_where_a_piece_ends(half: str, length: int) -> None:
    with pytest.raises(BadGateway, match="half of a surrogate pair"):
        read_answer(whole("x" * length + half + "y" * 30))


def test_a_worker_that_writes_byte_by_byte() -> None:
    reader = AnswerReader(HeadParser, lambda kv: None)
    tracemalloc.start()
    try:
        for byte in whole("x" * (1 << 20)):
            reader.feed(bytes([byte]))
        assert reader.finish() is not None
        assert len(reader.body) == 1 << 20
        assert tracemalloc.get_traced_memory()[1] <= 4 << 20
    finally:
        tracemalloc.stop()
