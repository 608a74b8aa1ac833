"""Control groups (cgroup v2): memory, processor and number of processes of a group of processes, as
far as the system hands this process a group of its own to divide (`Delegate=yes` in systemd).

The kernel lets no process be in a group whose parts are limited. So whoever divides its group moves
itself into a part first.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.errors import WallError
from wsgi_wasm.messages import escaped, reason

WANTED = ("memory", "pids", "cpu")
SERVER = "wsgi-wasm-server"  # the part that holds the processes of the server itself
_PREFIX = "wsgi-wasm-guests-"

DEFAULT_WEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """What a group may use; None is no limit. `memory` is in bytes and counts files that are cached
    for it too, `processes` counts threads, `weight` is its share of the processor beside other
    groups, whose default is 100."""

    memory: int | None = None
    processes: int | None = None
    weight: int = DEFAULT_WEIGHT


def own_group(mounts: str, groups: str) -> Path | None:
    """The directory of this process's group, from the content of /proc/self/mountinfo and
    /proc/self/cgroup; None where there is no cgroup v2."""
    path = next((line[3:] for line in groups.splitlines() if line.startswith("0::")), None)
    if path is None:
        return None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] == "cgroup2":
            root, mount = (_unescaped(field) for field in before.split(" ")[3:5])
            if path == root or path.startswith(root.rstrip("/") + "/"):
                return Path(mount) / path[len(root.rstrip("/")) :].lstrip("/")
    return None


def _unescaped(field: str) -> str:
    """proc(5): spaces and the like are octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def delegated() -> Path | None:
    """The group that this process may divide, and that controls at least memory; None where the
    system hands it none. Changes nothing."""
    try:
        own = own_group(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    except OSError:
        return None
    return None if own is None else dividable(own)


def dividable(own: Path) -> Path | None:
    """The group itself, or the one above it where this is a part that the server or systemd
    (`DelegateSubgroup=`) made for it."""
    if own.name == SERVER:
        return own.parent if _may_divide(own.parent) else None
    if _may_divide(own):
        return own
    return own.parent if _may_divide(own.parent) and not _read(own.parent / "cgroup.procs") else None


def _may_divide(group: Path) -> bool:
    if group == Path("/sys/fs/cgroup") or not _read(group / "cgroup.type"):
        return False  # the root has no type: it is the system's
    files = (group, group / "cgroup.procs", group / "cgroup.subtree_control")
    return "memory" in _read(group / "cgroup.controllers").split() and all(os.access(one, os.W_OK) for one in files)


def missing() -> list[str]:
    """Why groups of processes cannot be limited here, one sentence, or none."""
    if delegated() is None:
        return [
            "no control group is handed to the server (cgroup v2, `Delegate=yes` in systemd): "
            "what the processes of a group use together is not limited"
        ]
    return []


def divide(group: Path) -> None:
    """Move every process of the group into a part of it, and have its other parts limited. Call it
    before the server has many processes: one that forks meanwhile may be missed. Raises
    WallError."""
    server = group / SERVER
    try:
        server.mkdir(exist_ok=True)
        for _ in range(10):
            found = _read(group / "cgroup.procs").split()
            if not found:
                break
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    (server / "cgroup.procs").write_text(pid)
        here = _read(group / "cgroup.controllers").split()
        enabled = " ".join(f"+{controller}" for controller in WANTED if controller in here)
        (group / "cgroup.subtree_control").write_text(enabled)
    except OSError as error:
        raise WallError(f"the control group {escaped(group)} cannot be divided: {reason(error)}") from None


@dataclass(frozen=True, slots=True)
class Group:
    """A limited group of processes."""

    directory: Path

    @classmethod
    def made(cls, above: Path, name: str, limits: GroupLimits) -> Group:
        """Make a part of a divided group, or take over one that a server left behind. Raises
        WallError."""
        directory = above / (_PREFIX + re.sub(r"[^0-9A-Za-z]", lambda found: f"_{ord(found[0]):x}", name)[:200])
        try:
            directory.mkdir(exist_ok=True)
            _set(directory / "memory.max", "max" if limits.memory is None else str(limits.memory))
            # Over the limit, it is this group that ends, as a whole, and nothing is swapped out.
            _set(directory / "memory.oom.group", "1")
            if limits.memory is not None:
                _set(directory / "memory.swap.max", "0")
            _set(directory / "pids.max", "max" if limits.processes is None else str(limits.processes))
            _set(directory / "cpu.weight", str(limits.weight))
        except OSError as error:
            raise WallError(f"the control group {escaped(directory)} cannot be made: {reason(error)}") from None
        return cls(directory)

    def enter(self, pid: int = 0) -> None:
        """Move a process into the group; 0 is this one. Raises WallError."""
        try:
            (self.directory / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            raise WallError(f"the control group {escaped(self.directory)} cannot be entered: {reason(error)}") from None

    def killed_for_memory(self) -> int:
        """How many processes of it the kernel has killed, because the group was over its limit."""
        events = dict(line.split(" ", 1) for line in _read(self.directory / "memory.events").splitlines())
        return int(events.get("oom_kill", "0"))

    def kill(self) -> None:
        """End every process of it (Linux 5.14). Raises OSError."""
        (self.directory / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Remove the group, if its processes have ended."""
        with contextlib.suppress(OSError):
            self.directory.rmdir()


def _set(file: Path, value: str) -> None:
    """Set what this group's controllers have. Raises OSError."""
    if file.exists():
        file.write_text(value)


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
