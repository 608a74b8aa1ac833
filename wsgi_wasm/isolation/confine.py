"""The walls of what the spawner starts, put up before it has threads or an engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.isolation.tenant import Tenant
from wsgi_wasm.walls import PathRule, Rights, Role, User, Walls, python_places, system_places
from wsgi_wasm.walls.cgroup import Group

_FIRST_TO_GO = "500"  # where the kernel has no memory left: before the server's own processes


class Kernel(NamedTuple):
    """What the kernel has set apart for a child: the ports that it may connect to, whether it is
    alone in its network, and its control group."""

    ports: tuple[int, ...] = ()
    alone: bool = False
    group: Group | None = None


def confine(tenant: Tenant, user: User | None, kept: Sequence[int], kernel: Kernel) -> None:
    """Give up everything that the tenant's guests do not need, for good; of the open descriptors
    only `kept` stay. Raises WallError."""
    paths = [PathRule(Path(one.path), Rights.WRITE if one.writable else Rights.READ) for one in tenant.directories]
    # The modules that are there now, to be mapped as other processes map them. Those that come
    # later are handed over and copied: the cache also keeps the site's last good configuration.
    paths += [PathRule(code, Rights.READ) for code in Path(tenant.cache).glob("*.cwasm") if tenant.cache]
    _confine(paths, user, kept, kernel)


def confine_compiler(source: ModuleSource, cache: Path | None, user: User | None) -> None:
    """The same for one that compiles a module: it reads that and those that are plugged into it,
    and writes the cache."""
    folders = {Path(os.path.realpath(file.path)).parent for file in source.files()}
    paths = [PathRule(folder, Rights.READ) for folder in folders]
    if cache is not None:
        paths.append(PathRule(cache, Rights.WRITE))
    _confine(paths, user, (0, 1, 2), Kernel())


def _confine(paths: Sequence[PathRule], user: User | None, kept: Sequence[int], kernel: Kernel) -> None:
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_FIRST_TO_GO)
    Walls(
        role=Role.CHILD,
        paths=(*paths, *system_places(), *python_places()),
        ports=kernel.ports,
        own_network=kernel.alone,
        group=kernel.group,
        user=user,
        keep=frozenset(kept),
        empty_environment=True,
        parent=os.getppid(),
        session=True,
    ).apply()
