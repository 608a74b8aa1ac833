"""The command `wsgi-wasm` for the tests of servers, and `serve` as one server among the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .fixtures import serve, server_environ
from .packages import package_parent
from .process import ServerProcess, free_port
from .server import Server


def command(*arguments: str) -> list[str]:
    """A command line."""
    return [sys.executable, "-P", "-m", "wsgi_wasm", *arguments]


def environment() -> dict[str, str]:
    """No more of the test's environment than the command needs."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(package_parent()), "LANG": "C.UTF-8"}


@contextmanager
def serve_command(file: Path, tmp: Path, *options: str, ready: str | None = None) -> Iterator[Server]:
    """The command `serve` with one worker, in the directory `tmp`, where its cache is, too. `ready` is the path
    asked for until an answer comes; None waits for a connection alone."""
    port = free_port()
    argv = command("serve", str(file), "--bind", f"127.0.0.1:{port}", "--workers", "1", *options)
    environ = {**os.environ, "PYTHONPATH": str(package_parent()), **server_environ("serve", tmp, None, None)}
    process = ServerProcess(argv, output=tmp / "serve.log", env=environ, cwd=tmp)
    with Server("serve", process, port) as server:
        server.wait_ready(ready)
        yield server


@contextmanager
def serving(name: str, site: Path, tmp: Path, *, ready: str = "/env", threads: int | None = None) -> Iterator[Server]:
    """A server by name, as `serve` has them; the name `serve` is the command, with one worker. `ready` is the path
    asked for until an answer comes, `threads` replaces their number."""
    if name != "serve":
        with serve(name, site, tmp, ready=ready, threads=threads) as server:
            yield server
        return
    options = [] if threads is None else ["--threads", str(threads)]
    with serve_command(site, tmp, *options, ready=ready) as server:
        yield server
