"""Preconditions in the order of RFC 9110 13.2.2."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from conftest import SiteMaker
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.gateway.conditions import unmet_condition

OLD, CHANGED, NEW = (f"Fri, 0{day} Sep 2006 00:00:00 GMT" for day in (1, 2, 3))
FUTURE = "Tue, 01 Sep 9999 00:00:00 GMT"


class Case(NamedTuple):
    """Fields of the request, of the answer, and the status that takes the place of 200."""

    asked: dict[str, str]
    answered: dict[str, str]
    status: int | None


TAG = {"ETag": '"a"'}
WEAK = {"ETag": 'W/"a"'}
DATE = {"Last-Modified": CHANGED}
BOTH = TAG | DATE

CASES = [
    Case({}, BOTH, None),
    # 1: If-Match, by strong comparison
    Case({"If-Match": '"a"'}, TAG, None),
    Case({"If-Match": '"b", "a"'}, TAG, None),
    Case({"If-Match": '"b"'}, TAG, 412),
    Case({"If-Match": 'W/"a"'}, TAG, 412),
    Case({"If-Match": '"a"'}, WEAK, 412),
    Case({"If-Match": 'W/"a"'}, WEAK, 412),
    Case({"If-Match": '"a"'}, {}, 412),
    Case({"If-Match": '"a"'}, DATE, 412),
    Case({"If-Match": "*"}, {}, None),
    Case({"If-Match": ""}, TAG, 412),
    Case({"If-Match": "garbage"}, TAG, 412),
    # 2: If-Unmodified-Since, unless 1 was there
    Case({"If-Unmodified-Since": OLD}, DATE, 412),
    Case({"If-Unmodified-Since": CHANGED}, DATE, None),
    Case({"If-Unmodified-Since": NEW}, DATE, None),
    Case({"If-Unmodified-Since": OLD}, TAG, None),
    Case({"If-Unmodified-Since": "yesterday"}, DATE, None),
    Case({"If-Unmodified-Since": OLD}, {"Last-Modified": "x"}, None),
    Case({"If-Match": '"a"', "If-Unmodified-Since": OLD}, BOTH, None),
    Case({"If-Match": '"b"', "If-Unmodified-Since": NEW}, BOTH, 412),
    # 3: If-None-Match, by weak comparison, after 1 or 2
    Case({"If-None-Match": '"a"'}, TAG, 304),
    Case({"If-None-Match": 'W/"a"'}, TAG, 304),
    Case({"If-None-Match": '"a"'}, WEAK, 304),
    Case({"If-None-Match": '"b", W/"a"'}, TAG, 304),
    Case({"If-None-Match": '"b"'}, TAG, None),
    Case({"If-None-Match": '"a"'}, {}, None),
    Case({"If-None-Match": "*"}, {}, 304),
    Case({"If-None-Match": '"a"', "If-Match": '"a"'}, TAG, 304),
    Case({"If-None-Match": '"a"', "If-Match": '"b"'}, TAG, 412),
    Case({"If-None-Match": '"a"', "If-Unmodified-Since": OLD}, BOTH, 412),
    # 4: If-Modified-Since, unless 3 was there
    Case({"If-Modified-Since": OLD}, DATE, None),
    Case({"If-Modified-Since": CHANGED}, DATE, 304),
    Case({"If-Modified-Since": NEW}, DATE, 304),
    Case({"If-Modified-Since": FUTURE}, DATE, None),
    Case({"If-Modified-Since": NEW}, TAG, None),
    Case({"If-Modified-Since": "yesterday"}, DATE, None),
    Case({"If-Modified-Since": "Tue, 99 Sep 2006 00:00:00 GMT"}, DATE, None),
    Case({"If-None-Match": '"b"', "If-Modified-Since": NEW}, BOTH, None),
    Case({"If-None-Match": '"a"', "If-Modified-Since": OLD}, BOTH, 304),
    Case({"If-Match": '"a"', "If-Modified-Since": NEW}, BOTH, 304),
    Case({"If-Unmodified-Since": NEW, "If-Modified-Since": NEW}, BOTH, 304),
    # 5: ranges are the guest's own
    Case({"If-Range": '"b"', "Range": "bytes=0-1"}, TAG, None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.asked}-{case.answered}")
def test_which_status(case: Case) -> None:
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in case.asked.items()}
    assert unmet_condition(environ, Head(200, "OK", tuple(case.answered.items()))) == case.status


HEAD = "head=Content-Type:%20text/plain%0aETag:%20%22a%22"
STALE, FRESH = {"If-Match": '"b"'}, {"If-None-Match": '"a"'}


@pytest.mark.parametrize(
    ("method", "query", "asked", "status"),
    [
        ("GET", HEAD, STALE, 412),
        ("HEAD", HEAD, STALE, 412),
        ("GET", HEAD, FRESH, 304),
        ("HEAD", HEAD, FRESH, 304),
        *((method, HEAD, asked, 200) for method in ("POST", "PUT", "PATCH", "DELETE") for asked in (STALE, FRESH)),
        ("GET", f"{HEAD}%0aStatus:%20200", STALE, 412),
        ("GET", f"{HEAD}%0aStatus:%20201", STALE, 201),
        ("GET", f"{HEAD}%0aStatus:%20404", STALE, 404),
        ("GET", f"{HEAD}%0aStatus:%20404", FRESH, 404),
        ("GET", "head=Location:%20http://other.example/", STALE, 302),
        ("GET", "head=nothing", STALE, 502),
    ],
)
def test_answers(make_client: SiteMaker, method: str, query: str, asked: dict[str, str], status: int) -> None:
    answer = make_client({"/tell": {"module": "tell"}}).open(f"/tell?{query}", method=method, headers=asked)
    assert answer.status_code == status
    assert bool(answer.data) is (method != "HEAD" and status != 304)
    if status == 304:
        assert (answer.headers["ETag"], "Content-Type" in answer.headers) == ('"a"', False)
