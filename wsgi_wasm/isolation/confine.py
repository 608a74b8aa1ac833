"""The walls of a child, put up before it has threads or an engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from wsgi_wasm.isolation.tenant import Tenant
from wsgi_wasm.walls import PathRule, Rights, Role, User, Walls, python_places, system_places

_FIRST_TO_GO = "500"  # where the kernel has no memory left: before the server's own processes


def confine(group: Tenant, user: User | None, kept: Sequence[int], ports: Sequence[int]) -> None:
    """Give up everything that the group's guests do not need, for good; of the open descriptors
    only `kept` stay. Raises WallError."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_FIRST_TO_GO)
    paths = [PathRule(Path(one.path), Rights.WRITE if one.writable else Rights.READ) for one in group.directories]
    if group.cache:
        paths.append(PathRule(Path(group.cache), Rights.READ))
    Walls(
        role=Role.CHILD,
        paths=(*paths, *system_places(), *python_places()),
        ports=tuple(ports),
        user=user,
        keep=frozenset(kept),
        empty_environment=True,
        parent=os.getppid(),
        session=True,
    ).apply()
