"""How far the memory of this process grows while something runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def peak_of(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` gives, and by how many MiB the process grew at most meanwhile (proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _mebibytes("VmRSS")
    result = work()
    return result, _mebibytes("VmHWM") - before


def _mebibytes(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
