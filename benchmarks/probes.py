"""What is measured beside the load: the first byte of a large answer, starting cold, memory, and the way in-process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import cold_start, in_process, memory
from benchmarks.contenders import BARE, C_GUEST, NATIVE_C, contenders
from benchmarks.results import Figure
from benchmarks.servers import starter
from benchmarks.testbed import Testbed
from servers.client import Connection

TIMES = 20  # requests for a first byte


@dataclass(frozen=True, slots=True)
class Probe:
    """`seconds` is about how long it takes; `sites` are those that it needs, see `Testbed`."""

    title: str
    seconds: float
    sites: tuple[str, ...]
    measure: Callable[[Testbed, Sequence[str], list[str]], list[Figure]]


def first_byte(testbed: Testbed, servers: Sequence[str], notes: list[str]) -> list[Figure]:
    """Milliseconds from sending a request for 10 MB to the first byte of the body, and to the last."""
    found = []
    for contender in contenders():
        if contender.server not in servers or contender.program not in (BARE, C_GUEST, NATIVE_C):
            continue
        with testbed.started(starter(testbed, contender.process)) as running:
            times = [_arrivals(running.address, contender.paths["out"]) for _ in range(TIMES)][1:]
        for name, values in zip(("first byte", "last byte"), zip(*times, strict=True), strict=True):
            found.append(Figure("first-byte", contender.server, contender.program, name, "ms", list(values)))
    return found


def _arrivals(address: tuple[str, int], path: str) -> tuple[float, float]:
    with Connection(address) as connection:
        began = time.monotonic()
        connection.send_request("GET", path)
        arrivals = [when for when, _ in connection.pieces(connection.read_head())]
        return (arrivals[0] - began) * 1000, (arrivals[-1] - began) * 1000


PROBES: Mapping[str, Probe] = {
    "in-process": Probe("in one process, without a server", 25, (), in_process.measure),
    "first-byte": Probe("first byte of 10 MB", 25, (), first_byte),
    "cold-start": Probe("starting cold", 45, ("cold", "one"), cold_start.measure),
    "memory": Probe("memory", 20, ("one", "many"), memory.measure),
}
