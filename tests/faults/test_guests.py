"""Hostile guests under every server: the status that was promised, and a server that goes on as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.server import Server

from .guest_cases import GUEST_CASES
from .guest_files import snapshot
from .site import Case, Watched, hold


@pytest.mark.parametrize("case", GUEST_CASES, ids=lambda case: case.id)
def test_guest(server: Server, place: Path, case: Case) -> None:
    before = snapshot(place)
    with Watched(server):
        hold(server, case)
    assert snapshot(place) == before, "a guest has changed what it may only read"


def test_nothing_of_a_guest_reaches_the_log_raw(server: Server) -> None:
    """Whatever the others have written to it until now: no control character but the end of a line."""
    assert not [line for line in server.log().splitlines() if not line.replace("\t", " ").isprintable()]
