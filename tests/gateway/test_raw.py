"""`interface: raw`: what a program prints is the body, and of the request it knows nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client

MakeClient = Callable[..., Client]


@pytest.fixture
def raw(make_client: MakeClient) -> Callable[..., Client]:
    def make(module: str, **route: Any) -> Client:
        return make_client({"/": {"module": module, "interface": "raw", **route}})

    return make


def test_output_is_the_body(raw: Callable[..., Client]) -> None:
    answer = raw("hello").get("/")
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.text.startswith("Content-Type: text/plain")  # no head: it is in the body


def test_the_type_is_the_routes(raw: Callable[..., Client]) -> None:
    assert raw("hello", content_type="text/plain").get("/").content_type == "text/plain"


def test_no_variables_and_no_body(raw: Callable[..., Client]) -> None:
    lines = raw("env", env={"OWN": "1"}).get("/a?b=c").text.splitlines()
    assert [line for line in lines if "=" in line] == ["OWN=1"]
    assert raw("echo").post("/", data="a body").text.endswith("\r\n\r\n- 0\n")


def test_no_output_is_an_empty_body(raw: Callable[..., Client]) -> None:
    answer = raw("silent").get("/")
    assert (answer.status_code, answer.data) == (200, b"")


def test_a_trap_is_an_error_where_nothing_was_sent(raw: Callable[..., Client]) -> None:
    assert raw("trap").get("/").status_code == 502


def test_head(raw: Callable[..., Client]) -> None:
    answer = raw("hello").head("/")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 20
