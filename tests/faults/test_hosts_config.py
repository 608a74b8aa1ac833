"""Configurations that are no good, at the first start, at a reload, and when a worker is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.client import get
from servers.process import ServerError, wait_while_alive

from .hosts import gunicorn, serves, site_of

USED = "The last good configuration is used instead"


def aliases(site: Path) -> None:
    """Each line ten times the one before: ten billion entries if they were expanded."""
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    replace(site, "\n".join(lines).encode())


def nested(site: Path) -> None:
    replace(site, b"routes: " + b"[" * 100_000)


def large(site: Path) -> None:
    replace(site, b"routes: {}\n" + b"# 100 MB of comments\n" * 5_000_000)


def directory(site: Path) -> None:
    site.unlink()
    site.mkdir()


def device(site: Path) -> None:
    site.unlink()
    site.symlink_to("/dev/zero")


def pipe(site: Path) -> None:
    site.unlink()
    os.mkfifo(site)


def replace(site: Path, data: bytes) -> None:
    if site.is_dir() and not site.is_symlink():
        site.rmdir()
    site.unlink(missing_ok=True)
    site.write_bytes(data)


BAD: dict[str, Callable[[Path], None]] = {
    "broken": lambda site: replace(site, b"routes:\n  /hello: {modul: hello.wat}\n"),
    "no-yaml": lambda site: replace(site, b"routes: {\n\t"),
    "empty": lambda site: replace(site, b""),
    "binary": lambda site: replace(site, bytes(range(256)) * 100),
    "gone": lambda site: site.unlink(),
    "directory": directory,
    "device": device,
    "pipe": pipe,
    "aliases": aliases,
    "nested": nested,
    "100-MB": large,
}


def test_a_bad_file_at_a_reload(tmp_path: Path) -> None:
    """H6, H7: the last good one serves on, and the log says what is wrong."""
    good = site_of(tmp_path).read_bytes()
    with gunicorn(tmp_path) as server:
        serves(server)
        for name, make in BAD.items():
            before = server.log().count(USED)
            make(tmp_path / "site.yaml")
            server.reload()
            assert get(server.address, "/hello").status == 200, name
            assert server.log().count(USED) > before, f"{name}\n{server.log()[-2000:]}"
            replace(tmp_path / "site.yaml", good)
        server.reload()
        serves(server)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_at_the_first_start(tmp_path: Path, name: str) -> None:
    """H6: it does not start, and says where the mistake is."""
    site_of(tmp_path)
    BAD[name](tmp_path / "site.yaml")
    with pytest.raises(ServerError, match=r"site\.yaml") as caught, gunicorn(tmp_path):
        pass
    assert "exit code 0" not in str(caught.value)


def test_workers_that_are_replaced_while_the_file_is_bad(tmp_path: Path) -> None:
    """H7: by max_requests, by SIGKILL and by SIGHUP; gunicorn must not halt."""
    site_of(tmp_path)
    with gunicorn(tmp_path, workers=2, options=["--max-requests", "5"]) as server:
        serves(server)
        BAD["broken"](tmp_path / "site.yaml")
        first = server.pids()

        def replaced() -> bool:
            # gunicorn resets connections that a worker has taken and not yet read when its requests are over.
            with contextlib.suppress(ConnectionError):
                assert get(server.address, "/hello").status == 200
            now = server.pids()
            return len(now) == 2 and not set(first) & set(now)

        wait_while_alive(server.process, "other workers", replaced)
        wait_while_alive(server.process, "a worker", lambda: bool(server.pids()))
        os.kill(server.pids()[0], signal.SIGKILL)
        serves(server)
        server.reload()
        for _ in range(10):
            with contextlib.suppress(ConnectionError):
                assert get(server.address, "/hello").status == 200
        assert USED in server.log()
