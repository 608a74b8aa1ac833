"""How many files a component holds open. Each is a descriptor of this process, and one guest could
take them all.

Wasmtime opens a component's files itself and has no limit of its own. So the process's descriptors
are looked at while such a guest runs, at each tick: a guest over its share is stopped, and with it
go its files.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

_DESCRIPTORS = "/proc/self/fd"


def open_below(directories: Sequence[str], most: int) -> int:
    """Descriptors of this process that lie in one of these directories (real paths); 0 where the
    process has no more than `most` in all."""
    with contextlib.suppress(OSError):
        descriptors = os.listdir(_DESCRIPTORS)
        if len(descriptors) > most:
            return sum(_lies_below(descriptor, directories) for descriptor in descriptors)
    return 0


def _lies_below(descriptor: str, directories: Sequence[str]) -> bool:
    try:
        path = os.readlink(f"{_DESCRIPTORS}/{descriptor}")
    except OSError:
        return False
    return any(path == directory or path.startswith(f"{directory.rstrip('/')}/") for directory in directories)
