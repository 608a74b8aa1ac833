"""What tells that a file is still the one that was looked at, without reading it."""

from __future__ import annotations

import os
from pathlib import Path


def identity(info: os.stat_result) -> str:
    """What must be unchanged for a file to count as unchanged. Part of names in the cache, so
    without slashes."""
    return f"{info.st_dev:x}-{info.st_ino:x}-{info.st_size:x}-{info.st_mtime_ns:x}-{info.st_ctime_ns:x}"


def stamp(path: Path) -> str:
    """The identity of a file or folder, "" where there is none: changes when it changes, appears or
    goes."""
    try:
        return identity(path.stat())
    except OSError:
        return ""
