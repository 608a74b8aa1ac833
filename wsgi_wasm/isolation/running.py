"""What a spawner keeps of its children, of those that failed, and of those that are wanted."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wsgi_wasm.isolation.tenant import Tenant
from wsgi_wasm.walls import User
from wsgi_wasm.walls.cgroup import Group

PATIENCE = 2.0  # seconds that a request waits for a child's end
LOG_RATE = 64 << 10  # bytes a second of what a child prints

Reply = Callable[[dict[str, Any], int | None], None]


@dataclass(eq=False, slots=True)
class RunningChild:
    """A child that runs."""

    tenant: Tenant
    pid: int
    pidfd: int
    control: socket.socket
    printed: int  # descriptor of what it prints
    group: Group | None  # its control group
    began: float = field(default_factory=time.monotonic)
    waiting: list[tuple[float, Reply]] = field(default_factory=list)  # for its end, and until when
    quota: float = LOG_RATE
    quota_at: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        """After its end."""
        os.close(self.pidfd)
        os.close(self.printed)
        self.control.close()

    def late(self) -> list[tuple[float, Reply]]:
        """Those who have waited long enough for its end, and wait no more."""
        now = time.monotonic()
        found = [one for one in self.waiting if one[0] < now]
        self.waiting = [one for one in self.waiting if one[0] >= now]
        return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """A connection that somebody waits for."""

    tenant: Tenant
    user: User | None
    reply: Reply
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE)


@dataclass(slots=True)
class ChildFault:
    """That a group's last child failed: how often in a row, and until when none is started."""

    times: int = 0
    until: float = 0.0
    how: str = ""
