"""A guest's own connections to PostgreSQL: against a real server, and against servers that mean no good."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hostapi.backends import Server
from hostapi.driver import Driver, Guest
from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.granted import Endpoint
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi import postgres
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS

DRIVER = Driver(postgres.API, postgres.SPIN_3)
DRIVER_4 = Driver(postgres.API, postgres.SPIN_4)
DRIVER_2 = Driver(postgres.API, postgres.SPIN_2_TYPES, postgres.SPIN_2)

OPEN = "[static]connection.open"


bound: list[postgres.Servers] = []


def allowing(port: int) -> postgres.Servers:
    bound.append(postgres.Servers([Endpoint(host="127.0.0.1", port=port)]))
    return bound[-1]


@pytest.fixture(autouse=True)
def _idle_connections_are_closed() -> Iterator[None]:
    yield
    while bound:
        bound.pop().close()


class Session:
    """A guest with one connection."""

    def __init__(self, guest: Guest, address: str) -> None:
        self.guest = guest
        self.handle = guest.ok(OPEN, address)

    def query(self, sql: str, *parameters: tuple[str, Any]) -> tuple[list[tuple[str, Any]], list[list[Any]]]:
        """Columns and rows; a column's type is text in version 2, and a case with its value in version 4."""
        found: tuple[Any, Any] = self.guest.ok("[method]connection.query", self.handle, sql, list(parameters))
        return found

    def value(self, sql: str, *parameters: tuple[str, Any]) -> tuple[str, Any]:
        ((found,),) = self.query(sql, *parameters)[1]
        assert isinstance(found, tuple)
        return found

    def execute(self, sql: str, *parameters: tuple[str, Any]) -> int:
        return int(self.guest.ok("[method]connection.execute", self.handle, sql, list(parameters)))

    def error(self, sql: str, *parameters: tuple[str, Any]) -> tuple[str, Any]:
        """The error's case, and its value: text in version 2."""
        found: tuple[str, Any] = self.guest.error("[method]connection.query", self.handle, sql, list(parameters))
        return found


@pytest.fixture
def address(postgres_server: Server) -> str:
    return f"postgres://alice:{postgres_server.password}@127.0.0.1:{postgres_server.port}/postgres"


@pytest.fixture
def session(postgres_server: Server, address: str) -> Iterator[Session]:
    with DRIVER.guest(allowing(postgres_server.port)) as guest:
        yield Session(guest, address)


VALUES = [
    ("boolean", True, "boolean"), ("boolean", False, "boolean"),
    ("int16", -(1 << 15), "smallint"), ("int32", (1 << 31) - 1, "integer"), ("int64", -(1 << 63), "bigint"),
    ("floating32", 1.5, "real"), ("floating64", -0.1, "double precision"), ("floating64", 1e308, "double precision"),
    ("str", "", "text"), ("str", "äöü €'\"\\", "varchar"), ("str", "x" * 100_000, "text"),
    ("binary", b"", "bytea"), ("binary", bytes(range(256)), "bytea"),
    ("date", (2024, 2, 29), "date"), ("date", (1, 1, 1), "date"), ("date", (9999, 12, 31), "date"),
    ("time", (23, 59, 59, 999_999_000), "time"), ("time", (0, 0, 0, 0), "time"),
    ("datetime", (1999, 12, 31, 23, 59, 59, 1000), "timestamp"),
    ("db-null", None, "integer"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "value", "kind"), VALUES)
def test_values_come_back_as_they_went(session: Session, case: str, value: Any, kind: str) -> None:
    assert session.value(f"SELECT $1::{kind}", (case, value)) == (case, value)


def test_other_values(session: Session) -> None:
    assert session.value("SELECT $1 + 1", ("int8", 41)) == ("int32", 42)
    assert session.value("SELECT $1::timestamptz", ("timestamp", 3723)) == ("datetime", (1970, 1, 1, 1, 2, 3, 0))
    assert session.value("SELECT '2020-01-01 00:00:00+02'::timestamptz") == ("datetime", (2019, 12, 31, 22, 0, 0, 0))
    assert session.value("SELECT 1.5::numeric") == ("unsupported", None)
    assert session.value("SELECT NULL::numeric") == ("db-null", None)
    columns, rows = session.query("SELECT 1 AS a, 'x'::text AS b, '{}'::jsonb AS c, NULL::bytea AS d")
    assert columns == [("a", "int32"), ("b", "str"), ("c", "other"), ("d", "binary")]
    assert rows == [[("int32", 1), ("str", "x"), ("unsupported", None), ("db-null", None)]]
    assert session.query("SELECT 1 WHERE false") == ([("?column?", "int32")], [])
    for sql in ("SELECT 'infinity'::date", "SELECT '4000-01-01 BC'::date", "SELECT 'infinity'::timestamp"):
        assert session.error(sql)[0] == "value-conversion-failed"
    for parameter in (("date", (2023, 2, 29)), ("time", (24, 0, 0, 0)), ("timestamp", 1 << 62), ("date", (0, 1, 1))):
        assert session.error("SELECT $1::text", parameter)[0] == "bad-parameter"


def test_statements(session: Session) -> None:
    session.execute("CREATE TEMP TABLE t (id int PRIMARY KEY, name text)")
    assert session.execute("INSERT INTO t VALUES ($1, $2), (2, 'b')", ("int32", 1), ("str", "a")) == 2
    assert session.execute("UPDATE t SET name = 'c' WHERE id > $1", ("int32", 1)) == 1
    assert session.query("SELECT id, name FROM t ORDER BY id")[1] == [
        [("int32", 1), ("str", "a")],
        [("int32", 2), ("str", "c")],
    ]
    session.execute("BEGIN")
    session.execute("DELETE FROM t")
    session.execute("ROLLBACK")
    assert session.value("SELECT count(*) FROM t") == ("int64", 2)
    assert session.query("INSERT INTO t VALUES (3, 'd')") == ([], [])


def test_errors(session: Session) -> None:
    case, text = session.error("SELEKT 1")
    assert case == "query-failed"
    assert 'syntax error at or near "SELEKT"' in text
    for sql in ("SELECT * FROM missing", "SELECT 1/0", "SELECT $1"):
        assert session.error(sql)[0] == "query-failed", sql
    assert session.value("SELECT 1") == ("int32", 1)
    for sql in ("COPY (SELECT 1) TO STDOUT", "SELECT 1"):
        assert session.error(sql)[0] == "query-failed"


def test_a_statement_ends_with_the_run(postgres_server: Server, address: str) -> None:
    for sql in (
        "SELECT pg_sleep(60)",
        "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)",
        "SELECT count(*) FROM generate_series(1, 100000000000)",
    ):
        with DRIVER.guest(allowing(postgres_server.port), seconds=1) as guest:
            session = Session(guest, address)
            with suppress(Stop):  # which of the two comes first is open: the server has the same limit
                assert session.error(sql)[0] == "query-failed"


def test_answers_are_bounded(session: Session, address: str) -> None:
    for sql in (
        "SELECT repeat('x', 5000000)::bytea",
        "SELECT generate_series(1, 3000000)",
        "SELECT repeat('x', 200000000)",
        "SELECT repeat('x', 10000) FROM generate_series(1, 100000)",
    ):
        with DRIVER.guest(bound[-1]) as guest:
            assert "larger" in Session(guest, address).error(sql)[1]
    assert session.value("SELECT 1") == ("int32", 1)


def test_a_connection_that_is_over_says_so(postgres_server: Server, session: Session, address: str) -> None:
    pid = session.value("SELECT pg_backend_pid()")[1]
    with DRIVER.guest(allowing(postgres_server.port)) as other:
        Session(other, address).execute("SELECT pg_terminate_backend($1)", ("int32", pid))
    assert session.error("SELECT 1")[0] == "query-failed"
    assert session.error("SELECT 1")[0] == "query-failed"


def test_only_what_is_allowed(postgres_server: Server, address: str, tmp_path: Path) -> None:
    port, password = postgres_server.port, postgres_server.password
    rest = f"user=alice password={password} dbname=postgres"
    wrong = [
        address.replace(str(port), str(port + 1)),
        address.replace("127.0.0.1", "localhost"),
        f"host=127.0.0.1,evil.example port={port} {rest}",
        f"host=127.0.0.1 port={port},5432 {rest}",
        f"host=127.0.0.1 hostaddr=127.0.0.2 port={port} {rest}",
        f"host=/var/run/postgresql port={port} {rest}",
        f"port={port} {rest}",
        f"host=127.0.0.1 port={port} passfile={tmp_path} {rest}",
        f"host=127.0.0.1 port={port} service=x {rest}",
        f"host=127.0.0.1 port={port} sslkey=/etc/ssl/private/key sslcert=/etc/ssl/cert {rest}",
        f"host=127.0.0.1 port={port} options='-c statement_timeout=0' {rest}",
        f"host=127.0.0.1 port={port}",
        f"http://127.0.0.1:{port}/",
        "",
        "x",
        "\0",
    ]
    with DRIVER.guest(allowing(port)) as guest:
        for one in wrong:
            assert guest.error(OPEN, one)[0] == "connection-failed", one
        assert "password" in guest.error(OPEN, address.replace(password, "wrong"))[1]
        assert guest.ok(OPEN, f"host=127.0.0.1 port={port} {rest} sslmode=prefer")
        assert "SSL" in guest.error(OPEN, f"host=127.0.0.1 port={port} {rest} sslmode=require")[1]
    with DRIVER.guest(postgres.Servers(())) as guest:
        assert guest.error(OPEN, address)[0] == "connection-failed"


def test_patterns(postgres_server: Server, address: str) -> None:
    """A connection goes to the address that was looked at."""

    def patterns(*entries: str) -> postgres.Servers:
        bound.append(postgres.Servers([parse_allowed_host(entry) for entry in entries]))
        return bound[-1]

    by_name, rest = address.replace("127.0.0.1", "localhost"), f"user=alice port={postgres_server.port}"
    with DRIVER.guest(patterns("postgres://*:*")) as guest:
        for one in (address, by_name, f"host=/var/run/postgresql {rest}", rest, f"host=a,b {rest}"):
            assert "not permitted" in guest.error(OPEN, one)[1], one
        assert "cannot be resolved" in guest.error(OPEN, "postgres://a@no.such.name.invalid")[1]
    with DRIVER.guest(patterns("postgres://*:*", "*://127.0.0.1/32:*")) as guest:
        for one in (address, by_name):
            assert Session(guest, one).value("SELECT host(inet_server_addr())") == ("str", "127.0.0.1")


def test_the_servers_own_password_is_not_the_guests(
    postgres_server: Server, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{postgres_server.password}\n")
    os.chmod(tmp_path / ".pgpass", 0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / ".pgpass"))
    with DRIVER.guest(allowing(postgres_server.port)) as guest:
        assert guest.error(OPEN, address.replace(f":{postgres_server.password}", ""))[0] == "connection-failed"


def test_connections_are_bounded(postgres_server: Server, address: str) -> None:
    with DRIVER.guest(allowing(postgres_server.port)) as guest:
        handles = [guest.ok(OPEN, address) for _ in range(MAX_CONNECTIONS)]
        assert "at most" in guest.error(OPEN, address)[1]
        guest.call("[drop]connection", handles[0])
        assert guest.ok(OPEN, address)


def test_a_connection_is_kept_and_nothing_of_the_run(postgres_server: Server, address: str) -> None:
    servers = allowing(postgres_server.port)

    def session() -> Session:
        return Session(DRIVER.guest(servers), address)

    first = session()
    pid = first.value("SELECT pg_backend_pid()")
    first.execute("CREATE TEMP TABLE mine (v int)")
    first.execute("SET search_path = nowhere")
    first.query("SELECT pg_advisory_lock(1)")
    first.execute("BEGIN")
    first.execute("CREATE TABLE public.half_done (v int)")
    first.guest.__exit__()
    second = session()
    assert second.value("SELECT pg_backend_pid()") == pid
    assert second.error("SELECT * FROM mine")[0] == "query-failed"
    assert second.error("SELECT * FROM public.half_done")[0] == "query-failed"
    assert second.value("SHOW search_path") == ("str", '"$user", public')
    assert second.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ("int64", 0)
    # While it is in use, and with another password, there is no other way to it.
    third = session()
    assert third.value("SELECT pg_backend_pid()") != pid
    assert third.guest.error(OPEN, address.replace(postgres_server.password, "wrong"))[0] == "connection-failed"
    second.guest.__exit__()
    third.execute("SELECT pg_terminate_backend($1)", ("int32", pid[1]))
    fourth = session()
    assert fourth.value("SELECT pg_backend_pid()") != pid
    for one in (third, fourth):
        one.guest.__exit__()


VALUES_4: list[tuple[str, Any, str]] = [
    *VALUES,
    ("uuid", "12345678-9abc-def0-1234-56789abcdef0", "uuid"),
    ("jsonb", b'{"a": [1, "\xc3\xa4"]}', "jsonb"), ("jsonb", b"null", "jsonb"),
    ("decimal", "1.50", "numeric"), ("decimal", "-0.00000000000000000001", "numeric"), ("decimal", "9" * 60, "numeric"),
    ("range-int32", ((1, "inclusive"), (10, "exclusive")), "int4range"), ("range-int32", (None, None), "int4range"),
    ("range-int64", (None, (1 << 40, "exclusive")), "int8range"),
    ("range-decimal", (("0.5", "exclusive"), ("1.50", "inclusive")), "numrange"),
    ("array-int32", [1, None, -(1 << 31)], "int[]"), ("array-int32", [], "int[]"),
    ("array-int64", [1 << 62], "bigint[]"),
    ("array-decimal", ["1.0", None], "numeric[]"),
    ("array-str", ["", None, "NULL", 'a "b" \\ {c,d}', "ä"], "text[]"), ("array-str", ["x"], "varchar[]"),
    ("interval", (-1, 40, -13), "interval"), ("interval", ((1 << 62), 0, 0), "interval"),
]  # fmt: skip


@pytest.fixture
def session_4(postgres_server: Server, address: str) -> Iterator[Session]:
    with DRIVER_4.guest(allowing(postgres_server.port)) as guest:
        yield Session(guest, address)


@pytest.mark.parametrize(("case", "value", "kind"), VALUES_4)
def test_values_of_version_4(session_4: Session, case: str, value: Any, kind: str) -> None:
    columns, rows = session_4.query(f"SELECT $1::{kind} AS x, NULL::{kind}", (case, value))
    assert rows == [[(case, value), ("db-null", None)]]
    assert columns[0][0] == "x"
    assert case == "db-null" or columns[0][1] == (case, None)


NOTHING = ("range-decimal", (("0", "inclusive"), ("0", "exclusive")))


def test_other_values_of_version_4(session_4: Session) -> None:
    columns, rows = session_4.query("SELECT '10.0.0.1'::inet AS a, NULL::json AS b, 1 AS c")
    assert columns == [("a", ("other", "inet")), ("b", ("other", "json")), ("c", ("int32", None))]
    assert rows == [[("unsupported", bytes([2, 32, 0, 4, 10, 0, 0, 1])), ("db-null", None), ("int32", 1)]]
    assert session_4.value("SELECT '[1,5]'::int4range") == ("range-int32", ((1, "inclusive"), (6, "exclusive")))
    assert session_4.value("SELECT 'empty'::numrange") == NOTHING
    assert session_4.value("SELECT $1 = 'empty'::numrange", NOTHING) == ("boolean", True)
    assert session_4.value("SELECT ARRAY['a', 'b']::char(2)[]") == ("array-str", ["a ", "b "])
    assert session_4.value("SELECT count(*) FROM unnest($1::int[])", ("array-int32", [1, 2])) == ("int64", 2)
    assert session_4.value("SELECT 1 = ANY ($1)", ("array-int32", [1, 2])) == ("boolean", True)
    assert session_4.value("SELECT $1 + interval '1 day'", ("interval", (0, 1, 1))) == ("interval", (0, 2, 1))
    assert session_4.error("SELECT ARRAY[ARRAY[1], ARRAY[2]]")[0] == "value-conversion-failed"
    assert session_4.error("SELECT 'infinity'::date")[0] == "value-conversion-failed"


@pytest.mark.parametrize(
    "parameter",
    [
        ("uuid", "12345678"),
        ("decimal", "1_000"),
        ("decimal", "1e5"),
        ("decimal", "1); DROP TABLE t"),
        ("jsonb", b"\xff"),
        ("jsonb", b'"\0"'),
        ("range-decimal", (("x", "inclusive"), None)),
        ("array-decimal", ["1", "1,2"]),
        ("array-str", ["a\0b"]),
        ("date", (2023, 2, 30)),
    ],
)
def test_parameters_that_are_none(session_4: Session, parameter: tuple[str, Any]) -> None:
    case, text = session_4.error("SELECT $1::text", ("int32", 1), parameter)
    assert case == "bad-parameter"
    assert text.startswith("parameter 2: ")


def test_errors_of_version_4(session_4: Session) -> None:
    session_4.execute("CREATE TEMP TABLE t (id int CONSTRAINT positive CHECK (id > 0))")
    case, (kind, error) = session_4.error("INSERT INTO t VALUES ($1)", ("int32", -1))
    assert (case, kind) == ("query-failed", "db-error")
    as_text, severity, code, message, detail, extras = error
    assert (severity, code) == ("ERROR", "23514")
    assert 'violates check constraint "positive"' in message
    assert message in as_text
    assert detail == "Failing row contains (-1)."
    assert {("table", "t"), ("constraint", "positive")} <= set(extras)
    assert session_4.error("SELECT $1::jsonb", ("jsonb", b"{"))[1][0] == "db-error"


def test_answers_of_version_4_are_bounded(session_4: Session) -> None:
    case, (kind, text) = session_4.error("SELECT array_agg(n)::bigint[] FROM generate_series(1, 900000) n")
    assert (case, kind) == ("query-failed", "text")
    assert "larger than 3 MiB" in text


def test_version_2(postgres_server: Server, address: str) -> None:
    with DRIVER_2.guest(allowing(postgres_server.port)) as guest:
        session = Session(guest, address)
        assert session.value("SELECT $1::int", ("int32", 7)) == ("int32", 7)
        columns, rows = session.query("SELECT 'x'::text AS t, now() AS n")
        assert columns == [("t", "str"), ("n", "other")]
        assert rows == [[("str", "x"), ("unsupported", None)]]
        assert session.error("SELECT $1::bigint", ("uint32", 7))[0] == "bad-parameter"
        assert session.execute("SET application_name = 'x'") == 0


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes a connection and says nothing."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    done.wait(30)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join(30)


def test_a_server_that_says_nothing() -> None:
    with silent() as port, DRIVER.guest(allowing(port), seconds=1) as guest:
        began = time.monotonic()
        with pytest.raises(Stop, match="timeout"):
            guest.error(OPEN, f"postgres://a:b@127.0.0.1:{port}/c")
        assert time.monotonic() - began < 30


def test_a_client_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def missing() -> Any:
        raise ImportError("psycopg")

    monkeypatch.setattr(postgres, "client", missing)
    with DRIVER.guest(allowing(1)) as guest:
        assert guest.error(OPEN, "postgres://a@127.0.0.1:1/b") == ("connection-failed", "not available on this server")
    assert "pip install" in caplog.text
