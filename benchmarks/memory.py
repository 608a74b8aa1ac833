"""What a worker holds when it is idle, what a route adds to that, and what an open instance does."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks import accounting, builds
from benchmarks.results import Figure
from benchmarks.servers import GATEWAY, gunicorn
from benchmarks.testbed import Testbed
from servers.client import Connection, get
from servers.server import Server

HOME = "gunicorn-gthread"
OPEN = 32  # instances at a time
SECONDS = 20  # that they stay, unless the server is ended before


def measure(testbed: Testbed, servers: Sequence[str], notes: list[str]) -> list[Figure]:
    """Of one worker under gunicorn's gthread, whichever servers are chosen, in KiB.

    `anonymous` is what belongs to the process alone and to no file: what is mapped from the cache is shared by all
    workers and can be dropped by the kernel.
    """
    bare, _ = idle(testbed, "bare:application", "site", ["/hello?world"] * 20)
    one, one_anonymous = idle(testbed, GATEWAY, "one", ["/0?world"] * 20)
    paths = [f"/{number}?world" for number in range(builds.MANY)]
    many, many_anonymous = idle(testbed, GATEWAY, "many", paths)
    routes = builds.MANY - 1
    per_instance = open_instances(testbed)
    return [
        _figure("bare WSGI app", "idle worker, PSS", bare),
        _figure("gateway, 1 route", "idle worker, PSS", one),
        _figure(f"gateway, {builds.MANY} routes", "idle worker, PSS", many),
        _figure("gateway", "each further route, PSS", (many - one) / routes),
        _figure("gateway", "each further route, anonymous", (many_anonymous - one_anonymous) / routes),
        _figure("gateway", "each open instance, anonymous", per_instance),
    ]


def _figure(subject: str, name: str, size: float) -> Figure:
    return Figure("memory", HOME, subject, name, "KiB", [size / 1024])


def idle(testbed: Testbed, app: str, site: str, paths: Sequence[str]) -> tuple[float, float]:
    """PSS and anonymous memory in bytes of a worker that has answered each of `paths` and now rests."""
    with gunicorn(testbed, "memory", app, "gthread", site, workers=1) as server:
        for path in paths:
            _good(server, path)
        held = accounting.memory(server.pids()[0])
        return held["pss"], held["anonymous"]


def _good(server: Server, path: str) -> None:
    status = get(server.address, path).status
    if status != 200:
        raise RuntimeError(f"{path}: status {status}")


def open_instances(testbed: Testbed) -> float:
    """Bytes of anonymous memory for each of `OPEN` guests that wait at a time. Their threads are there before."""
    with gunicorn(testbed, "memory", GATEWAY, "gthread", workers=1, threads=OPEN) as server:
        _hold(server, 1)
        before = accounting.memory(server.pids()[0])["anonymous"]
        with ExitStack() as stack:
            for _ in range(OPEN):
                connection = stack.enter_context(Connection(server.address))
                connection.send_request("GET", f"/wait?{SECONDS}")
                connection.read_head()
            after = accounting.memory(server.pids()[0])["anonymous"]
    return (after - before) / OPEN


def _hold(server: Server, seconds: int) -> None:
    """As many requests at a time as there will be, so that threads and their stacks are not counted."""
    threads = [threading.Thread(target=_good, args=(server, f"/wait?{seconds}")) for _ in range(OPEN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.2)
