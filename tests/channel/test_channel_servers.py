"""Programs of the host under real servers, with walls around the workers and around guests."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from channel.mailbox import Mailbox
from guests.build import guest
from servers.apache import give_to_server
from servers.client import get, wait_compiled
from servers.fixtures import APACHES, serve
from servers.process import wait_for
from servers.server import Server
from wsgi_wasm.walls import landlock, seccomp

TOOL = Path(__file__).with_name("tool.py")

pytestmark = pytest.mark.skipif(
    not landlock.abi() or bool(seccomp.missing()), reason="this kernel has only some of the walls"
)


@pytest.fixture
def mailbox() -> Mailbox:
    box = Mailbox()
    with box.listening():
        return box


@pytest.fixture(params=["gunicorn-gthread", "mod_wsgi-daemon"])
def server(request: pytest.FixtureRequest, open_tmp: Path, mailbox: Mailbox) -> Iterator[Server]:
    place = open_tmp / "site"
    place.mkdir()
    tool = open_tmp / "tool"
    tool.write_text(f"#!{sys.executable}\n{TOOL.read_text('utf-8')}", "utf-8")
    tool.chmod(0o755)
    shutil.copy(guest("popen"), place / "popen.wasm")
    command = {"path": str(tool), "args": ["*"], "timeout": "60s"}
    route: dict[str, Any] = {"module": "popen.wasm", "commands": {"tool": command}}
    (open_tmp / "spool").mkdir()
    if request.param in APACHES:
        give_to_server(open_tmp / "spool")
    mail = {
        "server": f"smtp://127.0.0.1:{mailbox.port}",
        "from": ["me@a.example"],
        "to": ["you@a.example"],
        "per_minute": 1000,
        "retry": "1s",
        "spool": str(open_tmp / "spool"),
    }
    route["mail"] = mail
    routes: dict[str, Any] = {"/p": route, "/i": {**route, "isolate": True, "timeout": "2s"}}
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


def test_mail_survives_its_server(server: Server, mailbox: Mailbox, open_tmp: Path) -> None:
    """Every message that was acknowledged arrives, though the mail server is down and workers are killed."""
    taken = 0
    line = "/p?line=sendmail%20-t&how=write&text=To:%20you@a.example%0A%0Ax"
    for number in range(20):
        answer = get(server.address, f"{line}{number}")
        taken += answer.status == 200 and answer.body == b"[0]\n"
        if number == 10:
            for pid in server.pids():
                os.kill(pid, signal.SIGKILL)
            wait_compiled(server.address, "/p?line=x")
    assert taken >= 18
    spool = open_tmp / "spool"
    assert len(list(spool.glob("*.mail"))) >= taken
    with mailbox.listening():
        # A request has the new workers look for what the last ones have left.
        wait_for("the mails", lambda: get(server.address, "/p?line=x").status == 200 and len(mailbox.mails) >= taken)
        wait_for("the spool to be empty", lambda: not list(spool.glob("*.mail")))
    texts = [mail[2].rpartition(b"\r\n\r\n")[2].strip() for mail in mailbox.mails]
    assert len(set(texts)) == len(texts)


def test_within_isolation(server: Server, mailbox: Mailbox) -> None:
    line = "/i?line=sendmail%20-t&how=write&text=To:%20you@a.example%0A%0Ax"
    with mailbox.listening():
        assert get(server.address, line).body == b"[0]\n"
        wait_for("the mail", lambda: len(mailbox.mails) == 1)
