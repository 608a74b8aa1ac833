"""Preconditions, ranges and large heads, as the same program natively under mod_cgid has them.

What differs has a name in docs/cgi.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from .apache import Apache
from .beside_cgid import PROGRAMS, WAYS, path_of, serve_beside
from .client import Answer, get, request
from .http2 import Refused, ask_http2

DAEMONS = ("/app/tell", "/tell.wasm")
LONGEST = 32765  # bytes of a line that mod_wsgi takes from its daemons


@pytest.fixture(scope="module")
def apache(open_module_tmp: Path) -> Iterator[Apache]:
    text = "Protocols h2c http/1.1\n<Location /native>\nErrorDocument 412 default\n</Location>"
    routes = {"/large": {"module": "docroot/tell.wasm", "max_head": "1MiB"}}
    with serve_beside(
        open_module_tmp,
        ["tell"],
        lambda way: text if way == "native" else "",
        routes=routes,
        ready=["/large"],
        modules=("http2",),
    ) as server:
        yield server


OLD, CHANGED, NEW = (f"Fri, 0{day} Sep 2006 00:00:00 GMT" for day in (1, 2, 3))

ANSWERS = {
    "plain": "",
    "tag": "%0aETag:%20%22a%22",
    "weak tag": "%0aETag:%20W/%22a%22",
    "date": f"%0aLast-Modified:%20{CHANGED.replace(' ', '%20')}",
    "both": f"%0aETag:%20%22a%22%0aLast-Modified:%20{CHANGED.replace(' ', '%20')}",
    "tag, 200": "%0aETag:%20%22a%22%0aStatus:%20200",
    "tag, 404": "%0aETag:%20%22a%22%0aStatus:%20404",
}

ASKED: dict[str, tuple[tuple[str, str], ...]] = {
    "match": (("If-Match", '"a"'),),
    "match weak": (("If-Match", 'W/"a"'),),
    "match other": (("If-Match", '"b"'),),
    "match any": (("If-Match", "*"),),
    "match list": (("If-Match", '"b", "a"'),),
    "unmodified, old": (("If-Unmodified-Since", OLD),),
    "unmodified, new": (("If-Unmodified-Since", NEW),),
    "unmodified, no date": (("If-Unmodified-Since", "x"),),
    "none": (("If-None-Match", '"a"'),),
    "none weak": (("If-None-Match", 'W/"a"'),),
    "none other": (("If-None-Match", '"b"'),),
    "none any": (("If-None-Match", "*"),),
    "modified, old": (("If-Modified-Since", OLD),),
    "modified, new": (("If-Modified-Since", NEW),),
    "modified, future": (("If-Modified-Since", "Wed, 01 Sep 2060 00:00:00 GMT"),),
    "match, and unmodified, old": (("If-Match", '"a"'), ("If-Unmodified-Since", OLD)),
    "none, and modified, old": (("If-None-Match", '"a"'), ("If-Modified-Since", OLD)),
    "none other, and modified, new": (("If-None-Match", '"b"'), ("If-Modified-Since", NEW)),
    "match other, and none": (("If-Match", '"b"'), ("If-None-Match", '"a"')),
}


def test_conditions(apache: Apache) -> None:
    """`conditions`: those of RFC 9110, also for a 200 that is said, and what the RFC leaves out does not count."""
    differ: dict[tuple[str, str], tuple[int, int]] = {}
    for (answer, head), (asked, fields), method in product(ANSWERS.items(), ASKED.items(), ("GET", "HEAD", "POST")):
        if method != "GET" and answer != "both":
            continue
        query = f"?head=Content-Type:%20text/plain{head}"
        found = {
            way: request(apache.address, method, path_of(way, "tell") + query, fields=fields).status for way in PROGRAMS
        }
        assert len({found[way] for way in WAYS}) == 1, (answer, asked, method, found)
        if found["native"] != found["daemon"]:
            assert method != "POST"
            differ[answer, asked] = found["native"], found["daemon"]
    without_date = {(answer, "unmodified, old"): (412, 200) for answer in ("plain", "tag", "weak tag")}
    without_date |= {(answer, "unmodified, new"): (412, 200) for answer in ("plain", "tag", "weak tag")}
    said = {key: ours for key, ours in differ.items() if key[0] == "tag, 200"}
    assert {ours for _, ours in said.values()} == {304, 412}
    assert {native for native, _ in said.values()} == {200}
    assert {key: found for key, found in differ.items() if key not in said} == {
        **without_date,
        ("both", "match, and unmodified, old"): (412, 200),
        ("tag", "match, and unmodified, old"): (412, 200),
        ("both", "none, and modified, old"): (200, 304),
        ("tag", "none, and modified, old"): (200, 304),
        ("weak tag", "none, and modified, old"): (200, 304),
    }


def test_ranges_are_the_programs_own(apache: Apache) -> None:
    """httpd makes no parts of what a program of either kind answers: its length is not known in time."""
    part = "?head=Status:%20206%0aContent-Range:%20bytes%200-1/9%0aContent-Type:%20text/plain"
    tagged = "?head=Content-Type:%20text/plain%0aAccept-Ranges:%20bytes%0aETag:%20%22a%22"
    asked = [("Range", "bytes=0-9")]
    for way in PROGRAMS:
        whole = get(apache.address, path_of(way, "tell") + tagged, fields=[*asked, ("If-Range", '"a"')])
        assert (whole.status, whole.field("Content-Range")) == (200, None)
        assert "HTTP_RANGE=bytes=0-9" in whole.text
        assert 'HTTP_IF_RANGE="a"' in whole.text
        answer = get(apache.address, path_of(way, "tell") + part, fields=asked)
        assert (answer.status, answer.field("Content-Range")) == (206, "bytes 0-1/9")


def refused(answer: Answer) -> bool:
    return answer.status == 502 and answer.text.startswith("502 Bad Gateway\nRequest ID")


def test_long_fields(apache: Apache) -> None:
    """`long-fields`: mod_cgid takes lines of 8,189 bytes, mod_wsgi from its daemons longer ones, but not any."""
    assert get(apache.address, "/native/tell?long=8189").status == 200
    assert get(apache.address, "/native/tell?long=8190").status == 500
    for path in DAEMONS:
        answer = get(apache.address, f"{path}?long={LONGEST}")
        assert (answer.status, len(answer.field("X-Long") or "")) == (200, LONGEST - len("X-Long: "))
        assert refused(get(apache.address, f"{path}?long={LONGEST + 1}"))
        assert refused(get(apache.address, f"{path}?long=40000"))
    apache.wait_for_log(
        "502: the line of the field X-Long has 40000 bytes, but mod_wsgi's daemons pass on at most 32765"
    )
    for size in (LONGEST + 1, 40000):
        assert len(get(apache.address, f"/embedded/tell?long={size}").field("X-Long") or "") == size - len("X-Long: ")
    assert "Truncated or oversized response headers" not in apache.log()


def test_large_heads_by_http2(apache: Apache) -> None:
    """Apache resets the stream where there are more than 64 KiB, also for mod_cgid."""
    with pytest.raises(Refused):
        ask_http2(apache.address, "GET", "/native/tell?more=110")
    for path in ("/app/large", "/embedded/large"):
        assert ask_http2(apache.address, "GET", f"{path}?more=95&long=6200").status == 200
        assert ask_http2(apache.address, "GET", f"{path}?more=95&long=6800").status == 502
        assert ask_http2(apache.address, "GET", f"{path}?more=99&long=30000").status == 502
    apache.wait_for_log("but Apache sends at most 64 KiB by HTTP/2")


def test_large_heads(apache: Apache) -> None:
    """Neither Apache nor mod_wsgi bounds heads as a whole for HTTP/1.1; `max_head` does."""
    for way in PROGRAMS:
        answer = get(apache.address, path_of(way, "tell") + "?more=90")
        assert (answer.status, len(answer.field("X-More-89") or "")) == (200, 589)
    for path in (*DAEMONS, "/embedded/tell"):
        assert refused(get(apache.address, f"{path}?more=90&long=20000"))
        assert ask_http2(apache.address, "GET", f"{path}?more=90").status == 200
    for mount in ("/app", "/embedded"):
        answer = get(apache.address, f"{mount}/large?more=80&long=30000")
        assert (answer.status, len(answer.field("X-Long") or "")) == (200, 30000 - len("X-Long: "))


def test_a_reason_that_means_something_to_mod_wsgi(apache: Apache) -> None:
    """Between daemon and Apache, `200 Error` is an application that has failed."""
    for reason in ("Error", "Continue", "Timeout", "Rejected", "Fine"):
        for way in PROGRAMS:
            answer = get(apache.address, path_of(way, "tell") + f"?head=Status:%20200%20{reason}%0aContent-Type:%20x/y")
            assert answer.status == 200
            assert answer.reason == ("OK" if reason == "Error" and way in ("daemon", "drop-in") else reason)
