"""What hostile clients ask: routes, a directory of scripts with what must not be reached beside it, a virtual host."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guests.build import guest

MAX_BODY = 1 << 20  # bytes
SCRIPTS = ("env", "hello", "echo")
ROUTES: Mapping[str, Mapping[str, Any]] = {
    "/c/env": {"module": "docroot/env.wasm"},
    "/c/echo": {"module": "docroot/echo.wasm", "max_body": f"{MAX_BODY}B", "body_timeout": "2s"},
    "/c/files": {"directory": "docroot"},
    "/c/one/echo": {"module": "docroot/echo.wasm", "concurrency": 1, "body_timeout": "2s"},
    "/c/one/loop": {"module": "clients/loop.wasm", "concurrency": 1, "timeout": "2s"},
    "/c/one/flood": {"module": "clients/flood.wasm", "concurrency": 1, "max_output": "50GiB", "send_timeout": "1s"},
    "/c/one/trap": {"module": "clients/trap.wasm", "concurrency": 1},
    "/c/fill": {"module": "clients/secret.wasm"},
    "/c/scan": {"module": "clients/scan.wasm"},
}
HOSTS: Mapping[str, Any] = {
    "admin.example": {"routes": {"/": {"module": "docroot/env.wasm", "env": {"VHOST": "the admin's"}}}}
}
EVIL = "evil.wasm"
"""A guest outside the directory of scripts: `args`, which is nowhere else."""


def make_docroot(place: Path) -> None:
    """Lay out what `ROUTES` name below `place`."""
    docroot, outside, clients = place / "docroot", place / "outside", place / "clients"
    for folder in (docroot / "sub", outside, clients):
        folder.mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copyfile(guest(name), docroot / f"{name}{guest(name).suffix}")
    shutil.copyfile(guest("hello"), docroot / "sub" / "hello.wat")
    for path in (docroot / ".hidden.wasm", outside / EVIL):
        shutil.copyfile(guest("args"), path)
    (docroot / "link.wasm").symlink_to("../outside/evil.wasm")
    (docroot / "folder").symlink_to("../outside")
    for name in ("loop", "flood", "trap", "secret"):
        shutil.copyfile(guest(name), clients / f"{name}.wasm")
    # another module of the same code: with a section that means nothing
    (clients / "scan.wasm").write_bytes(guest("secret").read_bytes() + b"\0\x05\x04scan")
    for path in (docroot, outside, clients, *docroot.rglob("*"), *outside.iterdir(), *clients.iterdir()):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
