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
