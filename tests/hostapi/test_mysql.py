"""A guest's own connections to MySQL: against a real MariaDB, and against servers that mean no good."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from hostapi.backends import MysqlServer
from hostapi.driver import Driver, Guest
from hostapi.test_postgres import silent
from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.granted import Endpoint
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi import mysql, mysql_address
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS

DRIVER = Driver(mysql.API, mysql.SPIN_2)
DRIVER_1 = Driver(mysql.API, mysql.SPIN_1_TYPES, mysql.SPIN_1)

OPEN = "[static]connection.open"

bound: list[mysql.MysqlServers] = []


def allowing(port: int, host: str = "127.0.0.1") -> mysql.MysqlServers:
    bound.append(mysql.MysqlServers([Endpoint(host=host, port=port)]))
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

    def query(self, sql: str, *parameters: tuple[str, Any]) -> tuple[list[tuple[str, str]], list[list[Any]]]:
        found: tuple[Any, Any] = self.guest.ok("[method]connection.query", self.handle, sql, list(parameters))
        return found

    def value(self, sql: str, *parameters: tuple[str, Any]) -> tuple[str, Any]:
        ((found,),) = self.query(sql, *parameters)[1]
        assert isinstance(found, tuple)
        return found

    def execute(self, sql: str, *parameters: tuple[str, Any]) -> None:
        assert self.guest.ok("[method]connection.execute", self.handle, sql, list(parameters)) is None

    def error(self, sql: str, *parameters: tuple[str, Any]) -> tuple[str, str]:
        found: tuple[str, str] = self.guest.error("[method]connection.query", self.handle, sql, list(parameters))
        return found


@pytest.fixture
def address(mysql_server: MysqlServer) -> str:
    return f"mysql://alice:{mysql_server.password}@127.0.0.1:{mysql_server.port}/shop"


@pytest.fixture
def session(mysql_server: MysqlServer, address: str) -> Iterator[Session]:
    with DRIVER.guest(allowing(mysql_server.port)) as guest:
        yield Session(guest, address)


VALUES = [
    ("int8", -128, "tinyint"), ("int16", -(1 << 15), "smallint"), ("int32", (1 << 31) - 1, "int"),
    ("int64", -(1 << 63), "bigint"), ("int32", -(1 << 23), "mediumint"),
    ("uint8", 255, "tinyint unsigned"), ("uint16", 65535, "smallint unsigned"),
    ("uint32", (1 << 32) - 1, "int unsigned"),
    ("uint64", (1 << 64) - 1, "bigint unsigned"),
    ("floating32", 1.5, "float"), ("floating64", -0.1, "double"), ("floating64", 1e308, "double"),
    ("str", "", "text"), ("str", "äöü €'\"\\ 😀", "varchar(200)"), ("str", "x" * 100_000, "mediumtext"),
    ("str", "a", "char(3)"), ("str", "b", "enum('a', 'b')"), ("str", "ä", "varchar(9) COLLATE utf8mb4_bin"),
    ("binary", b"", "blob"), ("binary", bytes(range(256)), "varbinary(256)"), ("binary", b"\0" * 70_000, "longblob"),
    ("str", '{"a": 1}', "json"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "value", "kind"), VALUES)
def test_values_come_back_as_they_went(session: Session, case: str, value: Any, kind: str) -> None:
    session.execute(f"CREATE TEMPORARY TABLE v (x {kind}, y {kind}) CHARACTER SET utf8mb4")
    session.execute("INSERT INTO v VALUES (?, ?)", (case, value), ("db-null", None))
    columns, rows = session.query("SELECT x, y FROM v WHERE x = ?", (case, value))
    assert columns == [("x", case), ("y", case)]
    assert rows == [[(case, value), ("db-null", None)]]


def test_other_values(session: Session) -> None:
    assert session.value("SELECT ? + 1", ("int8", 41)) == ("int32", 42)
    assert session.value("SELECT ?", ("boolean", True))[1] == 1
    columns, rows = session.query(
        "SELECT 1.50 AS a, CAST('2024-02-29' AS date) AS b, now() AS c, NULL AS d, b'101' AS e, CAST('1:2' AS time) f"
    )
    assert [kind for _, kind in columns] == ["other", "other", "other", "other", "binary", "other"]
    assert rows == [[("unsupported", None)] * 3 + [("db-null", None), ("binary", b"\5"), ("unsupported", None)]]
    assert session.query("SELECT 1 AS x FROM DUAL WHERE false") == ([("x", "int32")], [])
    many = ", ".join(f"{n} AS c{n}" if n % 3 else f"NULL AS c{n}" for n in range(100))
    assert [value for _, value in session.query(f"SELECT {many}")[1][0]] == [n if n % 3 else None for n in range(100)]
    nulls = [("db-null", None) if n % 5 == 0 else ("int32", n) for n in range(40)]
    assert session.value(f"SELECT concat_ws(',', {', '.join('?' * 40)})", *nulls) == (
        "str", ",".join(str(n) for n in range(40) if n % 5)
    )  # fmt: skip


def test_statements(session: Session) -> None:
    session.execute("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, name text)")
    session.execute("INSERT INTO t (name) VALUES (?), ('b')", ("str", "a'; DROP TABLE t; --"))
    assert session.query("SELECT id, name FROM t ORDER BY id")[1] == [
        [("int32", 1), ("str", "a'; DROP TABLE t; --")],
        [("int32", 2), ("str", "b")],
    ]
    session.execute("BEGIN")
    session.execute("DELETE FROM t")
    session.execute("ROLLBACK")
    assert session.value("SELECT count(*) FROM t") == ("int64", 2)
    assert session.query("INSERT INTO t VALUES (3, 'd')") == ([], [])
    session.execute("SELECT * FROM t")
    # Several results: the first one counts.
    several = "BEGIN NOT ATOMIC SELECT 1 AS x; SELECT 2 AS y; DELETE FROM t WHERE id = 3; END"
    assert session.query(several)[1] == [[("int32", 1)]]
    assert session.value("SELECT max(id) FROM t") == ("int32", 2)
    session.execute("LOCK TABLES t WRITE")  # which some servers do not prepare
    session.execute("UNLOCK TABLES")
    session.execute("DROP TABLE t")


def test_errors(session: Session) -> None:
    case, text = session.error("SELEKT 1")
    assert case == "query-failed"
    assert text.startswith("1064: You have an error in your SQL syntax")
    for sql in ("SELECT * FROM missing", "SELECT ?", "SELECT 1; SELECT 2", "", "SELECT * FROM mysql.user"):
        assert session.error(sql)[0] == "query-failed", sql
    assert session.error("SELECT ?, ?", ("int8", 1)) == ("query-failed", "2031: 2 parameters are needed, and 1 given")
    assert session.error("SELECT (SELECT 1 UNION SELECT 2)")[0] == "query-failed"
    assert session.value("SELECT 1") == ("int32", 1)


def test_no_file_of_the_host_is_sent(session: Session) -> None:
    session.execute("CREATE TEMPORARY TABLE f (line text)")
    for sql in ("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE f", "LOAD DATA INFILE '/etc/passwd' INTO TABLE f"):
        assert session.error(sql)[0] == "query-failed"
    assert session.value("SELECT count(*) FROM f") == ("int64", 0)


def test_a_statement_ends_with_the_run(mysql_server: MysqlServer, address: str) -> None:
    for sql in (
        "SELECT sleep(60)",
        "SET STATEMENT max_statement_time = 0 FOR SELECT sleep(60)",
        "SELECT count(*) FROM seq_1_to_100000000000 WHERE seq % 3 = 1",
    ):
        with DRIVER.guest(allowing(mysql_server.port), seconds=1) as guest:
            session = Session(guest, address)
            with suppress(Stop):  # which of the two comes first is open: the server has the same limit
                assert session.error(sql)[0] == "query-failed"


def test_answers_are_bounded(session: Session, address: str) -> None:
    for sql in (
        "SELECT CAST(repeat('x', 5000000) AS binary)",
        f"SELECT {', '.join(['seq'] * 100)} FROM seq_1_to_10000",
        "SELECT repeat('x', 100000000)",
        "SELECT repeat('x', 10000) FROM seq_1_to_100000",
    ):
        with DRIVER.guest(bound[-1]) as guest:
            assert "larger" in Session(guest, address).error(sql)[1]
    # Where it has not become too much for the connection, that goes on.
    assert "larger" in session.error("SELECT CAST(repeat('x', 5000000) AS binary), 1")[1]
    assert session.value("SELECT 1") == ("int32", 1)


def test_a_connection_that_is_over_says_so(mysql_server: MysqlServer, session: Session, address: str) -> None:
    number = session.value("SELECT connection_id()")[1]
    with DRIVER.guest(allowing(mysql_server.port)) as other:
        Session(other, address).execute(f"KILL {number}")
    assert session.error("SELECT 1")[0] == "query-failed"
    assert session.error("SELECT 1")[0] == "query-failed"


def test_only_what_is_allowed(mysql_server: MysqlServer, address: str) -> None:
    port, password = mysql_server.port, mysql_server.password
    wrong = [
        address.replace(str(port), str(port + 1)),
        address.replace("127.0.0.1", "localhost"),
        address.replace(f":{port}", ""),
        address + "?unix_socket=/run/mysqld/mysqld.sock",
        address + "?read_default_file=/root/.my.cnf",
        address + "?local_infile=1",
        address + "?ssl-mode=maybe",
        address + "?ssl-key=/etc/ssl/private/key",
        address + "#x",
        f"mysql://127.0.0.1:{port}/shop",
        f"mysql://alice@[::1:{port}",
        "mysql://alice@/run/mysqld/mysqld.sock",
        f"http://alice@127.0.0.1:{port}/",
        f"mysql://alice@127.0.0.1:{port}0000/",
        "",
        "\0",
    ]
    with DRIVER.guest(allowing(port)) as guest:
        for one in wrong:
            assert guest.error(OPEN, one)[0] == "connection-failed", one
        assert "Access denied" in guest.error(OPEN, address.replace(password, "wr%C3%B6ng"))[1]
        assert "Access denied" in guest.error(OPEN, address.replace("shop", "elsewhere"))[1]
        assert guest.ok(OPEN, address + "?pool_max=10&ssl-mode=DISABLED")
    with DRIVER.guest(mysql.MysqlServers(())) as guest:
        assert guest.error(OPEN, address)[0] == "connection-failed"


def test_addresses() -> None:
    found = mysql_address.options("mysql://a%40b:%2F%3A%C3%A4@DB.example/x%2Fy?sslMode=VERIFY_CA")
    assert found == {
        "host": "db.example", "port": 3306, "user": b"a@b", "password": b"/:\xc3\xa4", "database": b"x/y",
        "tls": "verify_ca",
    }  # fmt: skip


def test_patterns(mysql_server: MysqlServer, address: str) -> None:
    """A connection goes to the address that was looked at."""

    def patterns(*entries: str) -> mysql.MysqlServers:
        bound.append(mysql.MysqlServers([parse_allowed_host(entry) for entry in entries]))
        return bound[-1]

    by_name = address.replace("127.0.0.1", "localhost")
    with DRIVER.guest(patterns("mysql://*:*")) as guest:
        for one in (address, by_name):
            assert "not permitted" in guest.error(OPEN, one)[1], one
        assert "cannot be resolved" in guest.error(OPEN, "mysql://a@no.such.name.invalid")[1]
    with DRIVER.guest(patterns("mysql://*:*", "*://127.0.0.1/32:*")) as guest:
        for one in (address, by_name):
            assert Session(guest, one).value("SELECT 1") == ("int32", 1)


def test_tls(mysql_server: MysqlServer, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cipher = "SHOW STATUS LIKE 'Ssl_cipher'"
    by_name = address.replace("127.0.0.1", "localhost")
    with DRIVER.guest(allowing(mysql_server.port)) as guest:
        assert Session(guest, address).query(cipher)[1][0][1][1].startswith("TLS_")
        assert Session(guest, address + "?ssl-mode=disabled").query(cipher)[1][0][1] == ("str", "")
        for mode in ("required", "VERIFY_CA", "VERIFY_IDENTITY"):
            assert "certificate verify failed" in guest.error(OPEN, f"{address}?ssl-mode={mode}")[1]
    monkeypatch.setenv("SSL_CERT_FILE", str(mysql_server.authority))
    with DRIVER.guest(allowing(mysql_server.port)) as guest:
        assert "certificate verify failed" in guest.error(OPEN, f"{address}?ssl-mode=required")[1]  # of localhost
    with DRIVER.guest(allowing(mysql_server.port, "localhost")) as guest:
        assert Session(guest, by_name + "?ssl-mode=required").query(cipher)[1][0][1][1].startswith("TLS_")


def test_connections_are_bounded(mysql_server: MysqlServer, address: str) -> None:
    with DRIVER.guest(allowing(mysql_server.port)) as guest:
        handles = [guest.ok(OPEN, address) for _ in range(MAX_CONNECTIONS)]
        assert "at most" in guest.error(OPEN, address)[1]
        guest.call("[drop]connection", handles[0])
        assert guest.ok(OPEN, address)


def test_a_connection_is_kept_and_nothing_of_the_run(mysql_server: MysqlServer, address: str) -> None:
    servers = allowing(mysql_server.port)

    def session() -> Session:
        return Session(DRIVER.guest(servers), address)

    first = session()
    number = first.value("SELECT connection_id()")
    first.execute("CREATE TABLE kept (v int) ENGINE = InnoDB")
    first.execute("CREATE TEMPORARY TABLE mine (v int)")
    first.execute("SET @mine = 1, sql_mode = 'ANSI_QUOTES', NAMES latin1")
    first.execute("PREPARE mine FROM 'SELECT 1'")
    first.query("SELECT get_lock('mine', 0)")
    first.execute("SET autocommit = 0")
    first.execute("INSERT INTO kept VALUES (1)")
    first.guest.__exit__()
    second = session()
    assert second.value("SELECT connection_id()") == number
    assert second.error("SELECT * FROM mine")[0] == "query-failed"
    assert second.error("EXECUTE mine")[0] == "query-failed"
    assert second.value("SELECT @mine")[1] is None
    assert second.value('SELECT "ä"') == ("str", "ä")
    assert second.value("SELECT is_free_lock('mine')")[1] == 1
    assert second.value("SELECT @@autocommit")[1] == 1
    assert second.value("SELECT count(*) FROM kept") == ("int64", 0)
    # While it is in use, and with another password, there is no other way to it.
    third = session()
    assert third.value("SELECT connection_id()") != number
    assert third.guest.error(OPEN, address.replace(mysql_server.password, "wrong"))[0] == "connection-failed"
    for change in ("USE information_schema", "SET ROLE clerk"):
        before = second.value("SELECT connection_id()")
        second.execute(change)
        second.guest.__exit__()
        second = session()
        assert second.value("SELECT connection_id()") != before, change
        assert second.value("SELECT concat(database(), coalesce(current_role(), '-'))") == ("str", "shop-")
    last = second.value("SELECT connection_id()")
    second.guest.__exit__()
    third.execute(f"KILL {last[1]}")
    fourth = session()
    assert fourth.value("SELECT connection_id()") != last
    fourth.execute("DROP TABLE kept")
    for one in (third, fourth):
        one.guest.__exit__()


def test_version_1(mysql_server: MysqlServer, address: str) -> None:
    """Each call names the server."""
    with DRIVER_1.guest(allowing(mysql_server.port)) as guest:
        assert guest.ok("query", address, "SELECT ? AS n", [("int8", 7)]) == ([("n", "int8")], [[("int8", 7)]])
        assert guest.ok("execute", address, "DO 1", []) is None
        assert guest.error("query", address, "SELEKT", [])[0] == "query-failed"
        assert guest.error("query", address.replace("127.0.0.1", "other"), "SELECT 1", [])[0] == "connection-failed"
        for _ in range(MAX_CONNECTIONS + 1):  # none is left
            guest.ok("execute", address, "DO 1", [])


def test_a_server_that_says_nothing() -> None:
    with silent() as port, DRIVER.guest(allowing(port), seconds=1) as guest:
        began = time.monotonic()
        with pytest.raises(Stop, match="timeout"):
            guest.error(OPEN, f"mysql://a:b@127.0.0.1:{port}/c")
        assert time.monotonic() - began < 30


def packet(number: int, data: bytes) -> bytes:
    return struct.pack("<I", len(data))[:3] + bytes([number]) + data


GREETING = (
    b"\x0a5.7.0\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<HBHH", 0xF7FF, 45, 2, 0x000F) + b"\x15"
    + bytes(10) + b"123456789012\0mysql_native_password\0"
)  # fmt: skip
OK = b"\0\0\0\2\0\0\0"
NOTHING_NEW = [packet(2, OK), packet(1, OK), packet(1, OK)]  # logged in, then what the library sets
COLUMN = packet(2, b"\3def\0\0\0\1x\0\x0c" + struct.pack("<HIBHBxx", 33, 9, 253, 0, 0))
PLACE = packet(1, b"\1") + COLUMN + packet(3, b"\xfe\0\0\2\0") + packet(4, b"\1a") + packet(5, b"\xfe\0\0\2\0")

HOSTILE = {
    "no-greeting": [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10],
    "closes": [packet(0, GREETING), b""],
    "empty-packet": [packet(0, GREETING), *NOTHING_NEW, packet(1, b"")],
    "cleartext": [packet(0, GREETING), packet(2, b"\xfemysql_clear_password\0")],
    "dialog": [packet(0, GREETING), packet(2, b"\xfedialog\0\4Password: ")],
    "asks-for-a-file": [packet(0, GREETING), *NOTHING_NEW, packet(1, b"\xfb/etc/passwd")],
    "asks-for-a-file-later": [
        packet(0, GREETING), *NOTHING_NEW, PLACE, packet(1, OK),
        packet(1, b"\0" + struct.pack("<IHH", 1, 0, 0) + b"\0\0\0"), packet(1, b"\xfb/etc/passwd"),
    ],
    "columns-without-end": [packet(0, GREETING), *NOTHING_NEW, packet(1, b"\xfe" + b"\xff" * 8)],
    "a-column-that-is-none": [packet(0, GREETING), *NOTHING_NEW, packet(1, b"\1") + packet(2, b"\3de")],
    "a-row-that-ends-early": [
        packet(0, GREETING), *NOTHING_NEW,
        packet(1, b"\1") + COLUMN + packet(3, b"\xfe\0\0\2\0") + packet(4, b"\xfe" + b"\xff" * 7 + b"\0a"),
    ],
    "wrong-numbers": [packet(0, GREETING), *NOTHING_NEW, packet(9, b"\1")],
}  # fmt: skip


@contextmanager
def scripted(pieces: list[bytes]) -> Iterator[tuple[int, bytearray]]:
    """A server that says one piece after the other, each when it has been told something; and what it is told."""
    told = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.settimeout(10)
                    connection.sendall(pieces[0])
                    for piece in pieces[1:]:
                        said = connection.recv(1 << 16)
                        told.extend(said)
                        if not said or not piece:
                            return
                        connection.sendall(piece)
                    while said := connection.recv(1 << 16):
                        told.extend(said)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1], told
        finally:
            thread.join(30)


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_server_that_means_no_good(pieces: list[bytes]) -> None:
    with scripted(pieces) as (port, told), DRIVER.guest(allowing(port), seconds=1) as guest:
        address = f"mysql://alice:a-secret@127.0.0.1:{port}/c?ssl-mode=disabled"
        with suppress(Stop):
            case, value = guest.call(OPEN, address)
            if case == "ok":
                assert guest.error("[method]connection.query", value, "SELECT 1", [])[0] == "query-failed"
            else:
                assert value[0] == "connection-failed"
        bound.pop().close()
    assert b"a-secret" not in told
    assert b"root:" not in told


def test_a_client_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def missing() -> Any:
        raise ImportError("pymysql")

    monkeypatch.setattr(mysql, "client", missing)
    with DRIVER.guest(allowing(1)) as guest:
        assert guest.error(OPEN, "mysql://a@127.0.0.1:1/b") == ("connection-failed", "not available on this server")
    assert "pip install" in caplog.text
