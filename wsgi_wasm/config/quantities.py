"""Kinds with bounds: durations, sizes and whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wsgi_wasm.config import scalars
from wsgi_wasm.config.kinds import Scalar


def duration(low: str, high: str) -> Scalar:
    return Scalar(
        noun=f"a duration from {low} to {high}",
        parse=_between(scalars.duration, low, high),
        pattern=scalars.DURATION,
    )


def size(low: str, high: str, whole: str = "", nullable: bool = False) -> Scalar:
    """With `whole`, a multiple of that size."""
    unit = scalars.size(whole) if whole else 1
    bounded = _between(scalars.size, low, high)

    def parse(text: str) -> int:
        value: int = bounded(text)
        if value % unit:
            raise ValueError(f"is not a multiple of {whole}; write '{-(-value // unit) * unit // 1024}KiB'")
        return value

    noun = f"a size from {low} to {high}" + (f", a multiple of {whole}" if whole else "")
    return Scalar(noun=noun + (" or null" if nullable else ""), parse=parse, pattern=scalars.SIZE, nullable=nullable)


def integer(low: int, high: int, nullable: bool = False) -> Scalar:
    return Scalar(
        noun=f"a whole number from {low} to {high}" + (" or null" if nullable else ""),
        parse=_between(scalars.integer, str(low), str(high)),
        pattern=r"0|[1-9][0-9]*",
        types=("integer", "string"),
        extra={"minimum": low, "maximum": high},
        nullable=nullable,
    )


def _between(parse: Callable[[str], Any], low: str, high: str) -> Callable[[str], Any]:
    least, most = parse(low), parse(high)

    def bounded(text: str) -> Any:
        value = parse(text)
        if value < least:
            raise ValueError(f"is below the minimum, {low}")
        if value > most:
            raise ValueError(f"is above the maximum, {high}")
        return value

    return bounded
