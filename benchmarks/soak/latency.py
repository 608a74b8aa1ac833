"""Two measurements beside the soak: a good route while hostile guests run, and while a child is aborted."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.soak import acts
from benchmarks.soak.acts import OK, Act, Target, performed
from benchmarks.soak.run import started
from benchmarks.soak.site import SiteFolder, scratch
from servers import spawner
from servers.server import Server

REQUESTS = 1000
ROUNDS = 1  # of quiet and busy in turn
SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon")

HOSTILE: tuple[Act, ...] = (
    acts.status("/hostile/loop"),
    acts.status("/hostile/component/loop"),
    acts.status("/hostile/flood?bytes=10000000000"),
    acts.status("/hostile/flood?bytes=10000000000&each=1"),
    acts.status("/hostile/alloc"),
    acts.status("/hostile/recurse"),
    acts.status("/hostile/stderr?kind=flood&bytes=10000000"),
    acts.drop("/hostile/dropped"),
)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; `requests` of them, none of which may fail."""

    server: str
    beside: str
    requests: int
    failed: int
    p50: float
    p99: float
    slowest: float

    @classmethod
    def of(cls, server: str, beside: str, times: list[float], failed: int) -> Latency:
        return cls(server, beside, len(times), failed, percentile(times, 50), percentile(times, 99), 1000 * max(times))


def percentile(times: list[float], which: int) -> float:
    """Milliseconds, of seconds; 0 for none."""
    return 1000 * sorted(times)[len(times) * which // 100] if times else 0.0


@contextmanager
def serving(name: str, isolate: bool) -> Iterator[tuple[Server, Target, SiteFolder]]:
    with scratch() as place:
        folder = SiteFolder(place, isolate)
        folder.lay_out(name)
        with started(name, folder) as server:
            yield server, Target(server.address, name, folder.dropped), folder


def one_after_the_other(target: Target, count: int, nonces: Iterator[int]) -> tuple[list[float], int]:
    """Times in seconds of requests by one client, and how many had no right answer."""
    times, failed, act = [], 0, acts.program("/good/program")
    for _ in range(count):
        began = time.perf_counter()
        failed += performed(act, target, next(nonces)) != OK
        times.append(time.perf_counter() - began)
    return times, failed


def deadlines(target: Target, count: int = 20) -> list[float]:
    """How many milliseconds after its `timeout` of a second an endless loop has been answered, at the client."""
    times = []
    for nonce in range(count):
        began = time.perf_counter()
        if performed(acts.status("/hostile/loop"), target, nonce) == "504":
            times.append(1000 * (time.perf_counter() - began) - 1000)
    return sorted(times)


@contextmanager
def beside(target: Target, hostile: tuple[Act, ...], nonces: Iterator[int]) -> Iterator[None]:
    """Each of these is asked for all the time, in processes of their own: they shall not slow the good client down by
    its interpreter's lock."""
    pids = []
    for number, act in enumerate(hostile):
        pid = os.fork()
        if not pid:
            try:
                for count in itertools.count(number * 1_000_000 + next(nonces)):
                    performed(act, target, count)
            finally:
                os._exit(0)
        pids.append(pid)
    time.sleep(2)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def beside_hostile_guests(say: Callable[[str], None], isolate: bool = False) -> list[Latency]:
    found = []
    for name in SERVERS:
        with serving(name, isolate) as (_, target, _):
            nonces = itertools.count(1)
            one_after_the_other(target, 200, nonces)
            times: dict[str, list[float]] = {"nothing": [], "8 hostile guests": []}
            failed = Counter[str]()
            for turn in range(ROUNDS):
                say(f"{name}: round {turn + 1} of {ROUNDS}")
                for what in times:
                    with beside(target, HOSTILE if what != "nothing" else (), nonces):
                        taken, lost = one_after_the_other(target, REQUESTS, nonces)
                    times[what] += taken
                    failed[what] += lost
                    time.sleep(4)  # a compiler may still be at work
            label = name + (" isolated" if isolate else "")
            found += [Latency.of(label, what, taken, failed[what]) for what, taken in times.items()]
            late = deadlines(target)
            say(f"{label}: {len(late)} loops were stopped {late[0]:.1f} to {late[-1]:.1f} ms after their second")
    return found


def beside_a_crashing_child(say: Callable[[str], None], count: int = 10_000) -> list[dict[str, Any]]:
    """`count` requests to a route in another child and to one in the server's own processes while the child of the
    hostile routes is aborted twice a second, with guests in it."""
    found = []
    for name in SERVERS:
        with serving(name, True) as (_, target, folder):
            for route in ("/good/program", "/good/beside", "/hostile/loop"):
                performed(acts.status(route), target, 1)
            ended = threading.Event()
            asked, aborted, outcomes = Counter[str](), Counter[str](), Counter[str]()
            with ThreadPoolExecutor(11) as pool:
                for _ in range(2):
                    pool.submit(_ask, target, ended, asked)
                pool.submit(_abort, folder, ended, aborted)
                say(f"{name}: {count} requests beside a child that is aborted")
                for outcome in pool.map(partial(_neighbour, target), range(1, count + 1)):
                    outcomes[outcome] += 1
                ended.set()
            found.append(
                {"server": name, "neighbours": dict(outcomes), "aborts": aborted["hostile"], "hostile": dict(asked)}
            )
    return found


def _neighbour(target: Target, nonce: int) -> str:
    """In another child, and in the server's own process, in turn."""
    return performed(acts.program("/good/program" if nonce % 2 else "/good/beside"), target, nonce)


def _ask(target: Target, ended: threading.Event, asked: Counter[str]) -> None:
    while not ended.wait(0.02):
        asked[performed(acts.status("/hostile/loop"), target, 1)] += 1


def _abort(folder: SiteFolder, ended: threading.Event, aborted: Counter[str]) -> None:
    while not ended.wait(0.5):
        for pid, name in spawner.children(folder.cache).items():
            if name == "hostile":
                os.kill(pid, signal.SIGABRT)
                aborted[name] += 1
