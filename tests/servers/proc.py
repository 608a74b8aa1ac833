"""What /proc says of processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def every_pid() -> list[int]:
    """All processes that there are now."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def stat_fields(pid: int) -> list[str] | None:
    """State, parent, group and session and what follows of /proc/PID/stat; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the command's name may hold blanks and brackets


def living(pid: int) -> list[str] | None:
    """`stat_fields` of a process that has not ended; None for a zombie too."""
    fields = stat_fields(pid)
    return None if fields is None or fields[0] in ("Z", "X") else fields


def parent(pid: int) -> int:
    """Raises ProcessLookupError when there is no such process."""
    fields = stat_fields(pid)
    if fields is None:
        raise ProcessLookupError(pid)
    return int(fields[1])


def user_time(pid: int) -> int:
    """Hundredths of a second that a process has computed in user mode; 0 when there is no such process."""
    fields = stat_fields(pid)
    return int(fields[11]) * 100 // os.sysconf("SC_CLK_TCK") if fields is not None else 0


def status_lines(pid: int | str) -> Mapping[str, str]:
    """The lines of /proc/PID/status by their names; `pid` may be `self`. Raises OSError."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def memory(pid: int | str, name: str) -> int:
    """Bytes of VmRSS, VmHWM (the most that it has been) or another such line. Raises OSError, KeyError."""
    return int(status_lines(pid)[name].split()[0]) << 10


def words(pid: int) -> list[bytes]:
    """The words of a process's command line; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return []


def pids_with(*parts: str) -> list[int]:
    """The processes in whose command lines each of these stands somewhere."""
    wanted = [os.fsencode(part) for part in parts]
    lines = {pid: b"\0".join(words(pid)) for pid in every_pid()}
    return [pid for pid, line in lines.items() if all(part in line for part in wanted)]
