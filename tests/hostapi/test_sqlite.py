"""SQL databases as a guest sees them: what works, what is refused, and what a hostile guest does not get."""

from __future__ import annotations

import math
import multiprocessing
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostapi.driver import Driver, Guest
from wsgi_wasm.config.model import Database
from wsgi_wasm.hostapi import sqlite
from wsgi_wasm.hostapi.limits import MAX_HANDLES, MAX_RESULT

DRIVER = Driver(sqlite.SPIN)
DRIVER_3 = Driver(sqlite.SPIN_3)

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
    return lambda **options: Session(DRIVER.guest({"sqlite": {"default": database}}, **options))


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
    with Session(DRIVER_3.guest({"sqlite": {"default": database}})) as one:
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
    with DRIVER.guest({"sqlite": {"default": database}}) as guest:
        for label in ("other", "", str(database.path), ":memory:"):
            assert guest.error(OPEN, label) == ("access-denied", None)
    with DRIVER.guest({}) as guest:
        assert guest.error(OPEN, "default") == ("access-denied", None)
    assert not database.path.exists()


def test_handles_are_bounded(database: Database) -> None:
    with DRIVER.guest({"sqlite": {"default": database}}) as guest:
        handles = [guest.ok(OPEN, "default") for _ in range(MAX_HANDLES)]
        assert guest.error(OPEN, "default")[0] == "io"
        guest.call("[drop]connection", handles[0])
        assert guest.ok(OPEN, "default")


OUT_OF_BOUNDS = [
    "ATTACH '/etc/passwd' AS p",
    "ATTACH ':memory:' AS m",
    "ATTACH '' AS t",
    "VACUUM INTO '/tmp/copy'",
    "VACUUM",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA synchronous = OFF",
    "PRAGMA max_page_count = 4294967294",
    "PRAGMA main.max_page_count = 4294967294",
    "PRAGMA busy_timeout = 100000000",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA temp_store = FILE",
    "PRAGMA writable_schema = ON",
    "PRAGMA schema_version = 1",
    "PRAGMA hard_heap_limit = 0",
    "PRAGMA mmap_size = 1000000000000",
    "PRAGMA wal_checkpoint",
    "PRAGMA database_list",
    "PRAGMA integrity_check",
    "PRAGMA page_size = 512",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_journal_mode",
    "SELECT load_extension('/tmp/x.so')",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "CREATE VIRTUAL TABLE p USING sqlite_dbpage",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT fts3_tokenizer('simple')",
    "UPDATE sqlite_master SET sql = 'x'",
]


@pytest.mark.parametrize("sql", OUT_OF_BOUNDS)
def test_what_sql_must_not_do(session: Open, sql: str) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        case, text = one.error(sql)
        assert case == "access-denied" or "no such" in str(text) or "may not be modified" in str(text)
        assert one.rows("SELECT count(*) FROM t") == [[0]]


ALLOWED = [
    "table_info(t)", "table_list", "index_list(t)", "foreign_key_list(t)", "page_count", "user_version = 7",
    "foreign_keys = ON",
]  # fmt: skip


@pytest.mark.parametrize("pragma", ALLOWED)
def test_pragmas_that_are_the_guests_own(session: Open, pragma: str) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        one.rows(f"PRAGMA {pragma}")


COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
ENDLESS = [
    f"{COUNT} SELECT count(*) FROM c",
    f"{COUNT} SELECT x FROM c ORDER BY -x",
    "WITH RECURSIVE c(x) AS (SELECT zeroblob(100000) UNION ALL SELECT x FROM c) SELECT x FROM c ORDER BY x DESC",
    f"{COUNT} SELECT max(length(randomblob(1000000))) FROM c",
    f"INSERT INTO t {COUNT} SELECT randomblob(1000) FROM c",
    f"CREATE TEMP TABLE x AS {COUNT} SELECT randomblob(1000) FROM c",
]


@pytest.mark.parametrize("sql", ENDLESS)
def test_sql_that_runs_forever_ends_with_the_run(session: Open, database: Database, sql: str) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
    with session(seconds=1) as one:
        case, text = one.error(sql)
        assert case == "database-full" or text in ("interrupted", "out of memory")
    with session() as one:
        assert one.rows("SELECT count(*) FROM t") == [[0]]
    assert database.path.stat().st_size <= database.max_size


def test_a_run_without_time_computes_nothing(session: Open) -> None:
    with session(seconds=0) as one:
        assert one.error(ENDLESS[0]) == ("io", "interrupted")


BIG = MAX_RESULT // 2 - 100
HALF, QUARTER = f"replace(hex(zeroblob({BIG // 2})), '0', 'a')", f"replace(hex(zeroblob({BIG // 4})), '0', 'a')"
SLOW = [
    f"SELECT instr({HALF} || 'c', {QUARTER} || 'b')",
    f"SELECT length(replace({HALF}, {QUARTER} || 'b', 'x'))",
    f"SELECT length(trim({HALF}, hex(randomblob({BIG // 2})) || 'a'))",
    f"SELECT {HALF} LIKE '%' || substr({HALF}, 1, 400) || '1%'",
]


@pytest.mark.parametrize("sql", SLOW)
def test_no_single_step_takes_minutes(session: Open, sql: str) -> None:
    """With SQLite's own functions each of these takes from tens of seconds to hours, in which nothing can stop it."""
    with session() as one:
        assert len(one.rows(sql)) == 1


CORE = {
    "instr('hello', 'l')": 3, "instr('hello', 'z')": 0, "instr(x'0102', x'02')": 2, "instr(NULL, 'a')": None,
    "instr(1234, 3)": 3, "instr(1.5, '.')": 2, "instr('äöü', 'ü')": 3, "instr('a', '')": 1,
    "replace('banana', 'an', 'X')": "bXXa", "replace('a', '', 'b')": "a", "replace(1234, 2, 'x')": "1x34",
    "replace(NULL, 'a', 'b')": None, "replace('a', 'a', NULL)": None, "replace(2.0, '.', ',')": "2,0",
    "trim('xxhixx', 'x')": "hi", "ltrim('xyhixy', 'yx')": "hixy", "rtrim('xyhixy', 'xy')": "xyhi", "trim('  a ')": "a",
    "trim('aaa', 'a')": "", "trim(NULL, 'a')": None, "trim(10, '0')": "1",
}  # fmt: skip


@pytest.mark.parametrize("expression", CORE)
def test_functions_that_are_ours_do_as_sqlites_own(session: Open, expression: str) -> None:
    theirs = sqlite3.connect(":memory:").execute(f"SELECT {expression}").fetchone()[0]
    with session() as one:
        assert one.rows(f"SELECT {expression}") == [[theirs]]
    assert theirs == CORE[expression]


def test_they_serve_in_an_index(session: Open) -> None:
    with session() as one:
        one.rows("CREATE TABLE t (v)")
        one.rows("CREATE INDEX i ON t (replace(v, '-', ''))")
        one.rows("INSERT INTO t VALUES ('1-2')")
        assert one.rows("SELECT v FROM t WHERE replace(v, '-', '') = '12'") == [["1-2"]]


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
        with Session(DRIVER.guest({"sqlite": {"default": database}})) as one:
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
    with Session(DRIVER.guest({"sqlite": {"default": database}})) as one:
        assert one.rows("SELECT count(DISTINCT v), max(v) FROM n") == [[240, 239]]


def test_a_lock_is_waited_for_until_the_run_ends(session: Open, database: Database) -> None:
    with session() as holder:
        holder.rows("CREATE TABLE t (v)")
        holder.rows("BEGIN IMMEDIATE")
        with session(seconds=0.2) as other:
            assert other.error("INSERT INTO t VALUES (1)") == ("io", "database is locked")


def test_text_that_is_no_utf_8(session: Open, database: Database) -> None:
    with session() as one:
        assert one.rows("SELECT CAST(x'61ff62' AS TEXT)") == [["a\ufffdb"]]


def test_files_that_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, though long enough to look like one. " * 100)
    for path in (tmp_path / "text", tmp_path, tmp_path / "text" / "below"):
        with Session(DRIVER.guest({"sqlite": {"default": Database(path=path, max_size=1 << 20)}})) as one:
            case, text = one.error("SELECT 1")
            assert case == "io"
            assert str(tmp_path) not in str(text)
