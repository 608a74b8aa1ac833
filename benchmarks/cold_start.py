"""How long the first answers take: of a process, of a module that is in the cache, of one that is not."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import builds
from benchmarks.accounting import process_seconds
from benchmarks.results import Figure
from benchmarks.servers import GATEWAY, granian, gunicorn
from benchmarks.testbed import Start, Testbed
from servers import process
from servers.gunicorn import start_gunicorn
from servers.server import Server

TIMES = 5  # starts of each server
COMPILATIONS = 5
LOOK = 0.002  # seconds between two looks at a server that comes up
WAIT = 60.0  # seconds that a first answer may take


def measure(testbed: Testbed, servers: Sequence[str], notes: list[str]) -> list[Figure]:
    """All of it; starting only under servers that are commands, which Apache with its many parts is not."""
    homes = [home for home in ("gunicorn-sync", "gunicorn-gthread", "granian") if home in servers]
    found: list[Figure] = []
    with looking_often():
        for home in homes:
            try:
                found += starts(testbed, home)
            except Exception as error:
                notes.append(f"cold start, {home}: {error}")
    return [*found, *first_requests(testbed), compilations(testbed)]


@contextmanager
def looking_often() -> Iterator[None]:
    """The tests' starters look every 20 ms whether a server is there, which is too rough here."""
    usual, process.PAUSE = process.PAUSE, LOOK
    try:
        yield
    finally:
        process.PAUSE = usual


def starts(testbed: Testbed, home: str) -> list[Figure]:
    """From the start of the process to the first 200, one worker: wall clock, and CPU of all its processes."""
    ways = {
        "bare WSGI app": (starting(testbed, home, "bare:application", "site"), "/hello?world"),
        "gateway, 1 route": (starting(testbed, home, GATEWAY, "one"), "/0?world"),
        f"gateway, {builds.COLD} routes": (starting(testbed, home, GATEWAY, "cold"), "/50?world"),
    }
    times: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(TIMES):
        for subject, (start, path) in ways.items():
            began = time.monotonic()
            with start() as server:
                first_answer(server.address, path)
                times.setdefault((subject, "wall clock", "ms"), []).append((time.monotonic() - began) * 1e3)
                times.setdefault((subject, "CPU", "ms"), []).append(process_seconds(server.everyone()) * 1e3)
    return [
        Figure("cold-start", home, subject, f"start to first 200, {name}", unit, values)
        for (subject, name, unit), values in times.items()
    ]


def starting(testbed: Testbed, home: str, app: str, site: str) -> Start:
    """A start of one worker."""
    name = f"{home}-cold"
    if home == "granian":
        return lambda: granian(testbed, name, app, site, workers=1)
    return lambda: gunicorn(testbed, name, app, home.removeprefix("gunicorn-"), site, workers=1)


def first_answer(address: tuple[str, int], path: str) -> None:
    """Return with the first 200. A connection may wait in the socket's queue before anybody takes it, and a module that
    is compiled answers 503 meanwhile. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(*address, timeout=WAIT)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(LOOK)
    raise TimeoutError(f"no answer of status 200 within {WAIT:g} s")


def first_requests(testbed: Testbed) -> list[Figure]:
    """Each module's first and second request in a process that runs already, one connection. The project's hooks for
    gunicorn are left out, as they load what the routes name before the first request comes."""
    first, second = [], []
    with without_hooks(testbed, testbed.sites["cold"], testbed.cache) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=WAIT)
        for number in range(builds.COLD):
            taken = [_milliseconds(connection, f"/{number}?world") for _ in range(2)]
            if number:  # the very first makes the engine, too
                first.append(taken[0])
                second.append(taken[1])
            else:
                engine = taken[0]
        connection.close()
    subject = "C guest, cached"
    return [
        Figure("cold-start", "gunicorn-gthread", subject, "first request of the process", "ms", [engine]),
        Figure("cold-start", "gunicorn-gthread", subject, "first request to a module", "ms", first),
        Figure("cold-start", "gunicorn-gthread", subject, "second request to a module", "ms", second),
    ]


def _milliseconds(connection: http.client.HTTPConnection, path: str) -> float:
    began = time.monotonic()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: status {answer.status}")
    return (time.monotonic() - began) * 1e3


def compilations(testbed: Testbed) -> Figure:
    """The first answer of a module that is in no cache: it is compiled in a process of its own meanwhile."""
    cache = testbed.folder / "empty-cache"
    times = []
    for _ in range(COMPILATIONS):
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(mode=0o755)
        with without_hooks(testbed, testbed.sites["site"], cache) as server:
            first_answer(server.address, "/wat?world")  # the engine is there now
            began = time.monotonic()
            first_answer(server.address, "/hello?world")
            times.append((time.monotonic() - began) * 1e3)
    return Figure("cold-start", "gunicorn-gthread", "C guest, not cached", "first request to a module", "ms", times)


def without_hooks(testbed: Testbed, site: Path, cache: Path) -> Server:
    """gunicorn with one worker and its own configuration alone."""
    return start_gunicorn(
        GATEWAY,
        testbed.folder,
        name="gunicorn-plain",
        worker_class="gthread",
        threads=2,
        env={"WSGI_WASM_CONFIG": str(site), "WSGI_WASM_CACHE": str(cache)},
        options=("--keep-alive", "60"),
        ready=None,
    )
