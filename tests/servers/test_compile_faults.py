"""A module that takes a compiler long, dropped into a running site: others are compiled beside it, it is remembered,
and no compiler outlives its server."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.bomb import bomb
from guests.build import guest

from .apache import put
from .client import get, wait_compiled
from .fixtures import serve
from .proc import pids_with
from .process import session_members, wait_for
from .server import Server

SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon")


def site(tmp: Path, **engine: Any) -> Path:
    """Two directories of programs; /quiet is compiled when the server starts."""
    for name in ("bad", "good"):
        (tmp / name).mkdir(exist_ok=True)
        (tmp / name).chmod(0o755)
    put(tmp / "quiet.wat", guest("hello").read_bytes())
    path = tmp / "site.yaml"
    routes = {
        "/quiet": {"module": "quiet.wat"},
        "/bad": {"directory": "bad", "queue_timeout": "1s"},
        "/good": {"directory": "good", "queue_timeout": "60s"},
    }
    path.write_text(yaml.safe_dump({"routes": routes, "engine": engine}), encoding="utf-8")
    path.chmod(0o644)
    return path


def compilers(of: Path) -> list[int]:
    """The processes that compile a module of this directory."""
    return pids_with("engine.compiling", str(of))


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, open_tmp: Path) -> Iterator[Server]:
    """One process, whose limits on compiling are too high to matter."""
    text = site(open_tmp, compile_time="1h", compile_memory="4GiB")
    with serve(str(request.param), text, open_tmp, workers=1, ready="/quiet") as running:
        wait_compiled(running.address, "/quiet")
        put(open_tmp / "bad" / "bomb.wasm", bomb())
        assert get(running.address, "/bad/bomb.wasm").status == 503
        wait_for("the compiler", lambda: bool(compilers(open_tmp / "bad")))
        yield running


def test_a_good_module_is_compiled_beside_a_bad_one(server: Server, open_tmp: Path) -> None:
    for number in range(3):
        put(open_tmp / "bad" / f"bomb{number}.wasm", bomb(variables=3001 + number))
        assert get(server.address, f"/bad/bomb{number}.wasm").status == 503
        put(open_tmp / "good" / f"{number}.wat", guest("hello").read_bytes() + b" " * number)
        assert get(server.address, f"/good/{number}.wat").status == 200
        assert get(server.address, "/quiet").status == 200
    assert len(compilers(open_tmp / "bad")) == 1, "of one route one module is compiled at a time"


ENDS: dict[str, Callable[[Server], None]] = {
    "worker killed": lambda server: os.kill(server.pids()[0], signal.SIGKILL),
    "server killed": lambda server: server.process.send(signal.SIGKILL),
    "server stopped": lambda server: server.process.send(signal.SIGTERM),
}


@pytest.mark.parametrize(
    ("server", "how"),
    # mod_wsgi's daemons live on without the server, and their compilers with them.
    [(name, how) for name in SERVERS for how in ENDS if (name, how) != ("mod_wsgi-daemon", "server killed")],
    indirect=["server"],
)
def test_no_compiler_outlives_its_server(server: Server, open_tmp: Path, how: str) -> None:
    before = compilers(open_tmp / "bad")
    (open_tmp / "bad" / "bomb.wasm").unlink()
    ENDS[how](server)
    wait_for("the compiler to end", lambda: not set(compilers(open_tmp / "bad")) & set(before))
    if how != "worker killed":
        wait_for("the server to end", lambda: not session_members(server.process.pid))


def test_a_limit_is_met_once(open_tmp: Path) -> None:
    """By one of two workers, before and after a restart; until the limit is raised."""
    (open_tmp / "cache").mkdir(mode=0o700)
    text = site(open_tmp, compile_memory="100MiB")
    put(open_tmp / "bad" / "bomb.wasm", bomb())
    reason = "bomb.wasm: needs more than 100MiB of memory to be compiled: raise `engine.compile_memory`"

    def said(log: str) -> int:
        return sum(reason in line and "503" not in line for line in log.splitlines())

    for started in (1, 2):
        with serve("gunicorn-gthread", text, open_tmp, cache=open_tmp / "cache", workers=2, ready="/quiet") as running:
            for _ in range(20):
                answer = get(running.address, "/bad/bomb.wasm")
                assert answer.status == 503
                assert int(answer.field("Retry-After") or 0) >= 1
            running.wait_for_log(reason)
            assert get(running.address, "/quiet").status == 200
            log = running.log()
        (failed,) = (open_tmp / "cache").glob("*.failed")
        assert '"attempts": 1' in failed.read_text()
        assert 1 <= said(log) <= 2 * started, "once in each worker"
    text = site(open_tmp, compile_memory="101MiB")
    with serve("gunicorn-gthread", text, open_tmp, cache=open_tmp / "cache", workers=1, ready="/quiet") as running:
        wait_for(
            "another attempt",
            lambda: get(running.address, "/bad/bomb.wasm").status == 503 and '"attempts": 2' in failed.read_text(),
        )


def test_a_burst_of_bad_modules_takes_no_threads(open_tmp: Path) -> None:
    """Requests for what is being compiled end, and good ones go on."""
    text = site(open_tmp, compile_time="1h", compile_memory="4GiB")
    with serve("gunicorn-gthread", text, open_tmp, workers=1, threads=4, ready="/quiet") as running:
        wait_compiled(running.address, "/quiet")
        put(open_tmp / "bad" / "bomb.wasm", bomb())
        for _ in range(40):
            assert get(running.address, "/bad/bomb.wasm").status == 503
            assert get(running.address, "/quiet").status == 200
