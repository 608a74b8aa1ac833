"""Databases by the channel, in the form that docs/channel.md describes, for guests good and bad."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostapi.backends import MysqlServer, Server
from hostapi.driver import Driver, Guest
from wsgi_wasm.config.granted import Database, Endpoint, Grants
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi import channel
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, MAX_HANDLES

DRIVER = Driver(channel.API)
OPEN, PREPARE, EXECUTE, FETCH, CLOSE = range(0x800, 0x805)
BADF, INVAL = 8, 28


class Failed(Exception):
    """What a database says: its number, SQLSTATE and words."""


class Session:
    """A guest that speaks the channel's form."""

    def __init__(self, guest: Guest, kind: str = "sqlite", address: str = "shop") -> None:
        self.guest = guest
        self.handle = self.number(self.ask(OPEN, f"{kind}\0{address}\0".encode()))

    def ask(self, operation: int, request: bytes) -> bytes:
        answer: bytes = self.guest.ok("call", operation, request)
        if answer[:4] == b"\0\0\0\0":
            return answer[4:]
        (number,), (state, text, rest) = struct.unpack_from("<i", answer, 4), answer[8:].split(b"\0")
        assert not rest
        raise Failed(number, state.decode(), text.decode())

    def number(self, data: bytes) -> int:
        return int(struct.unpack("<I", data)[0])

    def prepare(self, sql: str | bytes) -> int:
        text = sql.encode() if isinstance(sql, str) else sql
        return self.number(self.ask(PREPARE, struct.pack("<I", self.handle) + text))

    def execute(self, statement: int, *values: Any) -> tuple[int, int, list[str], list[list[Any]]]:
        data = self.ask(EXECUTE, struct.pack("<I", statement) + b"".join(map(packed, values)))
        changed, inserted, count = struct.unpack_from("<qqI", data)
        *texts, rest = data[20:].split(b"\0", 2 * count)
        while rest[:1] == b"\1":
            piece: bytes = self.guest.ok("call", FETCH, struct.pack("<I", statement))
            rest = piece[:1] + rest[1:] + piece[1:]
        names = [text.decode("utf-8", "surrogateescape") for text in texts[::2]]
        return changed, inserted, names, list(rows(rest[1:], count)) if count else []

    def run(self, sql: str | bytes, *values: Any) -> tuple[int, int, list[str], list[list[Any]]]:
        statement = self.prepare(sql)
        try:
            return self.execute(statement, *values)
        finally:
            self.guest.ok("call", CLOSE, struct.pack("<I", statement))

    def failure(self, sql: str, *values: Any) -> tuple[int, str, str]:
        with pytest.raises(Failed) as caught:
            self.run(sql, *values)
        number, state, text = caught.value.args
        return number, state, text


def packed(value: Any) -> bytes:
    match value:
        case None:
            return b"\0"
        case int():
            return struct.pack("<Bq", 1, value)
        case float():
            return struct.pack("<Bd", 2, value)
        case str():
            return packed_bytes(3, value.encode("utf-8", "surrogateescape"))
        case _:
            return packed_bytes(4, value)


def packed_bytes(kind: int, data: bytes) -> bytes:
    return struct.pack("<BI", kind, len(data)) + data


def rows(data: bytes, count: int) -> Iterator[list[Any]]:
    at = 0
    while at < len(data):
        row: list[Any] = []
        for _ in range(count):
            kind, at = data[at], at + 1
            if kind in (1, 2):
                row += struct.unpack_from("<q" if kind == 1 else "<d", data, at)
                at += 8
            elif kind in (3, 4):
                (size,) = struct.unpack_from("<I", data, at)
                value, at = data[at + 4 : at + 4 + size], at + 4 + size
                assert len(value) == size
                row.append(value.decode("utf-8", "surrogateescape") if kind == 3 else value)
            else:
                assert kind == 0
                row.append(None)
        yield row


@pytest.fixture
def grants(tmp_path: Path) -> Grants:
    return Grants(sqlite={"shop": Database(path=tmp_path.resolve() / "shop.db", max_size=64 << 20)})


@pytest.fixture
def guest(grants: Grants) -> Iterator[Guest]:
    with DRIVER.guest(channel.API.bind(grants)) as one:
        yield one


VALUES: list[Any] = [
    None,
    0,
    -(1 << 63),
    (1 << 63) - 1,
    -1.5,
    "",
    "ä😀",
    b"",
    bytes(range(256)),
    "x" * 300_000,
    b"y" * 900_000,
]


def test_values_come_back_as_they_went(guest: Guest) -> None:
    session = Session(guest)
    statement = session.prepare("SELECT ?, ? AS two")
    for value in VALUES:
        assert session.execute(statement, value, 2)[2:] == (["?", "two"], [[value, 2]])


def test_statements(guest: Guest) -> None:
    session = Session(guest)
    assert session.run("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")[2:] == ([], [])
    assert session.run("INSERT INTO t (name) VALUES (?), (?)", "a", "b")[:2] == (2, 2)
    assert session.run("UPDATE t SET name = 'c'")[0] == 2
    # Each connection has its own transactions.
    other = Session(guest)
    session.run("BEGIN")
    session.run("DELETE FROM t")
    assert other.run("SELECT count(*) FROM t")[3] == [[2]]
    guest.ok("call", CLOSE, struct.pack("<I", session.handle))
    assert other.run("SELECT count(*) FROM t")[3] == [[2]]
    assert other.run("INSERT INTO t (name) VALUES ('d') RETURNING id")[2:] == (["id"], [[3]])


def test_text_in_other_encodings(guest: Guest) -> None:
    session = Session(guest)
    session.run("CREATE TABLE t (name TEXT)")
    session.run("INSERT INTO t VALUES (?)", "J\udcfcrgen")
    assert session.run("SELECT name, CAST(name AS TEXT) FROM t")[3] == [[b"J\xfcrgen", "J\udcfcrgen"]]


def test_many_rows(guest: Guest) -> None:
    session = Session(guest)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 'row ' || i FROM n"
    assert [row[0] for row in session.run(numbers, 50_000)[3]] == list(range(1, 50_001))
    assert "larger" in session.failure(numbers, 10_000_000)[2]
    # What waits for one guest counts together.
    kept = [session.prepare(numbers) for _ in range(3)]
    for statement in kept[:2]:
        session.ask(EXECUTE, struct.pack("<I", statement) + packed(300_000))
    with pytest.raises(Failed, match="larger"):
        session.ask(EXECUTE, struct.pack("<I", kept[2]) + packed(300_000))


def test_errors(guest: Guest) -> None:
    session = Session(guest)
    assert session.failure("SELEKT") == (1, "", 'near "SELEKT": syntax error')
    assert session.failure("SELECT ?")[2].startswith("Incorrect number of bindings")
    assert "You can only execute one statement" in session.failure("SELECT 1; SELECT 2")[2]
    session.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    session.run("INSERT INTO t VALUES (1)")
    assert session.failure("INSERT INTO t VALUES (1)")[0] == 19


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH '/etc/passwd' AS p",
        "PRAGMA journal_mode = DELETE",
        "VACUUM INTO '/tmp/elsewhere'",
        "SELECT load_extension('x')",
        "PRAGMA database_list",
    ],
)
def test_what_the_guard_refuses(guest: Guest, sql: str) -> None:
    assert Session(guest).failure(sql)[0] in (1, 23)


def test_a_statement_ends_with_the_run(grants: Grants) -> None:
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with DRIVER.guest(channel.API.bind(grants), seconds=1) as guest:
        session = Session(guest)
        with pytest.raises((Stop, Failed)):
            session.run(forever)


MALFORMED = [
    (OPEN, b"", INVAL), (OPEN, b"sqlite\0shop", INVAL), (OPEN, b"oracle\0x\0", INVAL),
    (PREPARE, b"", INVAL), (PREPARE, b"\7\0\0\0SELECT 1", BADF),
    (EXECUTE, b"\7\0\0\0", BADF), (FETCH, b"\7\0\0\0", BADF), (CLOSE, b"\7\0\0\0", BADF), (FETCH, b"\0", INVAL),
    (EXECUTE, b"\2\0\0\0\5", INVAL), (EXECUTE, b"\2\0\0\0\1\0", INVAL), (EXECUTE, b"\2\0\0\0\3\5\0\0\0abc", INVAL),
    (EXECUTE, b"\2\0\0\0\4\xff\xff\xff\xff", INVAL), (EXECUTE, b"\1\0\0\0", BADF), (FETCH, b"\1\0\0\0", BADF),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "request_", "error"), MALFORMED)
def test_malformed_requests(guest: Guest, operation: int, request_: bytes, error: int) -> None:
    session = Session(guest)
    assert (session.handle, session.prepare("SELECT 1")) == (1, 2)
    assert guest.error("call", operation, request_) == error
    assert session.execute(2)[3] == [[1]]


def test_handles_are_bounded(guest: Guest) -> None:
    session = Session(guest)
    statements = [session.prepare("SELECT 1") for _ in range(MAX_HANDLES)]
    with pytest.raises(Failed, match="at most"):
        session.prepare("SELECT 1")
    for statement in statements[:2]:
        guest.ok("call", CLOSE, struct.pack("<I", statement))
    assert session.prepare("SELECT 1")
    others = [Session(guest) for _ in range(MAX_CONNECTIONS - 1)]
    with pytest.raises(Failed, match="at most"):
        Session(guest)
    guest.ok("call", CLOSE, struct.pack("<I", others[0].handle))
    assert Session(guest).run("SELECT 1")[3] == [[1]]
    assert guest.error("call", PREPARE, struct.pack("<I", others[0].handle) + b"SELECT 1") == BADF


def test_what_is_not_granted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "wsgi_wasm"), DRIVER.guest(channel.API.bind(Grants())) as guest:
        for kind, address in (
            ("sqlite", "/data/other.db"),
            ("postgres", "host=127.0.0.1 user=a"),
            ("mysql", "mysql://a@127.0.0.1/b"),
        ):
            with pytest.raises(Failed, match=r"unable to open|not permitted"):
                Session(guest, kind, address)
        assert b"database" not in guest.ok("call", 1, b"")
    for word in ("/data/other.db", "`sqlite`", "postgres: [127.0.0.1:5432]", "mysql: [127.0.0.1:3306]"):
        assert word in caplog.text


def test_postgres(postgres_server: Server) -> None:
    grants = Grants(postgres=(Endpoint(host="127.0.0.1", port=postgres_server.port),))
    address = (
        f"host=127.0.0.1 port={postgres_server.port} user=alice password={postgres_server.password} dbname=postgres"
    )
    with DRIVER.guest(channel.API.bind(grants)) as guest:
        session = Session(guest, "postgres", address)
        types = "SELECT 1::int, 1.50::numeric, true, '\\x00ff'::bytea, '2024-02-29'::date, ARRAY[1, 2], NULL, 'ä'::text"
        assert session.run(types)[3] == [[1, "1.50", 1, b"\0\xff", "2024-02-29", "{1,2}", None, "ä"]]
        assert session.run("SELECT $1::int + 1, $2::bytea, $3", "41", b"\0", "x")[3] == [[42, b"\0", "x"]]
        assert session.failure("SELEKT")[:2] == (7, "42601")
        assert session.failure("SELECT $1", "\udcff")[1] == "22021"
        assert session.run("DO 'BEGIN END'")[2:] == ([], [])


def test_mysql(mysql_server: MysqlServer) -> None:
    grants = Grants(mysql=(Endpoint(host="127.0.0.1", port=mysql_server.port),))
    address = f"mysql://alice:{mysql_server.password}@127.0.0.1:{mysql_server.port}/shop"
    with DRIVER.guest(channel.API.bind(grants)) as guest:
        session = Session(guest, "mysql", address)
        types = (
            "SELECT 1, 1.50, CAST('2024-02-29 1:02:03.5' AS datetime(3)), CAST('-30:00' AS time), x'00ff', NULL, 'ä'"
        )
        assert session.run(types)[3] == [[1, "1.50", "2024-02-29 01:02:03.500", "-30:00:00", b"\0\xff", None, "ä"]]
        session.run("CREATE TEMPORARY TABLE t (id bigint unsigned PRIMARY KEY AUTO_INCREMENT, x float)")
        assert session.run("INSERT INTO t (x) VALUES (0.1), (?)", "0.25")[:2] == (2, 1)
        assert session.run("SELECT x, 18446744073709551615 FROM t ORDER BY id")[3][0] == ["0.1", "18446744073709551615"]
        # Rows count that are found, as for Perl's driver.
        assert session.run("UPDATE t SET x = x")[0] == 2
        session.run("SET NAMES latin1")
        assert session.run("SELECT ?, 'J\xfcrgen'".encode("latin-1"), "\udce4")[3] == [["\udce4", "J\udcfcrgen"]]
        assert session.failure("SELEKT")[:2] == (1064, "42000")
