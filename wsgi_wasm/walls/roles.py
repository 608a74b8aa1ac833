"""Who stands within walls."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """Which rules a process is under."""

    CHILD = "child"
    """A process that runs guests and nothing else: it has what it was handed."""

    WORKER = "worker"
    """A process of the server: it also needs the sockets of the server and of the host's APIs."""
