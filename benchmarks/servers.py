"""How each server is started, with the same settings for guests and for what they are compared with."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from benchmarks import HERE, builds, tools
from benchmarks.contenders import MOUNT
from benchmarks.testbed import Start, Testbed
from benchmarks.tools import Missing
from servers.apache import Apache, Site, give_to_server
from servers.fixtures import GUNICORN_CONF, serve
from servers.gunicorn import start_gunicorn
from servers.packages import package_parent
from servers.process import ServerProcess, free_port
from servers.server import Server

GATEWAY = "wsgi_wasm.wsgi:application"
THREADS = 8  # of each gthread worker


class Plain(Server):
    """A server that is one command: `name` for the log, `argv` for a port."""

    @classmethod
    def start(cls, name: str, argv: Callable[[int], list[str]], folder: Path, env: dict[str, str]) -> Plain:
        """Raises ServerError when it does not take connections."""
        port = free_port()
        process = ServerProcess(argv(port), output=folder / f"{name}.log", env={**os.environ, **env}, cwd=folder)
        server = cls(name, process, port)
        try:
            server.wait_ready(None)
        except BaseException:
            server.stop()
            raise
        return server


def gunicorn(
    testbed: Testbed,
    name: str,
    app: str,
    worker: str,
    site: str = "site",
    *,
    workers: int = 0,
    threads: int = THREADS,
    env: Mapping[str, str] = MappingProxyType({}),
) -> Server:
    """gunicorn with the project's own configuration, but no access log: neither for guests nor for others."""
    config = testbed.folder / "gunicorn.conf.py"
    config.write_text(GUNICORN_CONF.read_text("utf-8") + "\naccesslog = None\n", "utf-8")
    return start_gunicorn(
        app,
        testbed.folder,
        name=name,
        worker_class=worker,
        workers=workers or testbed.workers,
        threads=1 if worker == "sync" else threads,
        config=config,
        env={**testbed.environ(site), "BENCHMARK_MODULE": str(testbed.folder / "hello.wasm"), **env},
        options=("--chdir", str(testbed.folder)),
        ready=None,
    )


def granian(testbed: Testbed, name: str, app: str, site: str = "site", *, workers: int = 0) -> Server:
    """granian, its WSGI interface, with its own defaults. Raises Missing."""
    if importlib.util.find_spec("granian") is None:
        raise Missing("granian is not installed: pip install granian")
    path = os.pathsep.join([str(package_parent()), str(testbed.folder)])

    def argv(port: int) -> list[str]:
        return [
            *(sys.executable, "-P", "-m", "granian", "--interface", "wsgi", "--no-ws", "--log-level", "warning"),
            *("--host", Server.host, "--port", str(port), "--workers", str(workers or testbed.workers), app),
        ]

    return Plain.start(name, argv, testbed.folder, {**testbed.environ(site), "PYTHONPATH": path})


def apache(testbed: Testbed, mode: str) -> AbstractContextManager[Server]:
    """mod_wsgi, with the gateway at `/app` and the bare application at `/bare` of the same processes."""
    group = " process-group=wsgi-wasm" if mode == "mod_wsgi-daemon" else ""
    text = "MaxKeepAliveRequests 0\n"
    text += f"WSGIScriptAlias /bare {testbed.folder / 'bare.py'} application-group=%{{GLOBAL}}{group}\n"
    text += f"<Directory {testbed.folder}>\n    Require all granted\n</Directory>\n"
    return serve(
        mode,
        testbed.sites["site"],
        testbed.folder,
        cache=testbed.cache,
        env={"WSGI_WASM_CACHE": str(testbed.cache)},
        workers=testbed.workers,
        mount=MOUNT,
        apache_text=text,
        # An idle connection that is kept is closed when all threads are busy, which would fail requests of others.
        apache_threads=100,
    )


def mod_cgid(testbed: Testbed) -> Server:
    """Apache's own CGI, for native programs. Raises Missing."""
    place = builds.lay_out_native(testbed.folder, python=True)
    data = testbed.folder / "data" / "page.html"
    give_to_server(place)
    return Apache.start(
        Site(text=f"MaxKeepAliveRequests 0\nSetEnv PAGE {data}", threads=100, native={"/cgi-bin/": place}, wsgi=False),
        testbed.folder,
        name="mod_cgid",
    )


def node(testbed: Testbed) -> Server:
    """node's `http` module, one process. Raises Missing."""
    program = str(tools.node())
    script = str(HERE / "apps" / "hello.js")
    return Plain.start("node", lambda port: [program, script, str(port)], testbed.folder, {})


def wasmtime_serve(testbed: Testbed) -> Server:
    """`wasmtime serve` with a component that needs no libc; a fresh instance for each request. Raises Missing."""
    program = tools.wasmtime()
    component = str(HERE / "guests" / "hello_http.wat")

    def argv(port: int) -> list[str]:
        return [str(program), "serve", "--addr", f"{Server.host}:{port}", "--max-instance-reuse-count", "1", component]

    return Plain.start("wasmtime-serve", argv, testbed.folder, {})


def starter(testbed: Testbed, process: str) -> Start:
    """What starts the process of this name (`Contender.process`)."""
    home, _, kind = process.partition(", ")
    apps = {"": GATEWAY, "bare": "bare:application", "naive": "naive:application"}
    sites = {"1 route": "one", "500 routes": "many"}
    others = {"mod_cgid": mod_cgid, "node": node, "wasmtime-serve": wasmtime_serve}
    if home in others:
        return lambda: others[home](testbed)
    if home.startswith("mod_wsgi"):
        return lambda: apache(testbed, home)
    if home == "granian":
        return lambda: granian(testbed, process, apps[kind])
    worker = home.removeprefix("gunicorn-")
    env = {"WSGI_WASM_NATIVE": "0"} if kind == "without native.c" else {}
    return lambda: gunicorn(testbed, process, apps.get(kind, GATEWAY), worker, sites.get(kind, "site"), env=env)
