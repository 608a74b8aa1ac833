"""No statement runs past its run's limits, whatever its single steps take, and what is ours gives what is SQLite's."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress

import pytest

from hostapi.statements import COUNT, SAME, SLOW, zeros
from hostapi.test_sqlite import EXECUTE, Open, database, session
from wsgi_wasm.engine.outcome import Stop

__all__ = ["database", "session"]

LIMIT = 0.5  # seconds


@pytest.mark.parametrize("name", SLOW)
def test_it_ends_with_the_run(session: Open, name: str) -> None:
    with session() as one:
        one.rows("CREATE TABLE big (a, b)")
        one.rows(f"INSERT INTO big {COUNT} SELECT x, x * 7919 % 100000 FROM c LIMIT 100000")
    with session(seconds=LIMIT) as one:
        began = time.monotonic()
        with suppress(Stop):
            one.guest.call(EXECUTE, one.handle, SLOW[name], [])
        # Those that were not bounded took from three seconds to minutes; a slow machine is no such thing.
        assert time.monotonic() - began < LIMIT + 2.5


@pytest.mark.parametrize("expression", SAME)
@pytest.mark.parametrize("first", ["SELECT 1", f"SELECT length({zeros(200_000)})"], ids=["small", "large"])
def test_it_gives_what_sqlite_gives(session: Open, expression: str, first: str) -> None:
    theirs = sqlite3.connect(":memory:").execute(f"SELECT {expression}").fetchone()[0]
    with session() as one:
        one.rows(first)
        assert one.rows(f"SELECT {expression}") == [[theirs]]


def test_a_statement_that_begins_anew_changes_nothing_twice(session: Open) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        one.rows("CREATE TABLE log (v)")
        one.rows("CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (length(new.v)); END")
        one.rows("INSERT INTO t VALUES (zeroblob(10)), (zeroblob(100000))")
        assert one.rows("SELECT v FROM log") == [[10], [100000]]
    with session() as one:
        one.rows("BEGIN")
        one.rows("SAVEPOINT mine")
        one.rows("INSERT INTO t VALUES (zeroblob(20)), (zeroblob(100000))")
        one.rows("INSERT INTO t VALUES (zeroblob(30)), (zeroblob(200000))")
        assert one.rows("SELECT v FROM log") == [[10], [100000], [20], [100000], [30], [200000]]
        one.rows("ROLLBACK TO mine")
        one.rows("INSERT INTO t VALUES (zeroblob(40))")
        one.rows("RELEASE mine")
        one.rows("COMMIT")
        assert one.rows("SELECT v FROM log") == [[10], [100000], [40]]


TRANSACTIONS = {
    ("BEGIN", "INSERT INTO t VALUES (1)", "COMMIT"): [[1]],
    ("BEGIN", "INSERT INTO t VALUES (1)", "END"): [[1]],
    ("BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "ROLLBACK"): [],
    ("SAVEPOINT a", "INSERT INTO t VALUES (1)", "RELEASE a"): [[1]],
    ("BEGIN", "SAVEPOINT a", "INSERT INTO t VALUES (1)", "ROLLBACK TO a", "INSERT INTO t VALUES (2)", "COMMIT"): [[2]],
    ("BEGIN", "SAVEPOINT attempt", "INSERT INTO t VALUES (1)", "ROLLBACK TO attempt", "COMMIT"): [],
    ("BEGIN", "/* a */ SAVEPOINT a", "INSERT INTO t VALUES (1)", "RELEASE a", "COMMIT"): [[1]],
}


@pytest.mark.parametrize("statements", TRANSACTIONS, ids="; ".join)
def test_transactions_are_the_guests_own(session: Open, statements: tuple[str, ...]) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        for statement in statements:
            one.rows(statement)
    with session() as one:
        assert one.rows("SELECT v FROM t") == TRANSACTIONS[statements]


def test_large_parameters_within_a_transaction(session: Open) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        one.rows("BEGIN")
        one.rows("INSERT INTO t VALUES (?)", bytes(200_000))
        one.rows("COMMIT")
        assert one.rows("SELECT length(v) FROM t") == [[200_000]]


def test_like_uses_an_index_until_a_value_is_large(session: Open) -> None:
    plan = "EXPLAIN QUERY PLAN SELECT v FROM t WHERE v GLOB 'abc*'"
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        one.rows("CREATE INDEX i ON t (v)")
        assert "SEARCH" in str(one.rows(plan))
        one.rows(f"SELECT length({zeros(200_000)})")
        assert "SEARCH" not in str(one.rows(plan))


def test_too_many_functions_are_refused(session: Open) -> None:
    with session() as one:
        assert one.rows(f"SELECT {' + '.join(['length(1)'] * 400)}") == [[400]]
        assert one.error("SELECT " + ", ".join(["length(1)"] * 1100)) == (
            "io", "the statement calls too many functions",
        )  # fmt: skip
        assert one.rows("SELECT " + ", ".join(["coalesce(1, 2)"] * 1100)) == [[1] * 1100]


def test_the_watching_thread_lets_others_be(session: Open) -> None:
    """A statement that is cut takes none of another connection along."""
    with session(seconds=0.3) as short, session(seconds=60) as long:
        done: list[object] = []
        thread = threading.Thread(
            target=lambda: done.append(long.rows(f"{COUNT} SELECT count(*) FROM (SELECT x FROM c LIMIT 3000000)"))
        )
        thread.start()
        assert short.error(f"{COUNT} SELECT count(*) FROM c") == ("io", "interrupted")
        thread.join(60)
        assert done == [[[3_000_000]]]
