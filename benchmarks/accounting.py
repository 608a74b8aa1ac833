"""Who has used how much of the processor, and of memory.

CPU time of a server is taken from a control group of its own (cgroup v2 `cpu.stat`, or v1 `cpuacct.usage`): the kernel
adds up every process that was ever in it, to the microsecond, whether it still lives or not and whether anybody waited
for it. That matters for mod_cgid, which ignores SIGCHLD, so that the time of its children is in no parent's account.

Where no control group can be made, and for servers that somebody else has started, the time of the whole machine is
taken instead, less that of this process and its load generators. It has ticks of 10 ms and counts everything that
happens to run. One run uses one of the two for everything it starts, and notes the other beside it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

SETTLED = 0.001
"""Seconds of CPU in `SETTLING` seconds under which a server counts as idle."""

SETTLING = 0.02
SETTLE_AT_MOST = 5.0


class Group:
    """One control group: what is started inside `joined` belongs to it."""

    def __init__(self, path: Path, home: Path, usage: str) -> None:
        self._path = path
        self._home = home
        self._usage = usage
        path.mkdir()

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """This process is in the group, so that its children are from their first instruction on."""
        _move(self._path)
        try:
            yield
        finally:
            _move(self._home)

    def seconds(self) -> float:
        """CPU time that the group's processes have used, those that have ended included."""
        text = (self._path / self._usage).read_text("ascii")
        return int(text) / 1e9 if self._usage == "cpuacct.usage" else int(text.split()[1]) / 1e6

    def close(self) -> None:
        """Removes the group, once its processes are gone."""
        with contextlib.suppress(OSError):
            self._path.rmdir()


def _move(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()), "ascii")


class Groups:
    """Makes control groups. `kind` says which sort, for the report; None where there is none to be had."""

    def __init__(self) -> None:
        self.kind: str | None = None
        self._count = 0
        for kind, controller, usage in (("cgroup v2", "", "cpu.stat"), ("cgroup v1", "cpuacct", "cpuacct.usage")):
            self._home, self._usage = _own_group(controller), usage
            if self._home is not None and self._works():
                self.kind = kind
                break

    def _works(self) -> bool:
        try:
            group = self.make()
        except OSError:
            return False
        try:
            with group.joined():
                group.seconds()
        except OSError:
            return False
        finally:
            group.close()
        return True

    def make(self) -> Group:
        """A new group beside this process's own. Raises OSError."""
        assert self._home is not None
        self._count += 1
        return Group(self._home / f"wsgi-wasm-{os.getpid()}-{self._count}", self._home, self._usage)


def _own_group(controller: str) -> Path | None:
    """Where the control group of this process is mounted; "" is the hierarchy of version 2."""
    for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
        _, names, path = line.split(":", 2)
        if controller not in names.split(","):
            continue
        for mount in Path("/proc/mounts").read_text("utf-8").splitlines():
            _, place, kind, options = mount.split()[:4]
            if kind == "cgroup2" if not controller else kind == "cgroup" and controller in options.split(","):
                return Path(place + path.rstrip("/"))
    return None


def machine_seconds() -> float:
    """CPU time that the whole machine has used, less this process's and that of its children it has waited for."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text("ascii").split()[1:8])
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - own


def settle(group: Group) -> None:
    """Wait until the server has finished what clients have left behind; bounded by `SETTLE_AT_MOST` seconds."""
    deadline = time.monotonic() + SETTLE_AT_MOST
    before = group.seconds()
    while time.monotonic() < deadline:
        time.sleep(SETTLING)
        now = group.seconds()
        if now - before < SETTLED:
            return
        before = now


def process_seconds(pids: Iterable[int]) -> float:
    """CPU time of living processes, all their threads included, to the nanosecond (clock_getcpuclockid(3))."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def memory(pid: int) -> dict[str, int]:
    """What a process holds in bytes (/proc/PID/smaps_rollup): `pss`, where a page that n processes map counts 1/n, and
    of that `anonymous`, which is backed by no file."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
        name, value = line.split()[:2]
        fields[name.rstrip(":")] = int(value) * 1024
    return {"pss": fields["Pss"], "anonymous": fields["Pss_Anon"]}
