"""What workers and their clients can make the gateway hold, where no limit is written: `python tests/wws/peak.py`."""

from __future__ import annotations

import pytest

from wws.peak import BODIES, KINDS, MIB, peak

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.mark.in_process
@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_that_an_answer_takes(kind: str) -> None:
    """The output, what it holds, and the response."""
    assert 2 * MIB < peak(kind) < 40 * MIB


@pytest.mark.parametrize("kind", BODIES)
def test_the_memory_that_a_body_takes(kind: str) -> None:
    """The body, and its JSON, which may be six times as large."""
    assert 5 * MIB < peak(kind) < 120 * MIB
