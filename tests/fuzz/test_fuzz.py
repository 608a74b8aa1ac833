"""Every target with its seeds, its corpus and always the same mutations: no coverage, no clock, nothing to install."""

from __future__ import annotations

import pytest

from fuzz import native_build
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
    assert {path.stem for path in HERE.glob("*.txt")} <= {*targets(), native_build.NAME}


def _check(target: Target, data: bytes) -> None:
    try:
        target.check(data)
    except BaseException:
        print(f"a row for corpus/{target.name}.txt:\n{data!r}")
        raise
