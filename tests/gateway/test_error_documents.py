"""Requests for the page of an error, by what Apache puts into the environ; with Apache itself in
servers/test_error_documents.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client

from guests.build import component, guest
from wsgi_wasm import Gateway

ERROR = {"REDIRECT_STATUS": "404", "REDIRECT_URL": "/missing"}
OWN_PAGE = "Request ID"  # of the gateway


@pytest.fixture
def client(make_app: Callable[..., Gateway]) -> Client:
    routes: dict[str, Any] = {
        "/tell": {"module": "tell", "local_redirects": ["/http"]},
        "/http": {"module": str(component("http"))},
        "/raw": {"module": "hello", "interface": "raw"},
        "/worker": {"module": "worker", "interface": "wws"},
        "/put": {"module": "tell", "methods": ["PUT"]},
        "/missing-module": {"module": "/nowhere/x.wasm"},
    }
    return Client(make_app(routes))


# Path, REDIRECT_STATUS, the status of the answer, whether the page is the guest's.
ANSWERS = [
    ("/tell", "404", 404, True),
    ("/tell", "401", 401, True),
    ("/tell", "599", 599, True),
    ("/tell", "301", 301, True),
    ("/tell", "200", 200, True),
    ("/tell", "299", 200, True),
    ("/tell", "600", 200, True),
    ("/tell", "40 4", 200, True),
    ("/tell", "\u0664\u0660\u0664", 200, True),
    ("/tell", "", 200, True),
    ("/tell?head=Status:%20200%0aContent-Type:%20x", "404", 200, True),
    ("/tell?head=HTTP/1.1%20200%20OK%0aContent-Type:%20x", "404", 200, True),
    ("/tell?head=Status:%20418%0aContent-Type:%20x", "404", 418, True),
    ("/tell?head=Location:%20/http/request", "404", 404, True),
    ("/tell?head=Location:%20http://other.example/%0aX-A:%20b", "410", 410, True),
    ("/tell?head=Content-Type:%20x%0aETag:%20%22a%22", "404", 404, True),
    ("/tell?head=broken", "404", 404, False),
    ("/tell?trap=1", "403", 403, False),
    ("/http/hello", "404", 404, True),
    ("/http/status", "404", 599, True),
    ("/http/echo", "404", 201, True),
    ("/http/trap", "404", 404, False),
    ("/raw", "503", 503, True),
    ("/worker", "404", 404, True),
    ("/put", "404", 404, False),
    ("/missing-module", "404", 404, False),
    ("/no-route", "401", 401, True),
    ("/no-route", "599", 599, True),
    ("/no-route", "200", 404, True),
]


@pytest.mark.parametrize(("target", "status", "answered", "own"), ANSWERS)
def test_the_status_of_an_answer(client: Client, target: str, status: str, answered: int, own: bool) -> None:
    answer = client.get(target, environ_overrides={"REDIRECT_STATUS": status}, headers={"If-None-Match": '"a"'})
    assert answer.status_code == answered
    assert (OWN_PAGE not in answer.text) is own
    assert "Retry-After" not in answer.headers
    assert "Allow" not in answer.headers


def test_a_page_that_is_asked_for_itself(client: Client) -> None:
    again = {**ERROR, "REDIRECT_REDIRECT_STATUS": "404", "REDIRECT_URL": "/tell/x"}
    assert client.get("/tell/x", environ_overrides=again).status_code == 200
    assert client.get("/tell/y", environ_overrides=again).status_code == 404
    assert client.get("/tell/x", environ_overrides=again | {"REDIRECT_REDIRECT_STATUS": "200"}).status_code == 404


def test_a_local_redirect_is_one_within_the_server(client: Client) -> None:
    answer = client.get("/tell/a?head=Location:%20/http/request%3Fx")
    lines = answer.text.splitlines()
    assert answer.status_code == 200
    assert "path /http/request?x" in lines
    redirected = [
        "REDIRECT_STATUS=200",
        "REDIRECT_URL=/tell/a",
        "REDIRECT_QUERY_STRING=head=Location:%20/http/request%3Fx",
    ]
    assert {f"env {variable}" for variable in redirected} < set(lines)


def test_workers_and_programs_are_told_of_the_page(client: Client) -> None:
    assert guest("worker").exists()
    answer = client.get("/worker?page", environ_overrides={**ERROR, "REQUEST_URI": "/missing"})
    assert '/worker?page"' in answer.text.replace("\\", "")
