"""Disks and descriptors that run out under a running server, and come back: 503 with the reason, and no restart."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from guests.build import component, guest

from .apache import put
from .client import get, request, wait_compiled
from .fixtures import serve
from .limits import limited, own_mounts
from .packages import package_parent
from .process import ServerProcess, free_port, wait_for, wait_until_answering
from .server import Server

SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon")
SMALL, LARGE = b"x" * 100_000, b"x" * 3_000_000


def site(tmp: Path) -> Path:
    """One echo that is compiled at the start, and a directory to which programs come later."""
    (tmp / "programs").mkdir()
    (tmp / "programs").chmod(0o755)
    put(tmp / "echo.wasm", guest("echo").read_bytes())
    path = tmp / "site.yaml"
    routes = {
        "/echo": {"module": "echo.wasm"},
        "/programs": {"directory": "programs", "queue_timeout": "60s"},
    }
    path.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    path.chmod(0o644)
    return path


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, open_tmp: Path) -> Iterator[Server]:
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    with serve(str(request.param), site(open_tmp), open_tmp, env=env, workers=1, ready="/echo") as running:
        wait_compiled(running.address, "/echo")
        yield running


def posted(server: Server, data: bytes) -> int:
    return request(server.address, "POST", "/echo", body=data).status


def test_a_disk_that_fills_up(server: Server, open_tmp: Path) -> None:
    """Played by a limit on the size of files: neither the artefacts of components nor larger bodies fit."""
    (worker,) = server.pids()
    cached = {path.name for path in open_tmp.glob("cache-*/*.cwasm")}
    with limited(worker, resource.RLIMIT_FSIZE, 200_000):
        assert posted(server, SMALL) == 200
        assert posted(server, LARGE) == 503
        server.wait_for_log("the body cannot be stored in ")
        put(open_tmp / "programs" / "one.wasm", component("http").read_bytes())
        assert get(server.address, "/programs/one.wasm/hello").status == 200
        server.wait_for_log("cannot be written: File too large")
        assert {path.name for path in open_tmp.glob("cache-*/*.cwasm")} == cached
    assert posted(server, LARGE) == 200
    put(open_tmp / "programs" / "two.wasm", component("program").read_bytes())
    assert get(server.address, "/programs/two.wasm").status == 200
    assert len({path.name for path in open_tmp.glob("cache-*/*.cwasm")} - cached) == 1
    log = server.log()
    assert "Traceback" not in log
    assert "changed while" not in log
    assert server.pids() == [worker]


def test_descriptors_that_run_out(server: Server, open_tmp: Path) -> None:
    """Enough are left to accept a connection. A server that finds too few for that may renew its process."""
    (worker,) = server.pids()
    put(open_tmp / "programs" / "one.wasm", component("http").read_bytes())
    put(open_tmp / "programs" / "two.wat", guest("hello").read_bytes())
    most = max(int(name) for name in os.listdir(f"/proc/{worker}/fd")) + 8
    refused = {200, 503} if "gunicorn" in server.name else {200, 500, 502, 503}
    with limited(worker, resource.RLIMIT_NOFILE, most):
        statuses = {get(server.address, f"/programs/{name}").status for name in ("two.wat", *["one.wasm/hello"] * 5)}
        statuses |= {posted(server, LARGE), posted(server, SMALL)}
        assert statuses <= refused
    server.wait_for_log("the compiler cannot be started: Too many open files")

    def again() -> bool:
        return get(server.address, "/programs/one.wasm/hello").status == 200

    wait_for("the component", again)
    assert get(server.address, "/programs/two.wat").status == 200
    assert posted(server, LARGE) == 200
    assert "Traceback" not in server.log()
    assert server.pids() == [worker] or "gunicorn" not in server.name


# --- serve ---


@contextmanager
def command(tmp: Path, *before: str, env: dict[str, str]) -> Iterator[tuple[ServerProcess, tuple[str, int]]]:
    """`wsgi-wasm serve`, started by the command `before`."""
    port = free_port()
    argv = [*before, sys.executable, "-P", "-m", "wsgi_wasm", "serve", str(tmp / "site.yaml"), "--workers", "1"]
    environ = {**os.environ, "PYTHONPATH": str(package_parent()), **env}
    process = ServerProcess([*argv, "--bind", f"127.0.0.1:{port}"], output=tmp / "serve.log", env=environ, cwd=tmp)
    try:
        wait_until_answering(process, ("127.0.0.1", port), "/echo")
        yield process, ("127.0.0.1", port)
    finally:
        process.stop()


@pytest.mark.parametrize("place", ["gone", "a file", "full"])
def test_serve_starts_without_temporary_files(open_tmp: Path, place: str) -> None:
    """No process of it has a place for them: TMPDIR and the usual ones are hidden."""
    site(open_tmp)
    (open_tmp / "a file").touch()
    cache = open_tmp / "cache"
    cache.mkdir(mode=0o700)
    hidden = open_tmp / "hidden"
    hidden.mkdir()
    # What Python takes where TMPDIR is of no use: played by a sitecustomize, as /tmp is other tests'.
    directory = "/dev/full" if place == "full" else str(open_tmp / place)
    (hidden / "sitecustomize.py").write_text(
        f"import tempfile\ntempfile._candidate_tempdir_list = lambda: [{directory!r}]\n"
    )
    env = {"WSGI_WASM_CACHE": str(cache), "TMPDIR": directory}
    env["PYTHONPATH"] = os.pathsep.join((str(hidden), str(package_parent())))
    with command(open_tmp, env=env) as (process, address):
        wait_compiled(address, "/echo")
        assert request(address, "POST", "/echo", body=SMALL).status == 200
        assert request(address, "POST", "/echo", body=LARGE).status == 503
        log = process.output.read_text()
        assert "bodies of more than 1MiB get 503" in log
        assert "Traceback" not in log


def test_a_small_disk(open_tmp: Path) -> None:
    """A real one where that is possible; else it is played by a limit, as above."""
    site(open_tmp)
    tiny = open_tmp / "tiny"
    tiny.mkdir()
    env = {"WSGI_WASM_CACHE": str(tiny / "cache"), "TMPDIR": str(tiny / "tmp")}
    before = own_mounts('mount -t tmpfs -o size=1m,mode=700 tiny "$0"; mkdir -m 700 "$0"/cache "$0"/tmp', tiny)
    if not before:
        (tiny / "cache").mkdir(mode=0o700)
        (tiny / "tmp").mkdir(mode=0o700)
    with command(open_tmp, *before, env=env) as (process, address):
        wait_compiled(address, "/echo")
        (worker,) = process.children()
        seen = Path(f"/proc/{worker}/root{tiny}") if before else tiny
        with filled(seen, worker, real=bool(before)):
            assert request(address, "POST", "/echo", body=SMALL).status == 200
            assert request(address, "POST", "/echo", body=LARGE).status == 503
            put(open_tmp / "programs" / "one.wasm", component("http").read_bytes())
            assert get(address, "/programs/one.wasm/hello").status == 200
        assert request(address, "POST", "/echo", body=b"x" * 1_100_000).status == (503 if before else 200)
        put(open_tmp / "programs" / "two.wat", guest("hello").read_bytes())
        assert get(address, "/programs/two.wat").status == 200
        log = process.output.read_text()
        assert ("No space left on device" if before else "File too large") in log
        assert "Traceback" not in log
        assert "changed while" not in log


@contextmanager
def filled(disk: Path, worker: int, *, real: bool) -> Iterator[None]:
    if not real:
        with limited(worker, resource.RLIMIT_FSIZE, 200_000):
            yield
        return
    fill = disk / "fill"
    with fill.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    yield
    fill.unlink()
