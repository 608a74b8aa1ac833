"""Classes of arrays for the C API. A leaf: imports nothing of the package."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any


@lru_cache(256)
def array(kind: type[Any], count: int) -> type[ctypes.Array[Any]]:
    """The class of arrays of so many. It is kept: ctypes forgets a class that nothing uses, which
    is then made anew for each call and freed as a cycle."""
    made: type[ctypes.Array[Any]] = kind * count
    return made
