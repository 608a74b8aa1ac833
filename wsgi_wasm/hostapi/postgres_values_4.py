"""PostgreSQL's values as guests have them in `spin:postgres@4`: those of version 3, and UUIDs,
JSON, exact numbers, ranges, arrays and intervals.

Parameters of the new kinds go as text with their type's number. Results come in PostgreSQL's binary
form, as that is what a value without a kind is handed on as.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.interface import HostError
from wsgi_wasm.hostapi import postgres_values
from wsgi_wasm.hostapi.postgres_binary import INT4, INT8, elements, numeric_text
from wsgi_wasm.hostapi.postgres_values import NAMES_3, Values

_NUMERIC = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_INTERVAL = struct.Struct("!qii")  # microseconds, days, months
_JSONB_VERSION = 1  # the first byte of its binary form

# --- the types ---

_BOUND = wit.EnumOf(("inclusive", "exclusive"))


def _range(bound: wit.Type) -> wit.Type:
    one = wit.OptionOf(wit.tuple_of(bound, _BOUND))
    return wit.tuple_of(one, one)


def _array(element: wit.Type) -> wit.Type:
    return wit.ListType(wit.OptionOf(element))


_NAMES: dict[str, wit.Type] = {
    **NAMES_3,
    "uuid": wit.STRING,
    "jsonb": wit.BYTES,
    "decimal": wit.STRING,
    "range-int32": _range(wit.S32),
    "range-int64": _range(wit.S64),
    "range-decimal": _range(wit.STRING),
    "array-int32": _array(wit.S32),
    "array-int64": _array(wit.S64),
    "array-decimal": _array(wit.STRING),
    "array-str": _array(wit.STRING),
    "interval": wit.record({"micros": wit.S64, "days": wit.S32, "months": wit.S32}),
}

_DB_ERROR = wit.record(
    {
        "as-text": wit.STRING,
        "severity": wit.STRING,
        "code": wit.STRING,
        "message": wit.STRING,
        "detail": wit.OptionOf(wit.STRING),
        "extras": wit.ListType(wit.tuple_of(wit.STRING, wit.STRING)),
    }
)

# PostgreSQL's own numbers of the types (pg_type.dat); those of parameters, and what else comes as
# the same kind.
_NUMBERS = {
    "uuid": 2950, "jsonb": 3802, "decimal": 1700, "range-int32": 3904, "range-int64": 3926, "range-decimal": 3906,
    "array-int32": 1007, "array-int64": 1016, "array-decimal": 1231, "array-str": 1009, "interval": 1186,
}  # fmt: skip
_TYPES = {number: name for name, number in _NUMBERS.items()} | {1015: "array-str", 1014: "array-str"}

# --- from the guest: what PostgreSQL reads ---


def _decimal(text: str) -> str:
    if not _NUMERIC.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a decimal number")
    return text


def _range_text(convert: Callable[[Any], str]) -> Callable[[Any], str]:
    def text(value: tuple[Any, Any]) -> str:
        (lower, upper), parts = value, ["", ""]
        for position, bound in enumerate(value):
            if bound is not None:
                parts[position] = convert(bound[0])
        opening = "[" if lower is not None and lower[1] == "inclusive" else "("
        closing = "]" if upper is not None and upper[1] == "inclusive" else ")"
        return f"{opening}{parts[0]},{parts[1]}{closing}"

    return text


def _array_text(convert: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda items: "{" + ",".join("NULL" if item is None else convert(item) for item in items) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _interval_text(value: tuple[int, int, int]) -> str:
    micros, days, months = value
    return f"{months} months {days} days {micros} microseconds"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "uuid": lambda text: str(uuid.UUID(text)),
    "jsonb": lambda data: data.decode(),
    "decimal": _decimal,
    "range-int32": _range_text(str),
    "range-int64": _range_text(str),
    "range-decimal": _range_text(_decimal),
    "array-int32": _array_text(str),
    "array-int64": _array_text(str),
    "array-decimal": _array_text(_decimal),
    "array-str": _array_text(_quoted),
    "interval": _interval_text,
}


class Literal:
    """A parameter as text. A subclass for each kind, as the client library tells
    types by classes."""

    oid: int

    def __init__(self, text: bytes) -> None:
        self.text = text


_LITERALS: dict[str, type[Literal]] = {
    name: type("Literal", (Literal,), {"oid": number}) for name, number in _NUMBERS.items()
}


def prepare(adapters: Any) -> None:
    """Tell a connection of the client library about these parameters, and to leave some results
    as they come."""
    from psycopg.adapt import Dumper, Loader
    from psycopg.pq import Format

    class AsItIs(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> bytes:
            return bytes(data)

    for literal in _LITERALS.values():
        dumper = type("LiteralDumper", (Dumper,), {"oid": literal.oid, "dump": lambda _, one: one.text})
        adapters.register_dumper(literal, dumper)
    # Of arrays the client library's compiled part believes what they say of their own size.
    for number, name in _TYPES.items():
        if name in ("jsonb", "interval") or name.startswith("array-"):
            adapters.register_loader(number, AsItIs)


def parameters(values: list[tuple[str, Any]]) -> list[Any]:
    """Values for the client library. Raises HostError for what PostgreSQL has not."""
    converted = []
    for position, (case, value) in enumerate(values, 1):
        if case not in _TEXTS:
            converted += postgres_values.parameters([(case, value)], position)
            continue
        try:
            text = _TEXTS[case](value).encode()
            if b"\0" in text:
                raise ValueError("text cannot hold NUL")
        except ValueError as error:
            raise HostError("bad-parameter", f"parameter {position}: {error}") from None
        converted.append(_LITERALS[case](text))
    return converted


# --- to the guest ---


def _text_of(number: Any) -> str:
    return format(number, "f")


def _range_of(convert: Callable[[Any], Any], nothing: Any) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if value.isempty:  # which has no bounds, as the one that holds everything: so it gets some
            return (nothing, "inclusive"), (nothing, "exclusive")
        lower = None if value.lower is None else (convert(value.lower), "inclusive" if value.lower_inc else "exclusive")
        upper = None if value.upper is None else (convert(value.upper), "inclusive" if value.upper_inc else "exclusive")
        return lower, upper

    return of


def _array_of(convert: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def of(data: bytes) -> list[Any]:
        return [None if item is None else convert(item) for item in elements(data)]

    return of


def _jsonb(data: bytes) -> bytes:
    if data[:1] != bytes([_JSONB_VERSION]):
        raise HostError("value-conversion-failed", "an unknown version of jsonb")
    return data[1:]


_TO_GUEST: dict[str, Callable[[Any], Any]] = {
    "uuid": str,
    "jsonb": _jsonb,
    "decimal": _text_of,
    "range-int32": _range_of(int, 0),
    "range-int64": _range_of(int, 0),
    "range-decimal": _range_of(_text_of, "0"),
    "array-int32": _array_of(lambda data: INT4.unpack(data)[0]),
    "array-int64": _array_of(lambda data: INT8.unpack(data)[0]),
    "array-decimal": _array_of(numeric_text),
    "array-str": _array_of(bytes.decode),
    "interval": _INTERVAL.unpack,
}


class Values4(Values):
    """The values of version 4."""

    binary = True

    def __init__(self) -> None:
        super().__init__(_NAMES)
        value = wit.variant({**_NAMES, "db-null": None, "unsupported": wit.BYTES})
        kind = wit.variant({**dict.fromkeys(_NAMES), "other": wit.STRING})
        column = wit.record({"name": wit.STRING, "data-type": kind})
        self.row_set = wit.record({"columns": wit.ListType(column), "rows": wit.ListType(wit.ListType(value))})
        self.query_error: wit.Type = wit.variant({"text": wit.STRING, "db-error": _DB_ERROR})

    def kind(self, type_code: int) -> str:
        return _TYPES.get(type_code) or super().kind(type_code)

    def data_type(self, kind: str, column: Any) -> Any:
        return kind, (str(column.type_display) if kind == "other" else None)

    def parameters(self, values: list[tuple[str, Any]]) -> list[Any]:
        return parameters(values)

    def value_of(self, kind: str, value: Any, raw: Callable[[], bytes | None]) -> tuple[str, Any]:
        if kind == "other" and value is not None:
            return "unsupported", raw() or b""
        convert = _TO_GUEST.get(kind)
        if convert is None or value is None:
            return super().value_of(kind, value, raw)
        return kind, convert(value)

    def failed(self, error: Exception) -> Any:
        """What the interface says of a query that the server refused, or that went
        wrong on the way."""
        found = getattr(error, "diag", None)
        if found is None or found.sqlstate is None:
            return "text", str(error)
        more: Sequence[tuple[str, str | None]] = (
            ("column", found.column_name),
            ("constraint", found.constraint_name),
            ("routine", found.source_function),
            ("hint", found.message_hint),
            ("table", found.table_name),
            ("datatype", found.datatype_name),
            ("schema", found.schema_name),
            ("file", found.source_file),
            ("line", found.source_line),
            ("where_", found.context),
        )
        extras = [(name, text) for name, text in more if text is not None]
        message, severity = found.message_primary or "", found.severity_nonlocalized or found.severity or "ERROR"
        return "db-error", (str(error), severity, found.sqlstate, message, found.message_detail, extras)


VERSION_4 = Values4()
