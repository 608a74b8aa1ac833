"""What SQL must not do, and how it is stopped where it would not stop by itself."""

from __future__ import annotations

import sqlite3

import pytest

from hostapi.test_sqlite import Open, database, session
from wsgi_wasm.config.granted import Database
from wsgi_wasm.hostapi.limits import MAX_RESULT

__all__ = ["database", "session"]

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
