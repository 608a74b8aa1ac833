"""SQL databases as a guest sees them: what works, what is refused, and what a hostile guest does not get."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostapi.driver import Driver, Guest
from wsgi_wasm.config.granted import Database
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi import sqlite
from wsgi_wasm.hostapi.limits import MAX_HANDLES

DRIVER = Driver(sqlite.API, sqlite.SPIN)
DRIVER_3 = Driver(sqlite.API, sqlite.SPIN_3)

OPEN, EXECUTE = "[static]connection.open", "[method]connection.execute"

Open = Callable[..., "Session"]


class Session:
    """A guest with one connection."""

    def __init__(self, guest: Guest, label: str = "default") -> None:
        self.guest = guest
        self.handle = guest.ok(OPEN, label)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.guest.__exit__()

    def rows(self, sql: str, *parameters: Any) -> list[list[Any]]:
        _, rows = self.guest.ok(EXECUTE, self.handle, sql, [tagged(one) for one in parameters])
        return [[value for _, value in row[0]] for row in rows]

    def error(self, sql: str, *parameters: Any) -> tuple[str, str | None]:
        found: tuple[str, str | None] = self.guest.error(EXECUTE, self.handle, sql, [tagged(one) for one in parameters])
        return found


def tagged(value: Any) -> tuple[str, Any]:
    return (sqlite._CASES[type(value)], value)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(path=tmp_path / "state" / "db.sqlite", max_size=8 << 20)


@pytest.fixture
def session(database: Database) -> Open:
    """`session()`: a new run of a guest, with a connection to one and the same database."""
    return lambda **options: Session(DRIVER.guest({"default": database}, **options))


def test_values_come_back_as_they_went(session: Open) -> None:
    values = [0, -1, (1 << 63) - 1, -(1 << 63), 0.5, -1e300, "", "äöü\0€", b"", b"\0\xff", None]
    with session() as one:
        assert one.rows("CREATE TABLE t (id INTEGER PRIMARY KEY, v)") == []
        for value in values:
            one.rows("INSERT INTO t (v) VALUES (?)", value)
    with session() as another:
        found = [row[0] for row in another.rows("SELECT v FROM t ORDER BY id")]
        assert found == values
        assert [type(value) for value in found] == [type(value) for value in values]
        sql = "SELECT id AS n, v, ?2 FROM t WHERE id = ?1"
        columns, rows = another.guest.ok(EXECUTE, another.handle, sql, [tagged(1), tagged("x")])
        assert columns == ["n", "v", "?2"]
        assert rows == [([("integer", 1), ("integer", 0), ("text", "x")],)]
        assert another.rows("SELECT ?", math.inf) == [[math.inf]]


def test_transactions_and_what_a_run_leaves(session: Open) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        one.rows("BEGIN")
        one.rows("INSERT INTO t VALUES (1)")
        one.rows("COMMIT")
        one.rows("CREATE TEMP TABLE mine (v)")
        one.rows("PRAGMA foreign_keys = ON")
        one.rows("BEGIN IMMEDIATE")
        one.rows("INSERT INTO t VALUES (2)")
    with session() as another:
        assert another.rows("SELECT v FROM t") == [[1]]
        assert another.error("SELECT * FROM mine")[0] == "io"
        assert another.rows("PRAGMA foreign_keys") == [[0]]
        another.rows("INSERT INTO t VALUES (3)")


def test_version_3(database: Database) -> None:
    with Session(DRIVER_3.guest({"default": database})) as one:
        one.rows("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        one.rows("INSERT INTO t (v) VALUES (1), (2), (3)")
        assert one.guest.call("[method]connection.changes", one.handle) == 3
        assert one.guest.call("[method]connection.last-insert-rowid", one.handle) == 3


def test_mistakes_are_errors(session: Open) -> None:
    with session() as one:
        assert one.error("SELEKT 1") == ("io", 'near "SELEKT": syntax error')
        assert one.error("SELECT * FROM missing") == ("io", "no such table: missing")
        for sql, parameters in (("SELECT ?", ()), ("SELECT 1", (1,)), ("SELECT 1; SELECT 2", ()), ("SELECT '\0'", ())):
            assert one.error(sql, *parameters)[0] == "io"
        assert one.rows("") == []
        one.rows("CREATE TABLE t (v UNIQUE)")
        one.rows("INSERT INTO t VALUES (1)")
        assert one.error("INSERT INTO t VALUES (1)") == ("io", "UNIQUE constraint failed: t.v")


def test_what_is_not_granted_is_denied(database: Database) -> None:
    with DRIVER.guest({"default": database}) as guest:
        for label in ("other", "", str(database.path), ":memory:"):
            assert guest.error(OPEN, label) == ("access-denied", None)
    with DRIVER.guest({}) as guest:
        assert guest.error(OPEN, "default") == ("access-denied", None)
    assert not database.path.exists()


def test_handles_are_bounded(database: Database) -> None:
    with DRIVER.guest({"default": database}) as guest:
        handles = [guest.ok(OPEN, "default") for _ in range(MAX_HANDLES)]
        assert guest.error(OPEN, "default")[0] == "io"
        guest.call("[drop]connection", handles[0])
        assert guest.ok(OPEN, "default")


def test_answers_are_bounded(session: Open) -> None:
    with session() as one:
        assert one.error("SELECT zeroblob(3000000), zeroblob(3000000)")[0] == "io"
        numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {}) SELECT x FROM c"
        assert len(one.rows(numbers.format(50_000))) == 50_000
        assert "3 MiB" in str(one.error(numbers.format(2_000_000))[1])
        assert one.rows("SELECT 1") == [[1]]


def test_a_full_database_says_so(session: Open, database: Database) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        fill = "INSERT INTO t VALUES (randomblob(1000000))"
        cases = [one.guest.call(EXECUTE, one.handle, fill, []) for _ in range(9)]
        assert cases[0][0] == "ok"
        assert cases[-1] == ("err", ("database-full", None))
        one.rows("DELETE FROM t")
        one.rows(fill)
    assert database.path.stat().st_size <= database.max_size


def add_up(database: Database, times: int) -> None:
    for _ in range(times):
        with Session(DRIVER.guest({"default": database})) as one:
            one.rows("CREATE TABLE IF NOT EXISTS n (v)")
            one.rows("BEGIN IMMEDIATE")
            ((count,),) = one.rows("SELECT count(*) FROM n")
            one.rows("INSERT INTO n VALUES (?)", count)
            one.rows("COMMIT")


def test_several_processes_lose_nothing(database: Database) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=add_up, args=(database, 40)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    with Session(DRIVER.guest({"default": database})) as one:
        assert one.rows("SELECT count(DISTINCT v), max(v) FROM n") == [[240, 239]]


def test_a_lock_is_waited_for_until_the_run_ends(session: Open, database: Database) -> None:
    with session() as holder:
        holder.rows("CREATE TABLE t (v)")
        holder.rows("BEGIN IMMEDIATE")
        with session(seconds=0.2) as other, pytest.raises(Stop, match="timeout"):
            other.error("INSERT INTO t VALUES (1)")


def test_text_that_is_no_utf_8(session: Open, database: Database) -> None:
    with session() as one:
        assert one.rows("SELECT CAST(x'61ff62' AS TEXT)") == [["a\ufffdb"]]


def test_files_that_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, though long enough to look like one. " * 100)
    for path in (tmp_path / "text", tmp_path, tmp_path / "text" / "below"):
        with Session(DRIVER.guest({"default": Database(path=path, max_size=1 << 20)})) as one:
            case, text = one.error("SELECT 1")
            assert case == "io"
            assert str(tmp_path) not in str(text)
