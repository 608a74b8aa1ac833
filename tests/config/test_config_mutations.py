"""Whatever stands in the file, loading gives a Config or a ConfigError whose places are real."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from wsgi_wasm.config import Config, load_config
from wsgi_wasm.errors import ConfigError

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

SAMPLE = (Path(__file__).parents[2] / "conf" / "site.yaml").read_bytes()
LINES = SAMPLE.splitlines(keepends=True)
PIECES = [
    b"${", b"${A}", b"$${A}", b"&a ", b"*a", b"<<: *a", b"!!str ", b"---\n", b"? ", b"- ", b": ", b"{", b"}", b"[",
    b"]", b"|\n", b"'", b'"', b"\t", b"\r", b"\0", b"\xff", b"\xc2\x85", b"null", b"~", b"no", b"0777", b"1e3", b"1:30",
    b"%YAML 1.2\n", b"routes:", b"  ", b"#", b"\\", b"9" * 5000, b'"\\ud800"', b"\xef\xbb\xbf", b"/../", b"..",
]  # fmt: skip


def tries(examples: int) -> settings:
    # No database: a run does not depend on the one before it.
    return settings(deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.too_slow], database=None)


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        site = Path(directory) / "site.yaml"
        site.write_bytes(data)
        try:
            assert isinstance(load_config(site, {"A": "a"}), Config)
        except ConfigError as error:
            problems = error.problems
        else:
            return
    lines = len(data.splitlines()) + 1
    assert problems
    assert all(0 <= problem.line <= lines for problem in problems)
    assert all(problem.message.isprintable() for problem in problems)


@tries(200)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 12), st.sampled_from(PIECES)), max_size=4))
def test_pieces_put_into_the_sample(edits: list[tuple[int, int, bytes]]) -> None:
    data = SAMPLE
    for start, removed, piece in edits:
        data = data[:start] + piece + data[start + removed :]
    check(data)


@tries(100)
@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1)), max_size=6))
def test_lines_of_the_sample_moved_about(moves: list[tuple[int, int]]) -> None:
    lines = list(LINES)
    for source, target in moves:
        lines.insert(target, lines[source])
    check(b"".join(lines))


@tries(200)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check(data)


@tries(200)
@given(st.lists(st.sampled_from([*PIECES, b"\n", b"a", b"module", b"/a", b"env", b"dirs", b"timeout"]), max_size=30))
def test_any_pieces(pieces: list[bytes]) -> None:
    check(b"".join(pieces))
