"""The command `wsgi-wasm serve`, as one server among the others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .fixtures import serve, server_environ
from .packages import package_parent
from .process import ServerProcess, free_port
from .server import Server


@contextmanager
def serving(name: str, site: Path, tmp: Path, *, ready: str = "/env", threads: int | None = None) -> Iterator[Server]:
    """A server by name, as `serve` has them; the name `serve` is the command, with one worker. `ready` is the path
    asked for until an answer comes, `threads` replaces their number."""
    if name != "serve":
        with serve(name, site, tmp, ready=ready, threads=threads) as server:
            yield server
        return
    port = free_port()
    argv = [
        *(sys.executable, "-P", "-m", "wsgi_wasm", "serve", str(site)),
        *("--bind", f"127.0.0.1:{port}", "--workers", "1"),
        *([] if threads is None else ["--threads", str(threads)]),
    ]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package_parent()), **server_environ(name, tmp, None, None)}
    process = ServerProcess(argv, output=tmp / "serve.log", env=environ, cwd=tmp)
    with Server(name, process, port) as server:
        server.wait_ready(ready)
        yield server
