"""One site of hostile guests, which gunicorn and mod_wsgi serve, and what every request to it must leave as it was.

Each case has a route of its own that runs one guest at a time in each process. A guest that kept its slot would keep
the second request from it, so every case is asked twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from guests.build import component, guest
from servers.client import Answer, Connection, Truncated, get
from servers.packages import package_parent
from servers.process import wait_for
from servers.server import Server

SERVERS = ("gunicorn-gthread", "mod_wsgi-daemon")
CUT = -1
"""The status of an answer that breaks off after its head."""

KEYS: Mapping[str, Any] = {"timeout": "5m", "memory": "16MiB", "concurrency": 1}
"""What routes have unless a case says otherwise. No case but those about time comes near this `timeout`."""

SHORT: Mapping[str, Any] = {"timeout": "500ms"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault by request: what is sent to which guest, and what must come of it.

    `guest` is a test guest's name, `component` a test component's, `text` a module as text or bytes, or what makes it.
    `status` is one or several that are right, CUT among them. `log` and `body` are words that must be there,
    `absent` are some that must be nowhere in the answer, head and all.
    """

    row: str
    name: str
    guest: str = ""
    component: str = ""
    text: str | bytes | Callable[[], str | bytes] = ""
    keys: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    request_body: bytes = b""
    status: int | tuple[int, ...] = 200
    log: str = ""
    body: str | None = None
    absent: str = ""

    @property
    def id(self) -> str:
        return f"{self.row}-{self.name}"

    @property
    def route(self) -> str:
        return f"/{self.row}/{self.name}"

    @property
    def statuses(self) -> tuple[int, ...]:
        return (self.status,) if isinstance(self.status, int) else self.status


def module_of(case: Case, modules: Path) -> Path:
    """The case's module, copied to where Apache's user may read it."""
    if case.text:
        made = case.text() if callable(case.text) else case.text
        path = modules / (f"{case.id}.wat" if isinstance(made, str) else f"{case.id}.wasm")
        path.write_bytes(made.encode() if isinstance(made, str) else made)
    else:
        source = component(case.component) if case.component else guest(case.guest)
        path = modules / source.name
        if not path.exists():
            shutil.copyfile(source, path)
    path.chmod(0o644)
    return path


def lay_out(place: Path, cases: Iterable[Case], more: Mapping[str, Any], hosts: Mapping[str, Any] = {}) -> Path:
    """The site of all cases below `place`, with a good route `/hello`; `more` are further routes, `hosts` virtual
    hosts. Names of directories are taken below `place`."""
    modules = place / "modules"
    modules.mkdir()
    modules.chmod(0o755)
    routes: dict[str, Any] = {"/hello": {"module": str(module_of(Case(row="", name="", guest="hello"), modules))}}
    for case in cases:
        routes[case.route] = {"module": str(module_of(case, modules)), **KEYS, **case.keys}
    whole = {"routes": {**routes, **more}, "hosts": dict(hosts), "engine": {"instances": 12}, "state_dir": "state"}
    site = place / "site.yaml"
    site.write_text(yaml.safe_dump(whole), encoding="utf-8")
    site.chmod(0o644)
    return site


def compile_all(site: Path, cache: Path) -> None:
    """Fill a cache that servers of every user may read. Modules that cannot be compiled are among the cases."""
    command = [sys.executable, "-m", "wsgi_wasm", "compile", "--cache", str(cache), str(site)]
    environ = {**os.environ, "PYTHONPATH": str(package_parent())}
    subprocess.run(command, env=environ, capture_output=True, check=False)


def ask(server: Server, case: Case) -> tuple[int, str]:
    """The status of one answer, and all of it as text."""
    with Connection(server.address) as connection:
        connection.send_request(
            case.method,
            case.route + case.target,
            fields=[*case.fields, ("Connection", "close")],
            body=case.request_body,
        )
        try:
            answer = connection.read_answer()
        except Truncated as error:
            return CUT, error.body.decode("utf-8", "replace")
    return answer.status, answer.raw_head.decode("latin-1") + answer.text


def hold(server: Server, case: Case) -> None:
    """Ask twice, and look at the status, the log, and the server afterwards."""
    for _ in range(2):
        before = server.log().count(case.log)
        status, text = ask(server, case)
        if CUT in case.statuses and status == 200 and server.name.startswith("mod_wsgi"):
            status = CUT  # mod_wsgi cannot break an answer off; the log has it, which is looked at below
        assert status in case.statuses, f"{case.id}: {status}\n{text[:500]}\n{server.log()[-3000:]}"
        if case.body is not None:
            assert case.body in text
        if case.absent:
            assert case.absent not in text
        if case.log:
            wait_for(f"{case.log!r} in the log", partial(_logged, server, case.log, before), 30)


def _logged(server: Server, words: str, before: int) -> bool:
    return server.log().count(words) > before


class Watched:
    """A server that must not lose a process by what is done within the block, and serve its good route afterwards."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def __enter__(self) -> Server:
        self._pids = self._server.pids()
        return self._server

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            well(self._server)
            assert self._server.pids() == self._pids, f"a worker has ended\n{self._server.log()[-3000:]}"


def well(server: Server) -> Answer:
    """The good route answers."""
    answer = get(server.address, "/hello")
    assert answer.status == 200, server.log()[-3000:]
    return answer
