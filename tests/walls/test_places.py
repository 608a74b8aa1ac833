"""A Python process within walls goes on importing, and reads nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.packages import package_parent
from wsgi_wasm.walls import landlock

PROGRAM = """
import sys
from pathlib import Path
from wsgi_wasm.walls import *
import shop
role = Role(sys.argv[1])
paths = (*python_places(), *system_places(), *(network_places() if role is Role.WORKER else ()))
Walls(role=role, paths=paths, ports=None if role is Role.WORKER else ()).apply()

import decimal, sqlite3, ssl, zoneinfo, time, locale, random, tempfile, ctypes, wasmtime
import shop.late
assert shop.late.value == 1
assert zoneinfo.ZoneInfo("UTC") and time.localtime()
ssl.create_default_context()
Path("/proc/self/status").read_text()
for name in ("secret.txt", "beside.py"):
    try:
        Path(sys.argv[2], name).read_text()
    except PermissionError:
        continue
    raise SystemExit(f"{name} was read")
print("done")
"""


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("role", ["child", "worker"])
def test_late_imports(tmp_path: Path, role: str) -> None:
    """Of a package that is loaded, from the working directory as well; nothing beside it, though it is on the path."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "late.py").write_text("value = 1\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "beside.py").write_text("")
    environ = {**os.environ, "PYTHONPATH": f"/:{tmp_path}:{package_parent()}"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, role, str(tmp_path)],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
