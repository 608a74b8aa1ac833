"""Control groups of children, where the system hands the server a group of its own to divide."""

from __future__ import annotations

from wsgi_wasm.errors import WallError
from wsgi_wasm.isolation.tenant import Tenant
from wsgi_wasm.logs import package_log
from wsgi_wasm.walls.cgroup import Group, GroupLimits, delegated, divide

log = package_log("isolation")

_BESIDE_GUESTS = 256 << 20  # bytes that a child uses besides what its guests do
_THREADS = 2048


class ControlGroups:
    """Those of a spawner's children."""

    def __init__(self) -> None:
        self._above = delegated()
        if self._above is not None:
            try:
                divide(self._above)
            except WallError as error:
                log.warning("processes for guests have no control group of their own: %s", error)
                self._above = None

    def of(self, tenant: Tenant) -> Group | None:
        """One for a new child; None where there is none to be had. Where the site bounds the memory
        of a process's guests, the group is bound by it."""
        if self._above is None:
            return None
        memory = None if tenant.memory is None else tenant.memory + _BESIDE_GUESTS
        try:
            return Group.made(
                self._above, f"{tenant.name} {tenant.key[:8]}", GroupLimits(memory=memory, processes=_THREADS)
            )
        except WallError as error:
            log.warning("%s", error)
            return None
