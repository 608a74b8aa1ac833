"""Spin's route patterns, as data: `routing.json` restates what its documentation and tests say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_wasm.spin.patterns import PatternTable, parse_pattern

CASES = json.loads((Path(__file__).parent / "routing.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_paths_lead_to_routes(case: dict[str, Any]) -> None:
    table = PatternTable((route, number) for number, route in enumerate(case["routes"]))
    found = {path: table.match(path) for path in case["requests"]}
    told = {
        path: None
        if match is None
        else {
            "route": match.pattern.raw,
            "rest": match.rest,
            **({"names": dict(match.names)} if match.names else {}),
        }
        for path, match in found.items()
    }
    assert told == case["requests"]
    assert [list(one) for one in table.shadowed] == case.get("shadowed", [])


@pytest.mark.parametrize(
    ("base", "route", "matching", "others"),
    [
        ("/x", "/", ["/x", "/x/"], ["/", "/x/y", "/xy"]),
        ("/x", "/...", ["/x", "/x/", "/x/y"], ["/", "/y", "/xy"]),
        ("/x/y", "a/:b", ["/x/y/a/1"], ["/a/1", "/x/a/1", "/x/y/a"]),
    ],
)
def test_routes_behind_a_base(base: str, route: str, matching: list[str], others: list[str]) -> None:
    table = PatternTable([(route, 1)], base)
    assert all(table.match(path) for path in matching)
    assert not any(table.match(path) for path in others)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("/a//b", "extra slash"),
        ("//", "extra slash"),
        ("/a/.../b", "in the middle"),
        ("/a/*/b", "contains '*'"),
        ("/:", "contains ':'"),
        ("/:a.b", "contains ':a.b'"),
        ("/a b", "contains 'a b'"),
        ("/a?b", "contains 'a?b'"),
        ("/ä", "contains 'ä'"),
    ],
)
def test_patterns_that_mean_nothing(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("*", r"\*").replace("?", r"\?")):
        parse_pattern(pattern)


SEGMENT = st.text("ab:.%", min_size=0, max_size=3)


@given(st.lists(SEGMENT, max_size=5))
def test_the_rest_is_the_end_of_the_path(segments: list[str]) -> None:
    """What a component is told of its path is always a part of it, so the two cannot contradict each other."""
    path = "/" + "/".join(segments)
    found = PatternTable([("/...", 0), ("/a/:x/...", 1), ("/:y", 2)]).match(path)
    assert found is not None
    assert path.endswith(found.rest)
    assert all(value in path.split("/") for _, value in found.names)
