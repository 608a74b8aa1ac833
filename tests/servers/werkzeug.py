"""werkzeug's development server around a werkzeug application that the gateway wraps."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .packages import package_parent
from .process import ServerProcess, free_port
from .server import Server

PROGRAM = Path(__file__).with_name("apps") / "werkzeug_site.py"


class Werkzeug(Server):
    """A running werkzeug server: one process, a thread per request."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], tmp: Path, port: int) -> None:
        self._argv, self._env, self._tmp = argv, env, tmp
        self.name = name
        super().__init__(name, self._start(), port)

    def _start(self) -> ServerProcess:
        return ServerProcess(self._argv, output=self._tmp / f"{self.name}.log", env=self._env, cwd=self._tmp)

    def reload(self) -> None:
        """This server knows no reload: it is stopped and started again on its port."""
        self.stop()
        self.process = self._start()
        self.wait_ready(None)


def start_werkzeug(
    site: Path | None, tmp: Path, *, name: str = "werkzeug", env: Mapping[str, str] | None = None
) -> Werkzeug:
    """Start it and wait until it takes connections. `env` is added to our environment."""
    port = free_port()
    argv = [sys.executable, "-P", str(PROGRAM), str(port), *([] if site is None else [str(site)])]
    environ = {**os.environ, "PYTHONPATH": str(package_parent()), "PYTHONUNBUFFERED": "1", **(env or {})}
    # coverage keeps something of each thread, of which there is one for each request: memory would seem to leak.
    environ.pop("COVERAGE_PROCESS_CONFIG", None)
    server = Werkzeug(name, argv, environ, tmp, port)
    try:
        server.wait_ready(None)
    except BaseException:
        server.stop()
        raise
    return server
