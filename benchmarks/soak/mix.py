"""Who takes part, and which outcomes each may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.soak import acts
from benchmarks.soak.acts import CLOSED, CUT, LEFT, OK, RESET, SHORT, Act

GOOD, BAD, HOSTILE, CLIENT, BURST = "good", "bad", "hostile", "slow or vanishing", "burst"
LIMITED = ("503", "504")
"""What a hostile route answers beyond its `concurrency`, and where a busy machine makes its second too short."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`clients` do `act` again and again, `pause` seconds apart. Other outcomes than `expected` are faults."""

    name: str
    group: str
    act: Act
    expected: frozenset[str]
    clients: int = 1
    pause: float = 0.0


def good(name: str, act: Act, clients: int = 1, pause: float = 0.02) -> Actor:
    return Actor(name, GOOD, act, frozenset({OK}), clients, pause)


def bad(name: str, act: Act, expected: str) -> Actor:
    return Actor(name, BAD, act, frozenset({expected}), 1, 0.3)


def hostile(name: str, act: Act, *expected: str, pause: float = 0.5) -> Actor:
    return Actor(name, HOSTILE, act, frozenset({*expected, *LIMITED}), 1, pause)


def slow(name: str, act: Act, *expected: str, pause: float = 0.5) -> Actor:
    return Actor(name, CLIENT, act, frozenset(expected), 1, pause)


def mix(apache: bool) -> Sequence[Actor]:
    """The whole mix. Apache ends slow clients by itself, and later; what it cannot break off it ends early."""
    cut = (CUT, RESET, *(["200"] if apache else []))
    dropped = (CUT, RESET, OK, *([SHORT] if apache else []))  # whole where its turn came late
    flood = "/client/flood?bytes=90000000"
    return (
        good("program", acts.program("/good/program"), 2),
        good("streaming", acts.program("/good/program", lines=10, ms=20)),
        good("upload", acts.upload("/good/upload")),
        good("streamed upload", acts.upload("/good/streamed")),
        good("component", acts.echo("/good/component/echo")),
        good("key-value", acts.key_value("/good/pairs")),
        good("beside", acts.program("/good/beside")),
        bad("trap", acts.status("/bad/trap?kind=oob"), "502"),
        bad("broken head", acts.status("/bad/head?head=broken"), "502"),
        bad("component traps", acts.status("/bad/component/trap"), "502"),
        bad("no route", acts.status("/nowhere"), "404"),
        bad("body too large", acts.status("/bad/upload", bytes(2000)), "413"),
        bad("no request", acts.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: x\r\n\r\n"), "400"),
        hostile("loop", acts.status("/hostile/loop")),
        hostile("flood", acts.status("/hostile/flood?bytes=10000000000"), *cut),
        hostile("allocate", acts.status("/hostile/alloc"), "200"),
        hostile("recursion in memory", acts.status("/hostile/recurse"), "502"),
        hostile("recursion on the stack", acts.status("/hostile/recurse_calls"), "502"),
        hostile("descriptors", acts.status("/hostile/manyfds?path=/data/file"), "200"),
        hostile("standard error", acts.status("/hostile/stderr?kind=flood&bytes=10000000"), "200", pause=3.0),
        hostile("component loops", acts.status("/hostile/component/loop")),
        hostile("component's handles", acts.status("/hostile/component/handles-forever"), "502"),
        hostile("compile bomb", acts.drop("/hostile/dropped"), pause=20.0),
        slow("slow head", acts.slow_head("/good/program"), CLOSED, "408", RESET),
        slow("slow body", acts.slow_body("/client/upload"), "408", CUT, RESET),
        slow("slow reader", acts.slow_reader(flood, 90_000_000, 15.0 if apache else 8.0), *dropped),
        # The gateway takes a client that has closed its side for one that has left, as documented.
        slow("half close", acts.half_closed("/good/program"), OK, CUT, RESET),
        slow("leaves while reading", acts.vanishing("/client/stream?lines=1000&ms=20"), LEFT),
        slow("leaves while sending", acts.vanishing("/client/upload", bytes(5000)), LEFT),
    )


def burst() -> Sequence[Actor]:
    """What fills every pool that is bounded by the threads of a server, one kind after the other: guests that last long
    enough for all threads to have one, on each process of isolated guests, and users of the store."""
    acts_of = {
        "program": acts.program("/good/program", ms=20),
        "beside": acts.program("/good/beside", ms=20),
        "slow route": acts.program("/client/upload", ms=20),
        "upload": acts.upload("/good/upload"),
        "streamed upload": acts.upload("/good/streamed"),
        "component": acts.echo("/good/component/echo"),
        "key-value": acts.key_value("/good/pairs"),
    }
    return [Actor(f"burst: {name}", BURST, act, frozenset({OK})) for name, act in acts_of.items()]
