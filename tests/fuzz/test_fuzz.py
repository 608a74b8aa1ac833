"""Every target with its seeds, its corpus and always the same mutations: no coverage, no clock, nothing to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.campaign import known
from fuzz.corpus import HERE, rows
from fuzz.mutations import mutants
from fuzz.registry import targets
from fuzz.target import Target


@pytest.mark.parametrize("target", targets().values(), ids=targets())
def test_corpus(target: Target) -> None:
    for data in (*target.seeds(), *rows(target.name)):
        _check(target, data)


@pytest.mark.parametrize("target", targets().values(), ids=targets())
def test_mutations(target: Target) -> None:
    seeds = [*target.seeds(), *rows(target.name), b""]
    for data in mutants(target.name, seeds, target.words, target.tries, target.longest):
        _check(target, data)


def test_every_corpus_has_its_target() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} <= {*known()}


def test_the_page_lists_every_target() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fuzzing.md").read_text("utf-8")
    table = "".join(f"| `{name}` | {promise} |\n" for name, promise in known().items())
    assert f"| target | what holds |\n|---|---|\n{table}\n" in page


def _check(target: Target, data: bytes) -> None:
    try:
        target.check(data)
    except BaseException:
        print(f"a row for corpus/{target.name}.txt:\n{data!r}")
        raise
