"""The table is whole: every row has tests that are collected, or a reason, and the documentation says what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .client_cases import SENT
from .documents import documents
from .found_cases import FOUND_CASES
from .guest_cases import GUEST_CASES
from .rows import ROWS
from .statements import LISTS

TESTS = Path(__file__).resolve().parents[1]
EXPECTED = [
    *(f"G{number}" for number in range(1, 21)),
    *(f"C{number}" for number in range(1, 11)),
    *(f"H{number}" for number in range(1, 26)),
    *(f"F{number}" for number in range(1, 15)),
]


def test_every_row_is_there() -> None:
    assert list(ROWS) == EXPECTED


def test_every_row_has_a_test_or_a_reason() -> None:
    assert not [row.id for row in ROWS.values() if not row.tests and not row.reason]


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Every test that pytest collects in the files that the table names."""
    files = sorted({test.partition("::")[0] for row in ROWS.values() for test in row.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {line.removeprefix("tests/") for line in done.stdout.splitlines() if "::" in line}


def test_every_test_is_collected(collected: set[str]) -> None:
    functions = {re.sub(r"\[.*", "", name) for name in collected}
    named = {test for row in ROWS.values() for test in row.tests}
    assert named - functions == set()


def test_rows_of_cases_have_cases(collected: set[str]) -> None:
    """A row that names the function of all cases must have some of its own there, and no case is of no row."""
    for row in ROWS.values():
        for test in row.tests:
            if test.startswith("faults/") and test.endswith(("::test_guest", "::test_request", "::test_found")):
                assert [name for name in collected if name.startswith(test) and f"-{row.id}-" in name], row.id
    rows = {case.row for case in (*GUEST_CASES, *FOUND_CASES)} | {sent.row for sent in SENT}
    assert rows <= set(ROWS)


def test_every_row_stands_behind_a_statement() -> None:
    cited = {row for statements in LISTS.values() for one in statements for row in one.ids}
    assert cited == set(ROWS)


def test_the_documentation_is_current() -> None:
    for path, text in documents().items():
        assert path.read_text("utf-8") == text, f"{path.name}: python -m tests.faults"
