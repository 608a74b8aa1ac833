"""Kinds of arguments that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path


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
