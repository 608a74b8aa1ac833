"""The work of loading grows with the file and not with its square, whatever is in it; mistakes have a bound.

Work is counted in calls, so that no clock decides.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from wsgi_wasm.config import parse_config
from wsgi_wasm.config.nodes import MOST_PROBLEMS
from wsgi_wasm.errors import ConfigError


def lines(head: str, line: str) -> Callable[[int], str]:
    """A file of `head` and so many times `line`, in which `#` is the number."""
    return lambda count: head + "".join(line.replace("#", str(number)) for number in range(count))


DIRS = "routes:\n  /a:\n    module: m\n    dirs:\n"
FILES: dict[str, Callable[[int], str]] = {
    "routes": lines("routes:\n", "  /a#: {module: m#.wasm}\n"),
    "routes of hosts": lines("hosts:\n", "  h#.x: {routes: {/: {module: m#}}}\n"),
    "directories": lines(DIRS, "      /d#: /h#\n"),
    "directories of both rights": lambda count: (
        lines(DIRS, "      /d#: /h#\n")(count) + lines("", "      /w#: {path: /w#, writable: true}\n")(count)
    ),
    "directories that overlap": lambda count: (
        lines(DIRS, "      /d#: /h\n")(count) + lines("", "      /w#: {path: /h/#, writable: true}\n")(count)
    ),
    "writable directories": lines("routes:\n", "  /a#: {module: m#/m.wasm, dirs: {/a: {path: h#, writable: true}}}\n"),
    "compositions": lines("routes: {/: {module: m}}\ncompose:\n", "  m#.wasm: {'a:b/c': m1#.wasm}\n"),
    "compositions that go round": lines(
        "routes: {/: {module: m}}\ncompose:\n  m.wasm: {'a:b/c': m.wasm}\n", "  m#.wasm: {'a:b/c': m.wasm}\n"
    ),
    "unknown keys": lines("routes:\n", "  /a#: {module: m, timeoutt#: 5}\n"),
    "stores that are not there": lambda count: (
        lines("key_value:\n", "  k#: {path: p#}\n")(count)
        + f"routes:\n  /a: {{module: m, key_value: [{', '.join(f'kk{number}' for number in range(count))}]}}\n"
    ),
    "redirects": lines("routes:\n", "  /a#: {module: m, local_redirects: ['/a#']}\n"),
    "variables": lines("routes:\n  /a:\n    module: m\n    env:\n", "      A#: b\n"),
}


def calls(text: str) -> int:
    """How many functions are called while a file is read."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        parse_config(text.encode(), "/nowhere/site.yaml", {})
    except ConfigError:
        pass
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", FILES)
def test_work_grows_with_the_file(name: str) -> None:
    calls(FILES[name](10))  # what is done once
    some, twice = calls(FILES[name](400)), calls(FILES[name](800))
    assert twice < 2.5 * some


def test_mistakes_have_a_bound() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(FILES["unknown keys"](500).encode(), "site.yaml", {})
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert caught.value.problems[0].message == f"there are {MOST_PROBLEMS} mistakes or more: only these are listed"


@pytest.mark.parametrize(("path", "well"), [("a/" * 100 + "b", True), ("a/" * 101 + "b", False), ("a" * 4096, False)])
@pytest.mark.parametrize("rest", ["", ", dirs: {/b: {path: data, writable: true}}"])
def test_how_long_a_path_may_be(path: str, well: bool, rest: str) -> None:
    """Every directory that a path leads through is compared with those of others."""
    text = f"routes: {{/a: {{module: '{path}'{rest}}}}}".encode()
    if well:
        parse_config(text, "/nowhere/site.yaml", {})
        return
    with pytest.raises(ConfigError, match="is longer than 4095 bytes, or 100 directories deep"):
        parse_config(text, "/nowhere/site.yaml", {})
