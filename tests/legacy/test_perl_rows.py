"""The data of Perl programs is whole."""

from __future__ import annotations

from .rows import RESULTS, programs

ROWS = programs("perl")


def test_what_does_not_run_says_why() -> None:
    assert not [row.name for row in ROWS if row.result not in RESULTS]
    assert not [row.name for row in ROWS if row.result != "same" and not row.reason]
    assert not [row.name for row in ROWS if row.result != "native" and not row.requests]
    assert not [row.name for row in ROWS if row.result == "native" and row.script and not row.log]
