"""The rows of the fault table, and what the documentation says of them.

Each row has a fault, what must come of it, and the tests that do the one and look for the other, or the reason why no
test can. `STATEMENTS` are the promises and limits of docs/security.md; each row stands behind at least one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVERS = "gunicorn gthread, mod_wsgi daemon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of fault.

    `tests` are functions as pytest names them below `tests/`; of one that has cases with rows' ids, those of this row.
    `reason` says why a fault, or a part of it, is in no test.
    """

    id: str
    fault: str
    outcome: str
    tests: tuple[str, ...] = ()
    reason: str = ""
    servers: str = SERVERS


GUEST = "faults/test_guests.py::test_guest"
CLIENT = "faults/test_clients.py::test_request"


def in_file(name: str, *tests: str) -> tuple[str, ...]:
    """Tests of one file."""
    return tuple(f"{name}::{test}" for test in tests)


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of the documentation, and the rows that stand behind it."""

    text: str
    rows: str

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.rows.split())


def by_id(*rows: Row) -> Mapping[str, Row]:
    """Rows by their ids, of which each must be there once."""
    found = {row.id: row for row in rows}
    assert len(found) == len(rows)
    return found
