"""How much CPU time a server has used: by its processes, or by its control group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.messages import escaped, quote, reason

_TICK = os.sysconf("SC_CLK_TCK")  # of times in /proc, in a second


@dataclass(frozen=True, slots=True)
class CpuMeter:
    """Processes with all that they started, or the directory of a control group."""

    pids: tuple[int, ...] = ()
    group: Path | None = None

    def seconds(self) -> float:
        """CPU time so far. Raises ValueError where it cannot be told."""
        if self.group is not None:
            return _of_group(self.group)
        parents = dict(_parents())
        total = 0.0
        for pid in _with_children(self.pids, parents):
            total += _of_process(pid)
        return total


def cpu_meter(text: str) -> CpuMeter:
    """`PID[,PID...]`, or the directory of a control group. Raises ValueError."""
    if "/" in text:
        meter = CpuMeter(group=Path(text))
    elif all(part.isascii() and part.isdigit() for part in text.split(",")):
        meter = CpuMeter(pids=tuple(int(part) for part in text.split(",")))
    else:
        raise ValueError(f"{quote(text)}: neither process numbers (12,345) nor a directory of /sys/fs/cgroup")
    for pid in meter.pids:
        if not Path(f"/proc/{pid}").exists():
            raise ValueError(f"there is no process {pid}")
    meter.seconds()
    return meter


def _of_group(group: Path) -> float:
    try:
        for line in (group / "cpu.stat").read_text("ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "usage_usec":
                return int(value) / 1e6
        return int((group / "cpuacct.usage").read_text("ascii")) / 1e9
    except (OSError, ValueError) as error:
        raise ValueError(f"{escaped(group)}: is no control group that counts CPU time: {reason(error)}") from None


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat after the name; none where the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _parents() -> Iterator[tuple[int, int]]:
    for name in os.listdir("/proc"):
        if name.isdigit() and len(fields := _stat(int(name))) > 1:
            yield int(name), int(fields[1])


def _with_children(roots: tuple[int, ...], parents: dict[int, int]) -> set[int]:
    found = set(roots)
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def _of_process(pid: int) -> float:
    """Its own time, and that of its children that have ended."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICK if len(fields) > 14 else 0.0
