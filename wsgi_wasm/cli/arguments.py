"""Kinds of arguments that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wsgi_wasm.messages import escaped

_T = TypeVar("_T")


def file_name(text: str) -> Path:
    """A path. Raises ArgumentTypeError for an empty one, which would be the working directory: what
    a shell makes of a variable that is not set is served or written nowhere."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    if "\0" in text:
        raise argparse.ArgumentTypeError("the name contains a NUL")
    return Path(text)


def count(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def checked(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    """What parses as `parse` does, for argparse, which shows the words of no ValueError."""

    def parsed(text: str) -> _T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{escaped(text)}: {error}") from None

    return parsed
