"""What the host's APIs read: answers of servers, values, SQL, heads of outbound requests, values of the C API."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

from fuzz.target import Draw, Target, check_message, temporary
from wsgi_wasm.config.granted import Database
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.interface import HostError
from wsgi_wasm.engine.hostcalls.lifting import Mismatch, lifter
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.hostapi import postgres, postgres_connection, sqlite
from wsgi_wasm.hostapi.destinations import Destination
from wsgi_wasm.hostapi.forwarded import parsed, rewritten, without_length
from wsgi_wasm.hostapi.limits import MAX_RESULT
from wsgi_wasm.hostapi.postgres_values import VERSION_2, VERSION_3, Values
from wsgi_wasm.hostapi.postgres_values_4 import VERSION_4, prepare
from wsgi_wasm.hostapi.resp import RespConnection, RespError, ServerError, Status

# --- RESP ---


class Peer:
    """A server that says what it was told to, in pieces, and then hangs up."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece = data, piece
        self.sent = b""

    def settimeout(self, seconds: float) -> None:
        assert seconds >= 0

    def send(self, data: bytes) -> int:
        taken = bytes(data[: self._piece])
        self.sent += taken
        return len(taken)

    def recv(self, size: int) -> bytes:
        size = min(size, self._piece)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def close(self) -> None:
        pass


def asked(data: bytes, piece: int) -> Any:
    connection = RespConnection("h", 1, tls=False, database=0, username=None, password=None)
    peer: Any = Peer(data, piece)
    connection._socket = peer
    try:
        found = connection.call("GET", b"k", 5)
    except (RespError, ServerError) as error:
        assert connection.usable == isinstance(error, ServerError)
        return type(error)
    finally:
        assert peer.sent == b"*3\r\n$3\r\nGET\r\n$1\r\nk\r\n$1\r\n5\r\n"
    return found


def check_resp(data: bytes) -> None:
    piece, answer = data[:1], data[1:]
    found = asked(answer, 1 << 20)
    again = asked(answer, piece[0] + 1 if piece else 1)
    assert repr(again) == repr(found)  # errors in a list are equal to none
    assert found is None or isinstance(found, Status | int | bytes | list | type)
    if isinstance(found, bytes):
        assert found in answer
        assert answer.startswith(b"$")


URLS = (b"redis://h", b"rediss://u:p%40@h:1/2", b"redis://[::1]:5/", b"redis://:p@h")


def check_redis_url(data: bytes) -> None:
    """As a route's `key_value`, or a guest, gives it."""
    try:
        RespConnection.from_url(urlsplit(data.decode("utf-8", "replace")))
    except ValueError as error:
        check_message(ascii(error))


# --- PostgreSQL ---

VERSIONS: tuple[Values, ...] = (VERSION_2, VERSION_3, VERSION_4)
OIDS = (
    16, 17, 20, 21, 23, 700, 701, 25, 1043, 1042, 1082, 1083, 1114, 1184, 2950, 3802, 1700, 3904, 3926, 3906,
    1007, 1016, 1231, 1009, 1015, 1014, 1186, 114, 790, 1266,
)  # fmt: skip


@cache
def transformer() -> Any:
    found: Any = Transformer()
    prepare(found.adapters)
    return found


def check_postgres_value(data: bytes) -> None:
    """A value as a server sends it, to what a guest is given: of its type, or an error that is told to the guest."""
    draw = Draw(data)
    values, oid = draw.one_of(VERSIONS), draw.one_of(OIDS)
    sent = draw.rest()
    loader = transformer().get_loader(oid, Format.BINARY if values.binary else Format.TEXT)
    try:
        with postgres._errors("query-failed", values.failed):
            loaded = loader.load(sent)
            kind = values.kind(oid)
            case, value = values.value_of(kind, loaded, lambda: sent)
    except HostError as error:
        assert error.case in postgres._ERRORS
        return
    assert case in (kind, "db-null", "unsupported")
    assert value is None or not isinstance(value, list) or all(not isinstance(one, list) for one in value)


def value_of(draw: Draw, kind: wit.Type | None) -> Any:
    """A value of this type."""
    match kind:
        case None:
            return None
        case wit.Primitive("bool"):
            return bool(draw.byte() & 1)
        case wit.Primitive("char"):
            return draw.one_of("aé\0\U0001f600")
        case wit.Primitive("string"):
            return draw.text()
        case wit.Primitive("f32" | "f64"):
            return draw.one_of([0.0, -1.5, float("nan"), float("inf"), 1e300])
        case wit.Primitive(name):
            bits = int(name[1:])
            number = draw.number(bits // 8)
            return number - (1 << bits) if name[0] == "s" and number >> bits - 1 else number
        case wit.ListType(element):
            if element == wit.U8:
                return draw.take(draw.upto(40))
            return [value_of(draw, element) for _ in range(draw.upto(4))]
        case wit.OptionOf(some):
            return value_of(draw, some) if draw.byte() & 1 else None
        case wit.TupleOf(items):
            return tuple(value_of(draw, item) for item in items)
        case wit.RecordOf(fields):
            return tuple(value_of(draw, one) for _, one in fields)
        case wit.VariantOf(cases):
            name, one = draw.one_of(cases)
            return name, value_of(draw, one)
        case wit.EnumOf(names):
            return draw.one_of(names)
        case wit.FlagsOf(names):
            return frozenset(name for name in names if draw.byte() & 1)
        case wit.ResultOf(ok, err):
            name, one = draw.one_of([("ok", ok), ("err", err)])
            return name, value_of(draw, one)
    raise TypeError(kind)


def check_postgres_parameter(data: bytes) -> None:
    """What a guest passes, to what goes to the server."""
    draw = Draw(data)
    values = draw.one_of(VERSIONS)
    given = [value_of(draw, values.parameter) for _ in range(1 + draw.upto(2))]
    try:
        with postgres._errors("query-failed", values.failed):
            for one in values.parameters(given):
                dumped = None if one is None else transformer().get_dumper(one, PyFormat.AUTO).dump(one)
                assert (
                    dumped is None
                    or b"\0" not in bytes(dumped)
                    or isinstance(one, bytes | bytearray)
                    or _is_binary(one)
                )
    except HostError as error:
        assert error.case in postgres._ERRORS


def _is_binary(value: Any) -> bool:
    return bool(transformer().get_dumper(value, PyFormat.AUTO).format == Format.BINARY)


def check_postgres_address(data: bytes) -> None:
    try:
        found = postgres_connection.options(data.decode("utf-8", "replace"))
    except ValueError as error:
        check_message(ascii(error))
        return
    assert isinstance(found["host"], str)
    assert isinstance(found["port"], int)
    assert not {"service", "passfile", "sslkey", "sslcert", "hostaddr", "options"} & set(found)


# --- SQLite ---


class OneRun:
    """As `HostState`: a run that has so many looks at the clock left, and a second."""

    left = 50

    def __init__(self) -> None:
        self.ends = time.monotonic() + 1.0, time.thread_time() + 1.0

    def remaining(self) -> float:
        return max(0.0, self.ends[0] - time.monotonic())

    def look(self) -> None:
        self.left -= 1
        if self.left <= 0 or time.monotonic() >= self.ends[0] or time.thread_time() >= self.ends[1]:
            raise Stop(End.TIMEOUT)

    def is_over(self) -> bool:
        try:
            self.look()
        except Stop:
            return True
        return False

    def count(self, resource: Any) -> int:
        return 0


@cache
def folder() -> Path:
    return temporary()


SQL_CALLS = [0]


def check_sql(data: bytes) -> None:
    """Statements, a line each, as a guest gives them."""
    run: Any = OneRun()
    path = folder() / "db.sqlite"
    SQL_CALLS[0] += 1
    if SQL_CALLS[0] % 500 == 0:  # what tables have grown to depends on what came before, up to here
        for file in folder().iterdir():
            file.unlink()
    api = sqlite.Sqlite(run, {"default": Database(path=path, max_size=1 << 20)})
    try:
        handle = api.open("default")
        for line in data.split(b"\n")[:4]:
            draw = Draw(line)
            parameters: list[Any] = [("integer", draw.number(8)), ("text", "x"), ("null", None)][: line.count(b"?")]
            try:
                columns, rows = sqlite._execute(api, handle, line.decode("utf-8", "replace"), parameters)
            except HostError as error:
                assert error.case in ("io", "access-denied", "database-full", "no-such-database")
                continue
            except Stop:
                return
            assert len(repr(rows)) <= 40 * MAX_RESULT
            assert all(isinstance(name, str) for name in columns)
        if run.is_over():
            return  # the connection may have been cut short
        raw = api.connection("default")
        raw.raw.set_authorizer(None)
        assert raw.raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert raw.raw.execute("PRAGMA max_page_count").fetchone()[0] <= (1 << 20) // 512
        files = {name for _, _, name in raw.raw.execute("PRAGMA database_list").fetchall()}
        assert files <= {str(path.resolve()), str(path), ""}, files
    finally:
        api.close()
    assert {file.name for file in folder().iterdir()} <= {"db.sqlite", "db.sqlite-wal", "db.sqlite-shm"}


SQL = (
    b"CREATE TABLE t (a, b PRIMARY KEY)\nINSERT INTO t VALUES (?, ?)\nSELECT * FROM t WHERE a > ? ORDER BY b",
    b"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    b"ATTACH 'x.db' AS y\nPRAGMA table_info(t)\nPRAGMA journal_mode = DELETE\nVACUUM INTO 'copy'",
    b"SELECT trim('xxa', 'x'), replace('aaa', 'a', 'bb'), instr(x'00ff', x'ff'), printf('%5d', 3)",
    b"BEGIN\nCREATE TEMP TABLE u AS SELECT 1\nROLLBACK\nSELECT json_extract('{\"a\":1}', '$.a')",
    b"CREATE VIEW w AS SELECT * FROM t\nCREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END\nDROP TABLE t",
    b"SELECT * FROM pragma_database_list\nSELECT load_extension('x')\nSELECT * FROM sqlite_schema\nEXPLAIN SELECT 1",
)
SQL_WORDS = (
    *(b"SELECT ", b" FROM ", b"PRAGMA ", b"ATTACH ", b"VACUUM ", b"INTO ", b"sqlite_master", b"main.", b"temp.", b";"),
    *(b"writable_schema = ON", b"journal_mode", b"mmap_size = 1", b"temp_store_directory = 'x'", b"--", b"/*", b"''"),
    *(b"randomblob(1000)", b"zeroblob(100000)", b"hex(", b"printf('%.*c', 1000, 'x')", b"fts5", b"rtree", b"x''", b"?"),
    *(
        b"pragma_table_info('t')",
        b"EXPLAIN ",
        b"WITH ",
        b"VALUES (",
        b"CAST(",
        b"\0",
        b"json_each",
        b"dbstat",
        b"edit(",
    ),
    *(b"fts3_tokenizer('a')", b"load_extension('a')", b"max_page_count = 99999", b"locking_mode = EXCLUSIVE", b"LIKE "),
)

# --- requests of guests ---


def check_forwarded(data: bytes) -> None:
    """The head of a request, on its way to a server."""
    head = data + b"\r\n\r\n"
    if b"\r\n\r\n" in data:
        return
    try:
        method, word, target, fields = parsed(head)
        kept, length = without_length(method, fields)
    except ValueError:
        return
    written = rewritten(method, target, kept, Destination("https", "a.example", 443), length)
    assert written.count(b"\r\n\r\n") == 1
    assert written.endswith(b"\r\n\r\n")
    line, *lines = written[:-4].split(b"\r\n")
    assert line == b"%s %s HTTP/1.1" % (method, target)
    assert lines[:2] == [b"host: a.example", b"connection: close"]
    names = [one.partition(b":")[0].strip().lower() for one in lines]
    assert names.count(b"host") == names.count(b"connection") == 1
    assert word.isascii()
    assert length is None or length >= 0


# --- values of the C API ---


class NoHandles:
    def resolve(self, pointer: int, resource: wit.Resource, owned: bool) -> Any:
        return pointer, owned

    def admit(self, count: int) -> None: ...
    def look(self) -> None: ...


RESOURCE = wit.Resource("r")
LEAVES: list[wit.Type] = [
    *(wit.U8, wit.U16, wit.U32, wit.U64, wit.S8, wit.S16, wit.S32, wit.S64, wit.BOOL, wit.CHAR, wit.STRING, wit.F32),
    *(wit.F64, wit.BYTES, wit.EnumOf(("a", "b")), wit.FlagsOf(("a", "b")), wit.Own(RESOURCE), wit.EnumOf(("b", "c"))),
]


def a_type(draw: Draw, depth: int = 0) -> wit.Type:
    choice = draw.byte() if depth < 4 else draw.byte() % len(LEAVES)
    inner: Callable[[], wit.Type] = lambda: a_type(draw, depth + 1)  # noqa: E731
    match choice - len(LEAVES):
        case 0:
            return wit.ListType(inner())
        case 1:
            found = inner()
            return found if isinstance(found, wit.OptionOf) else wit.OptionOf(found)
        case 2:
            return wit.ResultOf(draw.one_of([None, inner()]), draw.one_of([None, inner()]))
        case 3:
            return wit.TupleOf(tuple(inner() for _ in range(1 + draw.upto(3))))
        case 4:
            return wit.RecordOf(tuple((name, inner()) for name in ("a", "b", "c")[: 1 + draw.upto(2)]))
        case 5:
            return wit.VariantOf(tuple((name, draw.one_of([None, inner()])) for name in ("a", "b")))
    return LEAVES[choice % len(LEAVES)]


class Memory:
    """Values as Wasmtime lays them out, each part in a buffer of its own."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def at(self, data: bytes) -> int:
        buffer = ctypes.create_string_buffer(data, max(1, len(data)))
        self.kept.append(buffer)
        return ctypes.addressof(buffer)

    def box(self, kind: wit.Type, value: Any) -> int:
        return self.at(v.VAL.pack(*self.words(kind, value)))

    def name(self, name: str) -> tuple[int, int]:
        data = name.encode()
        return len(data), self.at(data)

    def words(self, kind: wit.Type | None, value: Any) -> tuple[int, int, int, int]:
        match kind:
            case wit.Primitive("string"):
                return (v.STRING, *self.name(value), 0)
            case wit.Primitive("bool"):
                return v.BOOL, int(value), 0, 0
            case wit.Primitive("char"):
                return v.CHAR, ord(value), 0, 0
            case wit.Primitive("f32"):
                return v.F32, 0, 0, 0
            case wit.Primitive("f64"):
                return v.F64, 0, 0, 0
            case wit.Primitive(name):
                return getattr(v, name.upper()), value & (1 << 64) - 1, 0, 0
            case wit.ListType(element):
                items = [self.words(element, one) for one in value]
                return v.LIST, len(items), self.at(b"".join(v.VAL.pack(*one) for one in items)) if items else 0, 0
            case wit.TupleOf(kinds):
                packed = b"".join(v.VAL.pack(*self.words(one, item)) for one, item in zip(kinds, value, strict=True))
                return v.TUPLE, len(kinds), self.at(packed), 0
            case wit.RecordOf(fields):
                packed = b"".join(
                    v.NAME.pack(*self.name(name)) + v.VAL.pack(*self.words(one, item))
                    for (name, one), item in zip(fields, value, strict=True)
                )
                return v.RECORD, len(fields), self.at(packed), 0
            case wit.VariantOf(cases):
                one = dict(cases)[value[0]]
                return (v.VARIANT, *self.name(value[0]), 0 if one is None else self.box(one, value[1]))
            case wit.EnumOf():
                return (v.ENUM, *self.name(value), 0)
            case wit.FlagsOf():
                packed = b"".join(v.NAME.pack(*self.name(name)) for name in sorted(value))
                return v.FLAGS, len(value), self.at(packed), 0
            case wit.OptionOf(some):
                return v.OPTION, 0 if value is None else self.box(some, value), 0, 0
            case wit.ResultOf(ok, err):
                kind = ok if value[0] == "ok" else err
                return v.RESULT, int(value[0] == "ok"), 0 if kind is None else self.box(kind, value[1]), 0
            case wit.Own() | wit.Borrow():
                return v.RESOURCE, 1, 0, 0
        raise TypeError(kind)


def plain(kind: wit.Type | None) -> Any:
    """The type with `value_of` for its handles."""
    return None if isinstance(kind, wit.Own | wit.Borrow) else kind


def check_lifting(data: bytes) -> None:
    """A value of any type where the host expects one of another: Mismatch, or what such a value is."""
    draw = Draw(data)
    theirs = a_type(draw)
    ours = theirs if draw.byte() & 1 else a_type(draw)
    if any(isinstance(one, wit.Own | wit.Borrow) for one in parts_of(theirs)):
        theirs = wit.U8
    value, memory = value_of(draw, theirs), Memory()
    words = memory.words(theirs, value)
    try:
        found = lifter(ours)(NoHandles(), *words)
    except Mismatch:
        assert ours != theirs
        return
    if ours == theirs and not any(one in (wit.F32, wit.F64) for one in parts_of(theirs)):
        assert found == value, (found, value)


def parts_of(kind: Any) -> Iterable[Any]:
    yield kind
    for name in getattr(kind, "__dataclass_fields__", {}):
        part = getattr(kind, name)
        for one in part if isinstance(part, tuple) else (part,):
            for inner in one if isinstance(one, tuple) else (one,):
                if not isinstance(inner, str) and inner is not None:
                    yield from parts_of(inner)


NUMBERS = (b"\0", b"\1", b"\xff", b"\x80", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff" * 8)
TARGETS = (
    Target(
        "resp",
        "a Redis server's answer, the same for any split, or an error that ends the connection",
        check_resp,
        lambda: [
            b"\0" + answer
            for answer in (
                *(b"$5\r\nhello\r\n", b"+OK\r\n", b"-ERR x\r\n", b":12\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n"),
                b"*3\r\n$1\r\na\r\n:1\r\n*1\r\n+x\r\n",
            )
        ],
        (b"\r\n", b"$", b"*", b":", b"+", b"-", b"*1\r\n" * 9, b"$5242880\r\n", b"*99999999\r\n", b"_\r\n", b"%1\r\n"),
        tries=10000,
        longest=500,
    ),
    Target(
        "redis-url",
        "an address of a Redis server, or ValueError",
        check_redis_url,
        lambda: URLS,
        (b"redis://", b"@", b":", b"/", b"[", b"]", b"%", b"?", b"#"),
        tries=10000,
        longest=200,
    ),
    Target(
        "postgres-values",
        "what a server sends for a column: a value of the interface's type, or an error that the guest is told",
        check_postgres_value,
        lambda: [
            bytes([version, number]) + sent
            for version, texts in ((0, b"1"), (1, b"2026-01-02 03:04:05+14"), (2, b"\0\0\0\1\0\0\0\0\0\0\0\x17"))
            for number in range(len(OIDS))
            for sent in (texts, b"\0" * 8, b"infinity", b"{1,NULL,2}", b"[1,5)")
        ],
        (*NUMBERS, b"infinity", b"-infinity", b" BC", b"+15:59:59", b"24:00:00", b"NaN", b"{", b"}", b"0001-01-01"),
        tries=10000,
        longest=100,
    ),
    Target(
        "postgres-parameters",
        "what a guest passes for a parameter: something that the server is sent, or an error that the guest is told",
        check_postgres_parameter,
        lambda: [bytes([version, 0, case]) + b"\x01" * 40 for version in range(3) for case in range(30)],
        (*NUMBERS, b"\0\0\0\0", b"\xd9\xa3", b"{", b'"', b"\\"),
        tries=10000,
        longest=200,
    ),
    Target(
        "postgres-address",
        "an address of a PostgreSQL server without what reads files of the host, or ValueError",
        check_postgres_address,
        lambda: (b"postgres://u:p@h:5432/d", b"host=h user=u dbname=d port=1", b"postgres://u@[::1]/d?sslmode=require"),
        (
            b"host=",
            b" ",
            b"'",
            b"service=x",
            b"hostaddr=",
            b"sslkey=/x",
            b"passfile=/x",
            b"?options=",
            b"%00",
            b",",
            b"\\",
        ),
        tries=10000,
        longest=200,
    ),
    Target(
        "sql",
        "a guest's SQL: rows or one of the interface's errors; no other file, and the connection's settings stay",
        check_sql,
        lambda: SQL,
        SQL_WORDS,
        tries=1500,
        longest=300,
    ),
    Target(
        "forwarded",
        "the head of a guest's request: one request, to the server that was admitted, or refused",
        check_forwarded,
        lambda: (
            b"GET /0123456789abcdef/path?q HTTP/1.1\r\nhost: x\r\naccept: */*",
            b"POST /0123./p HTTP/1.1\r\nwsgi-wasm-length: 5\r\ntransfer-encoding: chunked\r\nConnection: x",
        ),
        (b"\r\n", b"\n", b"\r", b" ", b"/", b"host: y", b"wsgi-wasm-length: ", b"Transfer-Encoding: x", b":", b"\xff"),
        tries=10000,
        longest=400,
    ),
    Target(
        "lifting",
        "values of any type where the host's functions expect others: a mismatch, or the value",
        check_lifting,
        lambda: [bytes([kind, *range(kind, kind + 30)]) for kind in range(len(LEAVES) + 6)],
        NUMBERS,
        tries=10000,
        longest=200,
    ),
)
