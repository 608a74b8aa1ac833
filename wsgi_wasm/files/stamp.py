"""What tells that a file is still the one that was looked at, without reading it."""

from __future__ import annotations

import os
from pathlib import Path


def stamp_of(info: os.stat_result) -> tuple[int, ...]:
    """What must be unchanged for a file to count as unchanged."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def identity(info: os.stat_result) -> str:
    """The same as a text. Part of names in the cache, so without slashes."""
    return "{:x}-{:x}-{:x}-{:x}-{:x}".format(*stamp_of(info))


def stamp(path: Path) -> str:
    """The identity of a file or folder, "" where there is none: changes when it changes, appears or
    goes."""
    try:
        return identity(path.stat())
    except OSError:
        return ""
