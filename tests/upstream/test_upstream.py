"""What of upstream's programs is quick to build, and that the page says what the cases do."""

from __future__ import annotations

from pathlib import Path

import pytest

from guests.build import cache
from upstream.around import surroundings
from upstream.builds import crates
from upstream.cases import suites
from upstream.page import page
from upstream.running import run_case

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_made_of_the_cases() -> None:
    assert (DOCS / "upstream.md").read_text("utf-8") == page(suites()), (
        "python -m tests.upstream --page > docs/upstream.md"
    )


@pytest.mark.timeout(600)
def test_examples_of_the_crate_wasip2() -> None:
    (suite,) = [one for one in suites() if one.name == "crates"]
    cases = [(case, name) for case in suite.cases for name in case.run if name.startswith("wasip2/")]
    built = crates(None, cache() / "tools", [case for case, _ in cases], ["wasip2"])
    with surroundings([]) as around:
        for case, name in cases:
            run_case(case, name, built.find, built.apps, around)
    assert len(cases) == 6
