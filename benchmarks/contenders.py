"""What is compared: programs and servers, and at which path each answers a workload. Data only; `servers` starts them.

A `server` is what holds the socket; a `program` is what makes the answer there. A figure of a program is compared with
that of the bare WSGI application on the same server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from benchmarks.workloads import BY_NAME, HELLO, WORKLOADS, Workload

BARE = "bare WSGI app"
C_GUEST = "C guest"
WAT_GUEST = ".wat guest"
HTTP_GUEST = "wasi:http guest, .wat component"
ISOLATED = "C guest, isolated"
ISOLATED_HTTP = "wasi:http guest, isolated"
PYTHON_GUEST = "Python guest"
WITHOUT_NATIVE = "C guest, without native.c"
NATIVE_C = "native C"
NATIVE_PYTHON = "native Python"
NAIVE = "C guest, plain wasmtime API"
ONE_ROUTE = ".wat guest, 1 route"
MANY_ROUTES = ".wat guest, 500 routes"
NODE = "node's http"
WASMTIME = "wasmtime serve, .wat component"

HOMES = ("gunicorn-sync", "gunicorn-gthread", "mod_wsgi-embedded", "mod_wsgi-daemon", "granian")
"""Servers that a WSGI application can be at home in."""

OTHERS = ("mod_cgid", "node", "wasmtime-serve")
SERVERS = (*HOMES, *OTHERS)

PROBES = ("in-process", "first-byte", "cold-start", "memory")
"""What is measured beside the load, each by one function of `probes`, `memory` or `in_process`."""

MOUNT = "/app"  # the gateway's place under Apache, where the bare application has the other
NO_LOAD = "routes"  # the name by which `--workloads` takes the comparison of 1 and 500 routes

_C = tuple(workload.name for workload in WORKLOADS if workload.name != "python")


@dataclass(frozen=True, slots=True)
class Contender:
    """`process` names the running server: several programs may share one. `paths` are by workload."""

    server: str
    program: str
    process: str
    paths: Mapping[str, str]
    address: tuple[str, int] | None = None
    """Where it runs already: a rival named on the command line."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of the table: a program under a workload from so many clients."""

    contender: Contender
    workload: Workload
    clients: int

    @property
    def label(self) -> str:
        return f"{self.contender.server}: {self.contender.program} / {self.workload.name} / {self.clients}"

    @property
    def path(self) -> str:
        return self.contender.paths[self.workload.name]


def _paths(names: Sequence[str], mount: str = "") -> dict[str, str]:
    return {name: mount + BY_NAME[name].path for name in names}


def contenders() -> list[Contender]:
    """Everything that the suite can start, in the order of the report."""
    return [*(contender for home in HOMES for contender in _at_home(home)), *_rivals()]


def _at_home(home: str) -> Iterator[Contender]:
    apache = home.startswith("mod_wsgi")
    mount = MOUNT if apache else ""
    bare = home if apache else f"{home}, bare"
    yield Contender(home, BARE, bare, _paths((*_C, "python"), "/bare" if apache else ""))
    yield Contender(home, WAT_GUEST, home, {"hello": f"{mount}/wat?world"})
    yield Contender(home, C_GUEST, home, _paths(_C, mount))
    yield Contender(home, HTTP_GUEST, home, {"hello": f"{mount}/component?world"})
    if home in ("gunicorn-gthread", "mod_wsgi-daemon"):
        yield Contender(home, ISOLATED, home, {"hello": f"{mount}/isolated/hello?world"})
        yield Contender(home, ISOLATED_HTTP, home, {"hello": f"{mount}/isolated/component?world"})
    if home in ("gunicorn-gthread", "mod_wsgi-embedded"):
        yield Contender(home, PYTHON_GUEST, home, {"python": f"{mount}/cgi-bin/page.py?name=world"})
    if home == "gunicorn-gthread":
        yield Contender(home, WITHOUT_NATIVE, f"{home}, without native.c", _paths(["hello", "environment"]))
        yield Contender(home, NAIVE, f"{home}, naive", _paths(["hello"]))
        yield Contender(home, ONE_ROUTE, f"{home}, 1 route", {"hello": "/0?world"})
        yield Contender(home, MANY_ROUTES, f"{home}, 500 routes", {"hello": "/250?world"})


def _rivals() -> Iterator[Contender]:
    native = {name: f"/cgi-bin/{path.lstrip('/')}" for name, path in _paths(_C).items()}
    yield Contender("mod_cgid", NATIVE_C, "mod_cgid", native)
    yield Contender("mod_cgid", NATIVE_PYTHON, "mod_cgid", {"python": "/cgi-bin/page.py?name=world"})
    yield Contender("node", NODE, "node", _paths(["hello"]))
    yield Contender("wasmtime-serve", WASMTIME, "wasmtime-serve", _paths(["hello"]))


def cells(
    among: Sequence[Contender],
    servers: Sequence[str],
    workloads: Sequence[str],
    clients: Sequence[int],
    only: Sequence[str] = (),
) -> list[Cell]:
    """The table's cells for a selection: names of servers and workloads, numbers of clients, and texts of which one has
    to be in the cell's label."""
    found = []
    for workload in WORKLOADS:
        for contender in among:
            routes = contender.program in (ONE_ROUTE, MANY_ROUTES)
            chosen = NO_LOAD in workloads if routes else workload.name in workloads
            if workload.name not in contender.paths or contender.server not in servers or not chosen:
                continue
            for count in workload.clients if not routes else (8,):
                cell = Cell(contender, workload, count)
                if count in clients and (not only or any(text in cell.label for text in only)):
                    found.append(cell)
    return found


def foreign(name: str, url: str, clients: int) -> Cell:
    """A server that somebody else has started. Any answer of status 200 will do."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = (parts.hostname or "", parts.port or 80)
    contender = Contender(name, "rival", f"rival {name}", {"hello": path}, address)
    return Cell(contender, replace(HELLO, expected=0), clients)
