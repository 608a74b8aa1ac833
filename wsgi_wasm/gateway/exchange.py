"""The record of one exchange: a request that a route took, and what became of it.

The dispatcher makes one for every such request, refusals too, and hands it to its observers when
the answer is complete. Fields for the server's access log and log lines are observers; so can be
whatever else counts requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.gateway.wsgi_server import Environ
from wsgi_wasm.logs import ABOUT, package_log
from wsgi_wasm.messages import printable

log = package_log("gateway")


class Exchange:
    """What is known of one request and its answer. Times are in seconds, `sent` is in bytes.

    After a local redirect the record is of the whole chain: it names the first route and program,
    and its times are those of all guests together. `label` is for log lines, and names every route
    and program of the chain.
    """

    program = ""
    """The script, or the module's file, that ran first; "" where none was found."""
    outcome = ""
    """How the guest ended, as `End`; for an answer of the gateway's own, the name of the
    error, or `static`."""
    status = 0  # that the client got; 0 where it got none
    sent = 0  # bytes of body handed to the server
    cpu = 0.0  # of guests
    wall = 0.0  # between a guest's first instruction and its last
    queued = 0.0  # waiting for `concurrency` and for an instance of the engine
    remarks: Sequence[tuple[int, str]] = ()
    """What belongs in the log: level and text."""

    def __init__(self, route: str, identity: str, environ: Environ) -> None:
        self.route = route
        self.identity = identity
        # as the server gave it; what stands in it may be logged by the server
        self.environ = environ
        self.label = route

    def runs(self, route: str, program: str, label: str) -> None:
        """A program has been found for the request. `label` is route and program."""
        if self.program:
            self.label += f" -> {label}"
        else:
            self.route, self.program, self.label = route, program, label

    def ran(self, outcome: Outcome, queued: float) -> None:
        """A guest has ended, after `queued` seconds of waiting besides the engine's."""
        self.outcome = outcome.end.key
        self.cpu += outcome.cpu
        self.wall += outcome.wall
        self.queued += queued + outcome.queued

    def remark(self, level: int, text: str) -> None:
        """Something for the log."""
        self.remarks = (*self.remarks, (level, text))


Observer = Callable[[Exchange], None]


def note_in_environ(exchange: Exchange) -> None:
    """Fields for the server's access log, gunicorn's `%({wsgi_wasm.cpu_us}e)s` for one."""
    environ = exchange.environ
    environ["wsgi_wasm.route"] = exchange.route
    environ["wsgi_wasm.program"] = exchange.program
    environ["wsgi_wasm.outcome"] = exchange.outcome
    environ["wsgi_wasm.cpu_us"] = int(exchange.cpu * 1e6)
    environ["wsgi_wasm.guest_us"] = int(exchange.wall * 1e6)
    environ["wsgi_wasm.queue_us"] = int(exchange.queued * 1e6) if exchange.queued else 0


def write_log(exchange: Exchange) -> None:
    """A line for each remark."""
    for level, text in exchange.remarks:
        about = {
            "route": exchange.route,
            "program": exchange.program,
            "request_id": exchange.identity,
            "status": exchange.status,
            "outcome": exchange.outcome,
        }
        log.log(level, "%s [%s] %s", exchange.label, exchange.identity, printable(text), extra={ABOUT: about})


OBSERVERS: tuple[Observer, ...] = (note_in_environ, write_log)
