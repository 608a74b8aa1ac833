"""Whether Apache runs the processes of a site: those that mod_wsgi has named after its group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.isolation.server import began

_PROC = Path("/proc")


def started(group: str) -> list[float]:
    """When each process of the group was started (seconds since 1970)."""
    return sorted(_starts(f"(wsgi:{group})".encode()))


def _starts(title: bytes) -> Iterator[float]:
    for directory in _PROC.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            words = (directory / "cmdline").read_bytes()
            # mod_wsgi has room for as much of it as for the name that httpd was started by
            shown = words.split(b"\0")[0].rstrip(b" ")
            if shown.startswith(b"(wsgi:") and title.startswith(shown) and (ticks := began(int(directory.name))):
                yield _boot() + ticks / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue  # it has ended


def _boot() -> float:
    lines = (_PROC / "stat").read_text("ascii").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))
