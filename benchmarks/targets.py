"""What the project set out to reach, as ratios within one run, and whether this run shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import builds, in_process
from benchmarks.contenders import (
    BARE,
    C_GUEST,
    HTTP_GUEST,
    ISOLATED,
    ISOLATED_HTTP,
    MANY_ROUTES,
    NATIVE_C,
    NATIVE_PYTHON,
    ONE_ROUTE,
    PYTHON_GUEST,
    WASMTIME,
    WAT_GUEST,
)
from benchmarks.results import Results, Row

GTHREAD, EMBEDDED, DAEMON = "gunicorn-gthread", "mod_wsgi-embedded", "mod_wsgi-daemon"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`value` should be at most `bound`, or at least where `least` is set; None where the run has no figure for it."""

    what: str
    bound: float
    value: float | None
    unit: str = "x"
    least: bool = False

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.least else self.value <= self.bound


def verdicts(results: Results) -> list[Verdict]:
    """Every target, in the order in which they were set."""
    return [
        *_hello(results),
        *_bodies(results),
        *_first(results),
        *_scale(results),
        *_isolated(results),
        *_components(results),
    ]


def _ratio(over: Row | None, under: Row | None) -> float | None:
    return over.least / under.least if over and under else None


def _against(results: Results, server: str, program: str, workload: str, clients: int, base: str) -> float | None:
    row = results.row(server, program, workload, clients)
    return _ratio(row, results.row(server, base, workload, clients))


def _hello(results: Results) -> Iterator[Verdict]:
    bounds = ((C_GUEST, GTHREAD, 1.5), (C_GUEST, EMBEDDED, 1.9), (WAT_GUEST, GTHREAD, 1.3), (WAT_GUEST, EMBEDDED, 1.5))
    for program, server, bound in bounds:
        for clients in (1, 8, 64):
            value = _against(results, server, program, "hello", clients, BARE)
            yield Verdict(f"hello, {program} against the bare app, {server}, {_clients(clients)}", bound, value)
    rival = results.row("wasmtime-serve", WASMTIME, "hello", 8)
    value = _ratio(results.row("granian", WAT_GUEST, "hello", 8), rival)
    yield Verdict("hello, .wat guest on granian against wasmtime serve, 8 clients", 1.0, value)
    whole = results.figure("in-process", "none", in_process.COMPILED, in_process.GATEWAY)
    engine = results.figure("in-process", "none", in_process.COMPILED, in_process.RUN)
    outside = whole.least - engine.least if whole and engine else None
    yield Verdict("Python outside the engine, in one process", 25, outside, "us")
    for clients in (1, 8, 64):
        value = _ratio(
            results.row("mod_cgid", NATIVE_C, "hello", clients), results.row(EMBEDDED, C_GUEST, "hello", clients)
        )
        yield Verdict(f"hello, native C under mod_cgid against the C guest, {_clients(clients)}", 7, value, least=True)


def _bodies(results: Results) -> Iterator[Verdict]:
    for workload, title in (("out", "10 MB out"), ("in", "10 MB in")):
        for server in (GTHREAD, EMBEDDED):
            value = _against(results, server, C_GUEST, workload, 1, BARE)
            yield Verdict(f"{title}, C guest against the bare app, {server}", 1.3, value)
    for server in (GTHREAD, EMBEDDED):
        figure = results.figure("first-byte", server, C_GUEST, "first byte")
        yield Verdict(f"first byte of 10 MB, {server}", 10, figure.median if figure else None, "ms")
        value = _ratio(results.row(server, C_GUEST, "flushed", 1), results.row(server, C_GUEST, "lines", 1))
        yield Verdict(f"1,000 flushed lines against the same at once, {server}", 2, value)


def _first(results: Results) -> Iterator[Verdict]:
    figure = results.figure("cold-start", GTHREAD, "C guest, cached", "first request to a module")
    yield Verdict("first request to a cached module", 5, figure.median if figure else None, "ms")
    for name in ("start to first 200, CPU", "start to first 200, wall clock"):
        bare = results.figure("cold-start", GTHREAD, "bare WSGI app", name)
        cold = results.figure("cold-start", GTHREAD, f"gateway, {builds.COLD} routes", name)
        value = cold.least / bare.least if cold and bare else None
        yield Verdict(f"{name}, {builds.COLD} cached routes against the bare app", 1.5, value)


def _scale(results: Results) -> Iterator[Verdict]:
    many, one = (results.row(GTHREAD, program, "hello", 8) for program in (MANY_ROUTES, ONE_ROUTE))
    yield Verdict("500 routes against 1 (no difference: within 5 %)", 1.05, _ratio(many, one))
    figure = results.figure("memory", GTHREAD, "gateway", "each further route, anonymous")
    yield Verdict("memory of an idle route beyond shared mappings", 100, figure.least if figure else None, "KiB")
    for server in (GTHREAD, EMBEDDED):
        value = _ratio(results.row(server, C_GUEST, "hello", 64), results.row(server, C_GUEST, "hello", 1))
        yield Verdict(f"hello, C guest, 64 clients against 1, {server}", 1.15, value)


def _isolated(results: Results) -> Iterator[Verdict]:
    """What a process of their own costs the guests, beyond the same request in the server's."""
    for server in (GTHREAD, DAEMON):
        for program, isolated, name in ((C_GUEST, ISOLATED, "C guest"), (HTTP_GUEST, ISOLATED_HTTP, "component")):
            apart, within = (results.row(server, one, "hello", 1) for one in (isolated, program))
            value = apart.least - within.least if apart and within else None
            yield Verdict(f"hello, {name}, isolated beyond in the server, {server}, 1 client", 120, value, "us")


def _components(results: Results) -> Iterator[Verdict]:
    for server in (GTHREAD, EMBEDDED):
        for clients in (1, 8, 64):
            value = _against(results, server, HTTP_GUEST, "hello", clients, C_GUEST)
            yield Verdict(
                f"hello, wasi:http component against the C program, {server}, {_clients(clients)}", 1.5, value
            )
    native = results.row("mod_cgid", NATIVE_PYTHON, "python", 1)
    for server in (GTHREAD, EMBEDDED):
        value = _ratio(results.row(server, PYTHON_GUEST, "python", 1), native)
        yield Verdict(f"Python script against native python3 under mod_cgid, {server}", 0.33, value)


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
