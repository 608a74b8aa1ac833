"""What workers print, well-formed and hostile, as data: from a guest's standard output to the client."""

from __future__ import annotations

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

from wsgi_wasm.errors import BadGateway
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


WIDE = '{"data":"@\U0001f600","headers":{},"status":200,"kv":{}}'  # one character makes all of them wide


@pytest.mark.parametrize("fill", ["x", "\xe9", '\\"', "\\u00e9"])
def test_what_an_answer_costs_in_memory(fill: str) -> None:
    """With the output itself, which is there twice, it is what docs/wws.md says."""
    output = WIDE.replace("@", fill * ((1 << 20) // len(fill.encode()))).encode()
    tracemalloc.start()
    try:
        read_answer(output)
        assert tracemalloc.get_traced_memory()[1] <= 13 * len(output)
    finally:
        tracemalloc.stop()
