"""`_routes`: what a WAGI module says of its own routes, when it is asked at the start.

The function is run once, while importing, in the same sandbox as guests: without variables, input
and directories, and with limits.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.binary.module_facts import read_facts
from wsgi_wasm.config.load import parse_config
from wsgi_wasm.engine.code.source import read_module
from wsgi_wasm.engine.guest import Invocation
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.engine.outcome import End
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.importers.report import ImportReport, SourceLine
from wsgi_wasm.messages import escaped, reason

FUNCTION = "_routes"
_SITE = b"routes: {/: {module: x, timeout: 5s, cpu: 5s, max_output: 256KiB, max_stderr: 0B}}"
_MOST = 500  # routes


class SubRoute(NamedTuple):
    """A route and the function that answers it."""

    route: str
    entry_point: str


def sub_routes(file: Path, route: str, report: ImportReport, place: SourceLine) -> list[SubRoute]:
    """The routes that a module prints for itself, below its own one, in WAGI's order: the last one
    that it printed goes first."""
    try:
        if not _has_function(file):
            return []
        text = _printed(file)
    except (OSError, WsgiWasmError) as error:
        report.decide(place, f"{FUNCTION} cannot be asked for the module's own routes: {reason(error)}")
        return []
    found = []
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            report.decide(place, f"{FUNCTION} printed a line that is no route: {escaped(line)}")
            return []
        found.append(SubRoute(_joined(route, words[0]), words[1]))
    if not found or len(found) > _MOST:
        report.decide(place, f"{FUNCTION} printed {len(found)} routes; from 1 to {_MOST} are taken")
        return []
    return found[::-1]


def _joined(route: str, pattern: str) -> str:
    return f"{route.removesuffix('/...').rstrip('/')}/{pattern.lstrip('/')}"


def _has_function(file: Path) -> bool:
    data = read_module(HostFile(file))
    if file.suffix == ".wat":
        data = wat_to_wasm(data)
    # A component is told apart by its version, and has no such function.
    return data[4:8] == b"\1\0\0\0" and FUNCTION in read_facts(data).entry_points


def _printed(file: Path) -> str:
    """What the function prints. Raises WsgiWasmError where it fails."""
    limits = parse_config(_SITE, "site.yaml").routes[0].limits
    store = ModuleStore.of(default_directory(None, os.environ), frozenset(), 1, lambda: (), {})
    linked = store.module(HostFile(file)).load_now(lambda seconds: None)
    gathered = _Gathered()
    guest = linked.guest(limits, (), lambda: NO_BINDINGS, FUNCTION)
    outcome = guest.run(Invocation((os.fsencode(file.name),), (), None, gathered))
    if outcome.end not in (End.RETURNED, End.EXITED):
        raise WsgiWasmError(f"it ended early: {escaped(outcome.detail or outcome.end.name)}")
    return (b"".join(gathered.pieces) + outcome.rest).decode("utf-8", "replace")


class _Gathered:
    """As `engine.guest.Client`: keeps the output."""

    errors_left = 0
    label = FUNCTION

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def output(self, data: bytes) -> None:
        self.pieces.append(data)

    def error_output(self, data: bytes) -> None:
        pass

    def gone(self) -> bool:
        return False
