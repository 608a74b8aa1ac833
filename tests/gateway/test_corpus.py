"""The corpus of answers (tests/cgi/corpus) from a real guest through the whole gateway."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker

CORPUS = Path(__file__).parents[1] / "cgi" / "corpus"
# `parser` cases set limits of the parser that a route has no key for.
CASES = [path.stem for path in sorted(CORPUS.glob("*.json")) if "parser" not in json.loads(path.read_text("utf-8"))]


@pytest.fixture
def client(make_client: SiteMaker) -> Client:
    return make_client({"/emit": {"module": "emit", "dirs": {"/corpus": str(CORPUS)}, "env": {"CORPUS": "/corpus"}}})


def body_of(expected: dict[str, Any]) -> bytes:
    if "body_base64" in expected:
        return base64.b64decode(expected["body_base64"])
    return str(expected["body"]).encode("utf-8")


@pytest.mark.parametrize("name", CASES)
def test_case(client: Client, name: str) -> None:
    case = json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
    asked = case.get("request", {})
    response = client.open(
        "/emit",
        method=asked.get("method", "GET"),
        query_string=f"case={name}.guest",
        headers=asked.get("fields", []),
    )
    expected = case["head"] | case.get("response", {})
    assert response.status_code == expected["status"]
    if "error" in expected:
        assert response.data.startswith(b"502 Bad Gateway\n")
        return
    ours = {"x-request-id", "content-length"}
    fields = [[name, value] for name, value in response.headers if name.lower() not in ours]
    if expected.get("local_redirect"):
        assert ["Location", expected["local_redirect"]] in fields
        return
    assert response.status == f"{expected['status']} {expected['reason']}"
    assert fields == [[name, value.strip(" \t")] for name, value in expected["fields"]]
    assert response.data == body_of(expected)
