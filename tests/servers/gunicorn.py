"""gunicorn, started as an administrator does: as a command, in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .packages import package_parent
from .process import ServerProcess, free_port, wait_while_alive
from .server import Server


class Gunicorn(Server):
    """A running gunicorn; `pids` are its workers."""

    def pids(self) -> list[int]:
        """The workers, which are what the master forked."""
        return self.process.children()

    def reload(self) -> None:
        """SIGHUP; returns when every old worker is gone and as many new ones are there."""
        count = len(self.pids())
        self.renew(signal.SIGHUP)
        wait_while_alive(self.process, f"{count} workers", lambda: len(self.pids()) == count)


def start_gunicorn(
    app: str,
    tmp: Path,
    *,
    name: str = "gunicorn",
    worker_class: str = "sync",
    workers: int = 1,
    threads: int = 1,
    preload: bool = False,
    config: Path | None = None,
    env: Mapping[str, str] | None = None,
    pythonpath: Sequence[Path] = (),
    options: Sequence[str] = (),
    ready: str | None = "/",
    prefix: Sequence[str] = (),
) -> Gunicorn:
    """Start gunicorn for `app` ("module:callable" or "module:factory(...)") and wait until it answers GET `ready`.

    `prefix` is a command that begins gunicorn in its own place. `env` is added to our environment. Without `config` no
    configuration file is read, not even ./gunicorn.conf.py.
    Raises ServerError with the log's end when it does not come up.
    """
    port = free_port()
    argv = [
        *(*prefix, sys.executable, "-P", "-m", "gunicorn"),
        *("--bind", f"{Server.host}:{port}", "--worker-class", worker_class),
        *("--workers", str(workers), "--threads", str(threads)),
        *("--config", os.devnull if config is None else str(config)),
        "--no-control-socket",  # its default path is one file per user, shared by all servers
        *(["--preload"] if preload else []),
        *options,
        app,
    ]
    path = os.pathsep.join(str(entry) for entry in (*pythonpath, package_parent()))
    process = ServerProcess(
        argv, output=tmp / f"{name}.log", env={**os.environ, "PYTHONPATH": path, **(env or {})}, cwd=tmp
    )
    server = Gunicorn(name, process, port)
    try:
        server.wait_ready(ready)
        wait_while_alive(process, f"{workers} workers", lambda: len(server.pids()) == workers)
    except BaseException:
        server.stop()
        raise
    return server
