"""How far the memory of this process grows while something runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from servers.proc import memory

T = TypeVar("T")


def peak_of(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` gives, and by how many MiB the process grew at most meanwhile (proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("self", "VmRSS")
    result = work()
    return result, (memory("self", "VmHWM") - before) / (1 << 20)
