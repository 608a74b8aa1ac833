"""`harden` of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardening:
    """Whether the server's processes are confined, and the places that they keep besides those of
    the site."""

    enabled: bool = False
    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
