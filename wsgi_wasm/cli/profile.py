"""Where a request's time goes: `wsgi-wasm run --profile`.

First the request is sent as it is, for the totals. Then the functions of its path are wrapped from
outside, each with a clock that counts what it spends itself and not in others that are wrapped, and
it is sent as often again. The clocks cost time of their own, most of it in `the rest`; the last
line says how much longer the request took with them.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from typing import Any

from wsgi_wasm.app import Gateway
from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.cgi.metavars import MetaVariables
from wsgi_wasm.cli.request import make_environ, patient, read_data
from wsgi_wasm.cli.source import UserError
from wsgi_wasm.cli.terminal import table, tell
from wsgi_wasm.config import Config
from wsgi_wasm.engine.capi import component, core
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.component.guest import ComponentGuest
from wsgi_wasm.engine.program.guest import ProgramGuest
from wsgi_wasm.errors import Cut
from wsgi_wasm.gateway import handler
from wsgi_wasm.gateway.answer import Answer
from wsgi_wasm.gateway.dispatcher import not_found
from wsgi_wasm.gateway.routing import Router
from wsgi_wasm.messages import escaped

GUEST = "guest, with its calls of the host"

# Step, and the functions that make it up: an object and the name of its attribute. In the order of
# a request.
STEPS: dict[str, tuple[tuple[Any, str], ...]] = {
    "routing": ((Router, "match"),),
    "body": ((handler, "read_body"),),
    "meta-variables": ((MetaVariables, "build"), (RequestFields, "of_request")),
    "engine, in Python": ((ProgramGuest, "run"), (ComponentGuest, "run")),
    "store, limits, grants": (),
    "instantiate": ((core, "instantiate"), (component, "instantiate")),
    GUEST: ((core, "call"), (component, "call")),
    "teardown": ((core, "store_delete"), (core, "store_delete_short")),
    "answer": ((Answer, "output"), (Answer, "finish")),
}
# What a native run measures itself: see engine/capi/native.h.
NATIVE_STEPS = ("store, limits, grants", "instantiate", GUEST, "teardown")
REST = "the rest"
_WARM_UP = 20


class StepClock:
    """Exclusive seconds of each step for one request at a time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STEPS, 0.0)
        # for each wrapped call that is open: what wrapped calls inside it have taken
        self._inner = [0.0]

    def wrap(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, counted for `step`."""

        def counted(*arguments: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            before = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                elapsed = time.perf_counter() - before
                self.seconds[step] += elapsed - self._inner.pop()
                self._inner[-1] += elapsed

        return counted

    def wrap_native(self, run: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`native.run`, of which the library itself says where its time went."""

        def counted(job: Any) -> None:
            job.profiled = 1
            self._inner.append(0.0)
            run(job)
            # What was wrapped inside lies within the call, and has been counted already.
            inside = self._inner.pop()
            self.seconds[GUEST] -= inside
            for step, seconds in zip(NATIVE_STEPS, job.steps, strict=True):
                self.seconds[step] += seconds
                self._inner[-1] += seconds

        return counted

    def take(self) -> dict[str, float]:
        """What has been counted, and begin anew."""
        taken, self.seconds, self._inner = self.seconds, dict.fromkeys(STEPS, 0.0), [0.0]
        return taken


def profile(config: Config, options: argparse.Namespace) -> int:
    """Print the tables. Raises UserError where no guest answers the request."""
    gateway = Gateway(patient(config), not_found)
    body = read_data(options.data)
    template = make_environ(options, body)

    def send() -> tuple[float, float | None]:
        environ = dict(template)
        environ["wsgi.input"] = io.BytesIO(body or b"")
        started = time.perf_counter()
        for _ in gateway(environ, _start_response):
            pass
        elapsed = time.perf_counter() - started
        inside = environ.get("wsgi_wasm.guest_us")
        return elapsed, inside / 1e6 if inside else None

    try:
        _, inside = send()
        if inside is None:
            raise UserError(
                f"{escaped(options.path)}: no guest answers this request; run it without --profile to see the answer"
            )
        for _ in range(_WARM_UP):
            send()
        plain = [send() for _ in range(options.profile)]
        counted = _counted(send, options.profile)
    except Cut as error:
        raise UserError(f"the answer was cut off: {error}") from None
    _print_totals(plain)
    _print_steps(counted, statistics.median(total for total, _ in plain))
    return 0


def _start_response(status: str, fields: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], object]:
    return len


def _counted(send: Callable[[], tuple[float, float | None]], times: int) -> dict[str, list[float]]:
    """Seconds by step, one number for each of `times` requests. The wrapping is undone
    at the end."""
    clock = StepClock()
    timed = [(step, owner, name) for step, functions in STEPS.items() for owner, name in functions]
    originals = [(owner, name, getattr(owner, name)) for _, owner, name in timed]
    rows: dict[str, list[float]] = {step: [] for step in (*STEPS, REST)}
    try:
        for step, owner, name in timed:
            setattr(owner, name, clock.wrap(step, getattr(owner, name)))
        if native is not None:
            for name in ("run", "run_keeping_gil", "run_component", "run_component_keeping_gil"):
                originals.append((native, name, getattr(native, name)))
                setattr(native, name, clock.wrap_native(getattr(native, name)))
        for _ in range(times):
            clock.take()
            total, _ = send()
            seconds = clock.take()
            for step, value in seconds.items():
                rows[step].append(value)
            rows[REST].append(total - sum(seconds.values()))
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
    return rows


def _print_totals(plain: list[tuple[float, float | None]]) -> None:
    whole = [total for total, _ in plain]
    inside = [seconds or 0.0 for _, seconds in plain]
    outside = [total - part for total, part in zip(whole, inside, strict=True)]
    rows = [("microseconds", "min", "median")]
    rows += [
        _row("request", whole),
        _row("the guest's run", inside),
        _row("around it", outside),
    ]
    tell(*table(rows))


def _print_steps(counted: dict[str, list[float]], plain: float) -> None:
    rows = [("by step, with clocks", "min", "median"), *(_row(step, values) for step, values in counted.items())]
    tell("", *table(rows))
    with_clocks = statistics.median(map(sum, zip(*counted.values(), strict=True)))
    tell(
        "",
        f"{len(counted[REST])} requests for each measurement; with the clocks, a request took "
        f"{(with_clocks - plain) * 1e6:+.1f} us",
    )


def _row(name: str, seconds: list[float]) -> tuple[str, str, str]:
    return name, f"{min(seconds) * 1e6:.1f}", f"{statistics.median(seconds) * 1e6:.1f}"
