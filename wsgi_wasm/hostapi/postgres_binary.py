"""Arrays in PostgreSQL's binary form, and numbers in them. Every read is checked, as the compiled
part of the client library believes what an array says of its own size."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from wsgi_wasm.engine.hostcalls.interface import HostError

INT4, INT8 = struct.Struct("!i"), struct.Struct("!q")

_NUMERIC_HEAD = struct.Struct("!hhHH")
_SIGNS = {0: "", 0x4000: "-"}
_NO_NUMBERS = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}


def elements(data: bytes) -> Iterator[bytes | None]:
    """The elements of an array in PostgreSQL's binary form (array_send in its arrayfuncs.c). Raises
    HostError; struct.error where it ends too early."""
    (dimensions,) = INT4.unpack_from(data)
    if dimensions > 1:
        raise HostError("value-conversion-failed", "an array of several dimensions")
    at = 20  # behind dimensions, flags, the elements' type, their number, and the first one's index
    for _ in range(INT4.unpack_from(data, 12)[0] if dimensions else 0):
        (size,) = INT4.unpack_from(data, at)
        at += 4
        if size > len(data) - at:
            raise HostError("value-conversion-failed", "an array that ends too early")
        yield None if size < 0 else data[at : at + size]
        at += max(0, size)


def numeric_text(data: bytes) -> str:
    """A number in PostgreSQL's binary form (numeric_send in its numeric.c): digits to base 10,000,
    the first one's power, sign, and decimal places."""
    count, weight, sign, places = _NUMERIC_HEAD.unpack_from(data)
    if sign in _NO_NUMBERS:
        return _NO_NUMBERS[sign]
    digits = struct.unpack_from(f"!{count}H", data, _NUMERIC_HEAD.size)
    if sign not in _SIGNS or any(digit > 9999 for digit in digits):
        raise HostError("value-conversion-failed", "an array with a malformed number")
    text = "0000" * -(weight + 1) + "".join(f"{digit:04}" for digit in digits)
    point = 4 * max(0, weight + 1)
    whole, fraction = text[:point].ljust(point, "0").lstrip("0") or "0", text[point:][:places].ljust(places, "0")
    return f"{_SIGNS[sign]}{whole}.{fraction}" if fraction else _SIGNS[sign] + whole
