"""Programs of the host under real servers, with walls around the workers and around guests."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from guests.build import guest
from servers.apache import give_to_server
from servers.client import get, wait_compiled
from servers.fixtures import serve
from servers.process import wait_for
from servers.server import Server
from wsgi_wasm.walls import landlock, seccomp

TOOL = Path(__file__).with_name("tool.py")

pytestmark = pytest.mark.skipif(
    not landlock.abi() or bool(seccomp.missing()), reason="this kernel has only some of the walls"
)


@pytest.fixture(params=["gunicorn-gthread", "mod_wsgi-daemon"])
def server(request: pytest.FixtureRequest, open_tmp: Path) -> Iterator[Server]:
    place = open_tmp / "site"
    place.mkdir()
    tool = open_tmp / "tool"
    tool.write_text(f"#!{sys.executable}\n{TOOL.read_text('utf-8')}", "utf-8")
    tool.chmod(0o755)
    shutil.copy(guest("popen"), place / "popen.wasm")
    route = {"module": "popen.wasm", "commands": {"tool": {"path": str(tool), "args": ["*"], "timeout": "60s"}}}
    routes = {"/p": route, "/i": {**route, "isolate": True, "timeout": "2s"}}
    (place / "site.yaml").write_text(yaml.safe_dump({"routes": routes, "harden": True}))
    with serve(request.param, place / "site.yaml", open_tmp) as server:
        wait_compiled(server.address, "/p?line=x", "/i?line=x")
        yield server


def test_within_walls(server: Server) -> None:
    for route in ("/p", "/i"):
        assert get(server.address, f"{route}?line=tool%20args%20x").body == b"x\n[0]\n"
        assert get(server.address, f"{route}?line=tool%20upper&how=write&text=abc").body == b"ABC[0]\n"
        assert get(server.address, f"{route}?line=/bin/sh").body == b"[not started: 44]\n"
    assert get(server.address, "/i?line=tool%20stubborn").status == 504
    assert get(server.address, "/i?line=tool%20args%20y").body == b"y\n[0]\n"


def test_what_a_program_leaves_behind(server: Server, open_tmp: Path) -> None:
    (open_tmp / "out").mkdir(mode=0o777)
    give_to_server(open_tmp / "out")
    marker = open_tmp / "out" / "pid"
    assert get(server.address, f"/p?line=tool%20daemon%20{marker}").body == b"done\n[0]\n"
    pid = int(marker.read_text())
    wait_for("the daemon to end", lambda: not Path(f"/proc/{pid}").exists())
