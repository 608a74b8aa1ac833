"""PostgreSQL servers that a guest connects to itself: `spin:postgres`.

Interface: spinframework/spin, wit/deps/spin-postgres@3.0.0/postgres.wit. An address that the route does not allow is
`connection-failed`, which is what Spin answers. The client library is imported when a guest first connects.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wsgi_wasm.config.model import Endpoint
from wsgi_wasm.engine import wit
from wsgi_wasm.engine.hostcalls import Function, Held, HostError, Interface
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, Answer, TooLarge

log = logging.getLogger("wsgi_wasm.hostapi")

API = "postgres"

Grant = frozenset[tuple[str, int]]

_MISSING = "PostgreSQL needs the package 'psycopg': pip install 'wsgi-wasm[postgres]'"


def grant(endpoints: Sequence[Endpoint]) -> Grant:
    """The servers that a route allows, by host and port."""
    return frozenset((endpoint.host, endpoint.port) for endpoint in endpoints)


def client() -> Any:
    """The module that connects. Raises ImportError where the client library is not installed."""
    from wsgi_wasm.hostapi import postgres_connection

    return postgres_connection


class Postgres:
    """The API in one run. A connection is the guest's own, and goes with its handle or with the run."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._allowed: Grant = held.grants.get(API, frozenset())  # type: ignore[assignment]

    def open(self, address: str) -> Any:
        if not self._allowed:
            raise HostError("connection-failed", "no PostgreSQL server is granted")
        try:
            connections = client()
        except ImportError:
            log.error(_MISSING)
            raise HostError("connection-failed", "not available on this server") from None
        try:
            options = connections.options(address)
        except ValueError as error:
            raise HostError("connection-failed", str(error)) from None
        if (options["host"].lower(), options["port"]) not in self._allowed:
            raise HostError("connection-failed", f"{options['host']}:{options['port']} is not permitted")
        if self._held.count(CONNECTION) >= MAX_CONNECTIONS:
            raise HostError("connection-failed", f"a guest has at most {MAX_CONNECTIONS} connections open")
        with _errors("connection-failed"):
            return connections.PostgresConnection(options, self._held)


@contextmanager
def _errors(case: str) -> Iterator[None]:
    """What the connection raises, as the interface's own error; `case` is for what the server has to say."""
    connections = client()
    try:
        yield
    except connections.Error as error:
        conversion = getattr(error, "sqlstate", None) is None and type(error).__name__ == "DataError"
        raise HostError("value-conversion-failed" if conversion else case, str(error)) from None
    except UnicodeError as error:
        raise HostError("value-conversion-failed", str(error)) from None
    except (connections.TooLate, TooLarge, OSError) as error:
        raise HostError(case, str(error)) from None


# --- values ------------------------------------------------------------------------------------------------------

_UTC = datetime.UTC

# PostgreSQL's own numbers of its types (pg_type.dat): what they are called here.
_TYPES = {
    16: "boolean", 17: "binary", 20: "int64", 21: "int16", 23: "int32", 700: "floating32", 701: "floating64",
    25: "str", 1043: "str", 1042: "str", 1082: "date", 1083: "time", 1114: "datetime", 1184: "datetime",
}  # fmt: skip


def _time(value: datetime.time | datetime.datetime) -> tuple[int, int, int, int]:
    return value.hour, value.minute, value.second, value.microsecond * 1000


def _date(value: datetime.date) -> tuple[int, int, int]:
    return value.year, value.month, value.day


def _datetime(value: datetime.datetime) -> tuple[int, ...]:
    value = value.astimezone(_UTC) if value.tzinfo is not None else value
    return *_date(value), *_time(value)


_TO_GUEST: dict[str, Callable[[Any], Any]] = {
    "binary": bytes, "date": _date, "time": _time, "datetime": _datetime,
}  # fmt: skip


def _clock(hour: int, minute: int, second: int, nanosecond: int) -> datetime.time:
    return datetime.time(hour, minute, second, nanosecond // 1000)


_FROM_GUEST: dict[str, Callable[[Any], Any]] = {
    "date": lambda value: datetime.date(*value),
    "time": lambda value: _clock(*value),
    "datetime": lambda value: datetime.datetime.combine(datetime.date(*value[:3]), _clock(*value[3:])),
    "timestamp": lambda value: datetime.datetime.fromtimestamp(value, _UTC),
}

# Numbers go with their own type: PostgreSQL finds functions and operators by it.
_NUMBERS = {
    "int8": "Int2",
    "int16": "Int2",
    "int32": "Int4",
    "int64": "Int8",
    "floating32": "Float4",
    "floating64": "Float8",
}


def _parameters(values: list[tuple[str, Any]]) -> list[Any]:
    """Values for the client library. Raises HostError for a date that is none."""
    from psycopg.types import numeric

    parameters = []
    for position, (case, value) in enumerate(values, 1):
        try:
            convert = getattr(numeric, _NUMBERS[case]) if case in _NUMBERS else _FROM_GUEST.get(case)
            parameters.append(value if convert is None else convert(value))
        except (ValueError, OverflowError, OSError) as error:
            raise HostError("bad-parameter", f"parameter {position}: {error}") from None
    return parameters


def _execute(_api: Postgres, connection: Any, statement: str, values: list[tuple[str, Any]]) -> int:
    with _errors("query-failed"):
        return max(0, int(connection.run(statement, _parameters(values)).rowcount))


def _query(_api: Postgres, connection: Any, statement: str, values: list[tuple[str, Any]]) -> Any:
    with _errors("query-failed"):
        cursor = connection.run(statement, _parameters(values))
        cost = Answer()
        kinds = [_TYPES.get(column.type_code, "other") for column in cursor.description or ()]
        columns = [(column.name, kind) for column, kind in zip(cursor.description or (), kinds, strict=True)]
        rows = []
        # Without a description the statement gave no rows, not even none of them.
        while columns and (row := cursor.fetchone()) is not None:
            for value in row:
                cost.add(value)
            rows.append([_value(kind, value) for kind, value in zip(kinds, row, strict=True)])
        return columns, rows


def _value(kind: str, value: Any) -> tuple[str, Any]:
    if value is None:
        return "db-null", None
    if kind == "other":
        return "unsupported", None
    convert = _TO_GUEST.get(kind)
    return kind, value if convert is None else convert(value)


# --- the interface -----------------------------------------------------------------------------------------------

CONNECTION = wit.Resource("connection")

_ERROR = wit.variant(
    dict.fromkeys(
        ("connection-failed", "bad-parameter", "query-failed", "value-conversion-failed", "other"), wit.STRING
    )
)
_DATE = (wit.S32, wit.U8, wit.U8)
_TIME = (wit.U8, wit.U8, wit.U8, wit.U32)
_VALUES: dict[str, wit.Type | None] = {
    "boolean": wit.BOOL,
    "int8": wit.S8,
    "int16": wit.S16,
    "int32": wit.S32,
    "int64": wit.S64,
    "floating32": wit.F32,
    "floating64": wit.F64,
    "str": wit.STRING,
    "binary": wit.BYTES,
    "date": wit.tuple_of(*_DATE),
    "time": wit.tuple_of(*_TIME),
    "datetime": wit.tuple_of(*_DATE, *_TIME),
    "timestamp": wit.S64,
}
_PARAMETERS = wit.ListOf(wit.variant({**_VALUES, "db-null": None}))
_ROW_SET = wit.record(
    {
        "columns": wit.ListOf(wit.record({"name": wit.STRING, "data-type": wit.EnumOf((*_VALUES, "other"))})),
        "rows": wit.ListOf(wit.ListOf(wit.variant({**_VALUES, "db-null": None, "unsupported": None}))),
    }
)

SPIN_3 = Interface(
    "spin:postgres/postgres@3.0.0",
    API,
    Postgres,
    {
        "[static]connection.open": Function(
            (wit.STRING,), wit.ResultOf(wit.Own(CONNECTION), _ERROR), lambda api, address: api.open(address)
        ),
        "[method]connection.query": Function(
            (wit.Borrow(CONNECTION), wit.STRING, _PARAMETERS), wit.ResultOf(_ROW_SET, _ERROR), _query
        ),
        "[method]connection.execute": Function(
            (wit.Borrow(CONNECTION), wit.STRING, _PARAMETERS), wit.ResultOf(wit.U64, _ERROR), _execute
        ),
    },
    (CONNECTION,),
)

INTERFACES = (SPIN_3,)
