"""PostgreSQL's values as guests have them: the types of `spin:postgres@3`
and of `fermyon:spin/rdbms-types@2`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.interface import HostError

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


def _unsigned(_value: int) -> Any:
    raise ValueError("PostgreSQL has no unsigned numbers")


_FROM_GUEST: dict[str, Callable[[Any], Any]] = {
    "date": lambda value: datetime.date(*value),
    "time": lambda value: _clock(*value),
    "datetime": lambda value: datetime.datetime.combine(datetime.date(*value[:3]), _clock(*value[3:])),
    "timestamp": lambda value: datetime.datetime.fromtimestamp(value, _UTC),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), _unsigned),
}

# Numbers go with their own type: PostgreSQL finds functions and operators by it.
_NUMBERS = {
    "int8": "Int2", "int16": "Int2", "int32": "Int4", "int64": "Int8", "floating32": "Float4", "floating64": "Float8",
}  # fmt: skip


def parameters(values: list[tuple[str, Any]], first: int = 1) -> list[Any]:
    """Values for the client library. Raises HostError for what PostgreSQL has not, such as a 30th
    of February; `first` is the number of the first one."""
    from psycopg.types import numeric

    converted = []
    for position, (case, value) in enumerate(values, first):
        try:
            convert = getattr(numeric, _NUMBERS[case]) if case in _NUMBERS else _FROM_GUEST.get(case)
            converted.append(value if convert is None else convert(value))
        except (ValueError, OverflowError, OSError) as error:
            raise HostError("bad-parameter", f"parameter {position}: {error}") from None
    return converted


class Values:
    """The values of one version of the interface; `names` are the types that it has.

    `binary` says how results come; `query_error` is what belongs to the error `query-failed`.
    """

    binary = False
    query_error: wit.Type = wit.STRING

    def __init__(self, names: Mapping[str, wit.Type]) -> None:
        self._names = frozenset(names)
        self.parameter = wit.variant({**names, "db-null": None})
        value = wit.variant({**names, "db-null": None, "unsupported": None})
        column = wit.record({"name": wit.STRING, "data-type": wit.EnumOf((*names, "other"))})
        self.row_set = wit.record({"columns": wit.ListType(column), "rows": wit.ListType(wit.ListType(value))})

    def kind(self, type_code: int) -> str:
        """The name of a column's type."""
        name = _TYPES.get(type_code, "other")
        return name if name in self._names else "other"

    def data_type(self, kind: str, column: Any) -> Any:
        """The type of a column, as the client library describes it."""
        return kind

    def parameters(self, values: list[tuple[str, Any]]) -> list[Any]:
        """As `parameters`."""
        return parameters(values)

    def value_of(self, kind: str, value: Any, raw: Callable[[], bytes | None]) -> tuple[str, Any]:
        """What the client library gives for a column of this kind, for the guest; `raw` gives it as
        the server sent it. Raises HostError."""
        if value is None:
            return "db-null", None
        if kind == "other":
            return "unsupported", None
        convert = _TO_GUEST.get(kind)
        return kind, value if convert is None else convert(value)

    def failed(self, error: Exception) -> Any:
        """What belongs to `query-failed`."""
        return str(error)


_SIGNED: dict[str, wit.Type] = {"int8": wit.S8, "int16": wit.S16, "int32": wit.S32, "int64": wit.S64}
_UNSIGNED: dict[str, wit.Type] = {"uint8": wit.U8, "uint16": wit.U16, "uint32": wit.U32, "uint64": wit.U64}
_OTHERS: dict[str, wit.Type] = {"floating32": wit.F32, "floating64": wit.F64, "str": wit.STRING, "binary": wit.BYTES}
_DATE, _TIME = (wit.S32, wit.U8, wit.U8), (wit.U8, wit.U8, wit.U8, wit.U32)

VERSION_2 = Values({"boolean": wit.BOOL, **_SIGNED, **_UNSIGNED, **_OTHERS})
NAMES_3: dict[str, wit.Type] = {
    "boolean": wit.BOOL,
    **_SIGNED,
    **_OTHERS,
    "date": wit.tuple_of(*_DATE),
    "time": wit.tuple_of(*_TIME),
    "datetime": wit.tuple_of(*_DATE, *_TIME),
    "timestamp": wit.S64,
}
VERSION_3 = Values(NAMES_3)
