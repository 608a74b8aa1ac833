"""Walls around a process: what the kernel still lets it do, whatever runs in it.

`Walls` says what a process keeps, and `apply` gives up the rest for good: Landlock for files, TCP
ports and signals, a filter of system calls (seccomp), resource limits, capabilities, the user.
`missing` says which of it this kernel cannot do.

A leaf of the package: it knows nothing of guests and servers, and needs no library.
"""

from __future__ import annotations

from wsgi_wasm.walls.landlock import PathRule, Rights
from wsgi_wasm.walls.limits import ResourceLimits
from wsgi_wasm.walls.places import interpreter_places, network_places, python_places, system_places
from wsgi_wasm.walls.roles import Role
from wsgi_wasm.walls.user import User, user_of
from wsgi_wasm.walls.walls import Applied, Walls, missing

__all__ = [
    "Applied",
    "PathRule",
    "ResourceLimits",
    "Rights",
    "Role",
    "User",
    "Walls",
    "interpreter_places",
    "missing",
    "network_places",
    "python_places",
    "system_places",
    "user_of",
]
