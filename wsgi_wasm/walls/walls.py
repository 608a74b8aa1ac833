"""All walls of a process, put up in the one order that works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from wsgi_wasm.errors import WallError
from wsgi_wasm.messages import reason
from wsgi_wasm.walls import capabilities, cgroup, landlock, limits, seccomp
from wsgi_wasm.walls.calls import Extent
from wsgi_wasm.walls.cgroup import Group
from wsgi_wasm.walls.landlock import PathRule, Ruleset
from wsgi_wasm.walls.limits import ResourceLimits
from wsgi_wasm.walls.roles import Role
from wsgi_wasm.walls.user import User


@cache
def missing(*, group: bool = False) -> tuple[str, ...]:
    """What this kernel lacks of the walls, or what the server runs in withholds, in sentences for a
    log; with `group`, also why processes cannot be limited together. Asked once."""
    return (*landlock.missing(), *seccomp.missing(), *(cgroup.missing() if group else ()))


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it: the paths of rules that do not exist, where nothing is allowed, and what of
    the walls this kernel lacks."""

    absent: tuple[Path, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """What a process keeps; the rest is given up by `apply`."""

    role: Role
    paths: tuple[PathRule, ...]
    """The files that it may open, by directory. Those that are open stay so."""
    ports: tuple[int, ...] | None = ()
    """The TCP ports that it may connect to; None leaves connections alone. A child keeps no sockets
    at all without any, and also where the kernel cannot confine it to ports, see `own_network`."""
    own_network: bool = False
    """Whether the process is alone in a namespace of networks, so that ports need not be
    confined."""
    programs: bool = False
    """Whether it may start programs, those that `paths` allow to run."""
    user: User | None = None
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    group: Group | None = None
    """The control group that it moves into."""
    keep: frozenset[int] | None = None
    """The descriptors that stay open; None leaves all."""
    empty_environment: bool = False
    parent: int | None = None
    """The process with which this one ends."""
    session: bool = False
    """Whether it leaves its session and terminal."""
    umask: int | None = None

    def apply(self) -> Applied:
        """Put up the walls around this process, for good. Whatever the kernel lacks is left out.

        Call it before the process starts threads: most walls are those of a thread. Raises
        WallError: a wall that the kernel has could not be put up, which leaves the process with
        some of them; it should end.
        """
        every_thread = self._check_threads()
        with _step("control group"):
            if self.group is not None:
                self.group.enter()
        with _step("session"):
            self._leave_behind()
        with _step("limits"):
            self.limits.apply()
        with _step("Landlock"):
            # Opened with the rights from before, as only root may be able to reach some of them.
            ruleset = Ruleset(self.paths, self.ports) if landlock.abi() else None
        if self.user is not None:
            self.user.switch()
        with _step("privileges"):
            limits.give_up_new_privileges()
            capabilities.drop()
            limits.hide()
            if self.parent is not None:
                limits.end_with_parent(self.parent)
        if ruleset is not None:
            with _step("Landlock"):
                ruleset.restrict(every_thread=every_thread)
        if not seccomp.missing():
            with _step("seccomp"):
                seccomp.install(self._extent(), every_thread=every_thread)
        return Applied(tuple(ruleset.absent) if ruleset is not None else (), missing())

    def _extent(self) -> Extent:
        confined = self.own_network or self.ports is None or landlock.confines_ports()
        connect = self.ports != () and confined
        return Extent(self.role, connect=connect, programs=self.programs)

    def _leave_behind(self) -> None:
        """What it inherited."""
        if self.session and os.getpid() != os.getsid(0):
            os.setsid()
        if self.umask is not None:
            os.umask(self.umask)
        if self.empty_environment:
            limits.empty_environment()
        if self.keep is not None:
            limits.close_others(self.keep)

    def _check_threads(self) -> bool:
        """Whether every thread has to be confined. Raises WallError where that is not possible."""
        count = limits.threads()
        if count == 1:
            return False
        if not landlock.confines_every_thread() or capabilities.held():
            raise WallError(
                f"the process already has {count} threads, and walls would not hold for all of them: "
                "something started threads before the server had finished starting"
            )
        return True


@contextmanager
def _step(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WallError(f"{what}: {reason(error)}") from None
