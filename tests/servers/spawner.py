"""The processes for isolated guests of a running server, by its cache directory."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping
from pathlib import Path

from .proc import living, pids_with


def children(cache: Path) -> Mapping[int, str]:
    """Names by ids, as the spawners there give them; none where there is none."""
    found: dict[int, str] = {}
    for path in (cache / "run").glob("*"):
        if not path.is_socket():
            continue
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            connection.send(b'{"children": true}')
            found |= {one["pid"]: one["name"] for one in json.loads(connection.recv(65536))["children"]}
    return found


def processes(cache: Path) -> Mapping[int, bool]:
    """The spawner and what it has forked, by ids, and whether each is the spawner."""
    parents = {}
    for pid in pids_with("isolation.spawner", str(cache)):
        fields = living(pid)
        if fields is not None:
            parents[pid] = int(fields[1])
    return {pid: parent not in parents for pid, parent in parents.items()}
