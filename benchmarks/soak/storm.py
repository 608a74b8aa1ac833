"""What is done to a server while it works: configurations swapped, reloads, processes killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Self

from benchmarks.soak.site import SiteFolder, under_apache
from servers import spawner
from servers.process import ServerError
from servers.server import Server

FIRST_PAUSE = 0.2  # seconds after which a child that was killed is started again; doubled each time
GRACE = 1.0  # seconds that a new process may take to be there


@dataclass(frozen=True, slots=True)
class Every:
    """Seconds between two of a kind; 0 for never."""

    swap: float = 1.0
    worker: float = 10.0
    child: float = 20.0
    reload: float = 25.0

    @classmethod
    def within(cls, seconds: float) -> Self:
        """So that there are some of each in a storm of this length."""
        return cls(1.0, min(10.0, seconds / 3), min(20.0, seconds / 2.5), min(25.0, seconds / 1.5))


class Storm:
    """Works in a thread of its own. `struck` tells whether a request may have been lost by a kill."""

    def __init__(self, server: Server, folder: SiteFolder, every: Every) -> None:
        self.done: Counter[str] = Counter()
        self.raging = False  # without it, configurations are swapped and nothing else happens
        self._server, self._folder, self._every = server, folder, every
        self._times: Counter[str] = Counter()
        self._strikes: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._random = random.Random(7)
        self._thread = threading.Thread(target=self._rage, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def struck(self, began: float, ended: float) -> bool:
        """Whether a process was killed, or paused after that, within this time of `time.monotonic()`."""
        return any(began <= until and since <= ended for since, until in list(self._strikes))

    def _rage(self) -> None:
        acts = {
            "swapped configurations": (self._every.swap, self._folder.swap, False),
            "killed workers": (self._every.worker, self._kill_worker, True),
            "killed children": (self._every.child, self._kill_child, True),
            "reloads by signal": (self._every.reload, self._reload, True),
        }
        due = {name: time.monotonic() + every for name, (every, _, _) in acts.items()}
        while not self._ended.wait(0.05):
            for name, (every, act, raging) in acts.items():
                if every and time.monotonic() >= due[name]:
                    due[name] = time.monotonic() + every
                    if self.raging or not raging:
                        with contextlib.suppress(ProcessLookupError, IndexError, ServerError):
                            act()
                            self.done[name] += 1

    def _strike(self, pause: float) -> None:
        now = time.monotonic()
        self._strikes.append((now, now + pause))

    def _kill_worker(self) -> None:
        pid = self._random.choice(self._server.pids())
        self._strike(0.0)
        os.kill(pid, signal.SIGKILL)

    def _kill_child(self) -> None:
        pid, name = self._random.choice(list(spawner.children(self._folder.cache).items()))
        # Each of its faults makes the pause longer, and a change of the configuration begins anew.
        self._strike(min(30.0, FIRST_PAUSE * 2 ** self._times[name]) + GRACE)
        self._times[name] += 1
        os.kill(pid, self._random.choice([signal.SIGKILL, signal.SIGABRT]))

    def _reload(self) -> None:
        """gunicorn finishes what it has begun. Apache ends daemons within some seconds, with what runs in them."""
        if under_apache(self._server.name):
            self._strike(5.0)
            self._server.process.send(signal.SIGUSR1)
        else:
            self._server.process.send(signal.SIGHUP)
