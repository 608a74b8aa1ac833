"""What a child can still open: tried by a process within its walls, which has to end well."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from wsgi_wasm.isolation.tenant import Tenant, looked_at
from wsgi_wasm.walls.landlock import abi

# Ends with the lines of what it could do, in the order in which it tried.
TRY = """
import json, os, socket, sys
from wsgi_wasm.isolation.confine import Kernel, confine
from wsgi_wasm.isolation.tenant import Tenant

tenant, tries = Tenant.from_json(json.loads(sys.argv[1])), json.loads(sys.argv[2])
confine(tenant, None, (0, 1, 2), Kernel())
for kind, argument in tries:
    try:
        if kind == "read":
            open(argument, "rb").read()
        elif kind == "write":
            open(argument, "ab").write(b"x")
        elif kind == "list":
            os.listdir(argument)
        elif kind == "connect":
            socket.create_connection(("127.0.0.1", argument), 5)
        elif kind == "run":
            os.execv(argument, [argument])
        elif kind == "environment":
            assert argument in os.environ
    except Exception:
        continue
    print(kind, argument)
"""


def done(tenant: Tenant, tries: list[tuple[str, object]]) -> list[tuple[str, str]]:
    """What of it a process of this tenant's could do."""
    command = [sys.executable, "-c", TRY, json.dumps(tenant.to_json()), json.dumps(tries)]
    environment = {**os.environ, "SECRET": "x"}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in ended.stdout.splitlines()]


def test_what_a_child_can_open(tmp_path: Path) -> None:
    """Its directories with their rights, and compiled modules; nothing else of the cache, which keeps the site's
    configuration with its passwords."""
    for name in ("cache", "read", "write", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "cache" / "x.cwasm").touch()
    (tmp_path / "cache" / "last-good-1.yaml").touch()
    (tmp_path / "read" / "link").symlink_to(tmp_path / "other" / "file")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tenant = Tenant(
            name="x",
            directories=looked_at({str(tmp_path / "read"): False, str(tmp_path / "write"): True}),
            cache=str(tmp_path / "cache"),
        )
        allowed: list[tuple[str, object]] = [
            ("read", f"{tmp_path}/read/file"),
            ("list", f"{tmp_path}/read"),
            ("write", f"{tmp_path}/write/file"),
            ("write", f"{tmp_path}/write/new"),
            ("read", f"{tmp_path}/cache/x.cwasm"),
        ]
        refused: list[tuple[str, object]] = [
            ("read", f"{tmp_path}/cache/last-good-1.yaml"),
            ("list", f"{tmp_path}/cache"),
            ("write", f"{tmp_path}/cache/x.cwasm"),
            ("write", f"{tmp_path}/cache/new.cwasm"),
            ("write", f"{tmp_path}/read/file"),
            ("write", f"{tmp_path}/read/new"),
            ("read", f"{tmp_path}/read/link"),
            ("read", f"{tmp_path}/read/../other/file"),
            ("read", f"{tmp_path}/other/file"),
            ("read", "/etc/passwd"),
            ("read", f"/proc/{os.getpid()}/environ"),
            ("read", f"/proc/{os.getpid()}/maps"),
            ("connect", listener.getsockname()[1]),
            ("run", "/bin/true"),
            ("environment", "SECRET"),
            ("environment", "PATH"),
        ]
        if not abi():  # which `check` says: files are not confined
            refused = [one for one in refused if one[0] not in ("read", "list", "write")]
        assert done(tenant, allowed + refused) == [(kind, str(argument)) for kind, argument in allowed]
