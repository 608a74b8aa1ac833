"""MySQL's values as guests have them: the types of `fermyon:spin/rdbms-types`."""

from __future__ import annotations

from typing import Any

from wsgi_wasm.hostapi.mysql_wire import Column
from wsgi_wasm.hostapi.postgres_values import VERSION_2

ROW_SET, PARAMETER = VERSION_2.row_set, VERSION_2.parameter

# MySQL's numbers of its types.
_INTEGERS = {1: "int8", 2: "int16", 3: "int32", 9: "int32", 8: "int64"}
_FLOATS = {4: "floating32", 5: "floating64"}
_TEXTS = frozenset({15, 245, 249, 250, 251, 252, 253, 254})


def kind(column: Column) -> str:
    """The name of a column's type. Dates, times, exact numbers and bits have none."""
    if column.type in _INTEGERS:
        return "u" * column.unsigned + _INTEGERS[column.type]
    if column.type in _FLOATS:
        return _FLOATS[column.type]
    if column.type in _TEXTS:
        return "binary" if column.binary else "str"
    return "other"


def value_of(kind: str, value: Any) -> tuple[str, Any]:
    """A value of a column of this kind. Raises ValueError."""
    if value is None:
        return "db-null", None
    if kind == "str":
        value.encode()  # bytes of another character set are no text for a component
    return ("unsupported", None) if kind == "other" else (kind, value)
