"""Which control group may be divided, and what is written into it. The files stand for the kernel's, which hands a
group to few machines that run tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgi_wasm.errors import WallError
from wsgi_wasm.walls.cgroup import SERVER, Group, GroupLimits, dividable, divide, own_group

UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
HYBRID = (
    "33 26 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "42 26 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
INSIDE = "30 23 0:26 /docker/1a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
SPACES = "30 23 0:26 / /mnt/control\\040groups rw - cgroup2 cgroup2 rw\n"

GROUPS = [
    (UNIFIED, "0::/system.slice/site.service\n", "/sys/fs/cgroup/system.slice/site.service"),
    (UNIFIED, "0::/\n", "/sys/fs/cgroup"),
    (HYBRID, "4:memory:/elsewhere\n0::/site\n", "/sys/fs/cgroup/unified/site"),
    (INSIDE, "0::/docker/1a/site\n", "/sys/fs/cgroup/site"),
    (INSIDE, "0::/docker/1a\n", "/sys/fs/cgroup"),
    (INSIDE, "0::/docker/1abc\n", None),
    (INSIDE, "0::/../2b\n", None),
    (SPACES, "0::/a\n", "/mnt/control groups/a"),
    ("", "0::/a\n", None),
    (UNIFIED, "4:memory:/a\n", None),
    (UNIFIED, "", None),
]


@pytest.mark.parametrize(("mounts", "groups", "expected"), GROUPS)
def test_own_group(mounts: str, groups: str, expected: str | None) -> None:
    assert own_group(mounts, groups) == (None if expected is None else Path(expected))


FILES = ("cgroup.procs", "cgroup.subtree_control", "memory.max", "memory.oom.group", "memory.swap.max", "pids.max")


def made(directory: Path, controllers: str = "cpu memory pids", procs: str = "") -> Path:
    directory.mkdir(parents=True)
    for name in (*FILES, "cpu.weight"):
        (directory / name).write_text("")
    (directory / "cgroup.type").write_text("domain\n")
    (directory / "cgroup.controllers").write_text(f"{controllers}\n")
    (directory / "cgroup.procs").write_text(procs)
    return directory


def test_which_group_may_be_divided(tmp_path: Path) -> None:
    service = made(tmp_path / "site.service")
    assert dividable(service) == service
    assert dividable(made(service / SERVER)) == service  # by a server before
    assert dividable(made(service / "main", "")) == service  # by systemd
    assert dividable(made(tmp_path / "other" / "main", "")) is None
    assert dividable(made(tmp_path / "no memory", "cpu pids")) is None
    busy = made(tmp_path / "busy", procs="1\n")
    assert dividable(made(busy / "main", "")) is None  # others live there
    assert dividable(tmp_path / "absent") is None


def test_dividing(tmp_path: Path) -> None:
    service = made(tmp_path / "site.service")
    made(service / SERVER)
    divide(service)
    assert (service / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    with pytest.raises(WallError, match="cannot be divided: No such file or directory"):
        divide(tmp_path / "absent")


def test_limits_of_a_group(tmp_path: Path) -> None:
    directory = made(tmp_path / "wsgi-wasm-guests-shop_2e_2e_2fa")
    group = Group.made(tmp_path, "shop../a", GroupLimits(memory=1 << 30, processes=50, weight=20))
    assert group.directory == directory
    written = {name: (directory / name).read_text() for name in (*FILES[2:], "cpu.weight")}
    assert written == {
        "memory.max": "1073741824",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "pids.max": "50",
        "cpu.weight": "20",
    }
    group.enter(4711)
    assert (directory / "cgroup.procs").read_text() == "4711"
    (directory / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    assert group.killed_for_memory() == 3
    group.remove()  # not empty: stays


def test_a_group_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "wsgi-wasm-guests-x").write_text("")
    with pytest.raises(WallError, match="cannot be made: File exists"):
        Group.made(tmp_path, "x", GroupLimits())
    with pytest.raises(WallError, match="cannot be entered"):
        Group(tmp_path / "none").enter()
