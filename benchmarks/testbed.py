"""Where servers are started: a folder with guests, sites and compiled modules, and a control group for each server."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import builds
from benchmarks.accounting import Group, Groups
from benchmarks.tools import Missing
from servers.server import Server

Start = Callable[[], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Running:
    """Something that answers; no `group` where its CPU time can only be seen as the machine's."""

    url: str
    address: tuple[str, int]
    group: Group | None = None
    server: Server | None = None


@dataclass(frozen=True, slots=True)
class Testbed:
    """`folder` can be entered by any server's user. `sites` are configurations by name: `site` with all programs, and
    as far as they were asked for `one`, `many` and `cold`, see `builds.lay_out_many`."""

    folder: Path
    cache: Path
    workers: int
    groups: Groups
    sites: dict[str, Path]

    def environ(self, site: str = "site") -> dict[str, str]:
        """What a server has to know in order to serve one of the sites."""
        return {"WSGI_WASM_CONFIG": str(self.sites[site]), "WSGI_WASM_CACHE": str(self.cache)}

    @contextlib.contextmanager
    def started(self, start: Start) -> Iterator[Running]:
        """A server in a control group of its own, for the length of the block."""
        group = self.groups.make() if self.groups.kind else None
        try:
            with ExitStack() as stack:
                with group.joined() if group else contextlib.nullcontext():
                    server = stack.enter_context(start())
                yield Running(server.url, server.address, group, server)
        finally:
            if group:
                group.close()


@contextlib.contextmanager
def prepared(workers: int, *, python: bool, sites: Collection[str], say: Callable[[str], None]) -> Iterator[Testbed]:
    """Builds and compiles everything for these sites besides the main one, for the length of the block.

    `python` asks for CPython as a guest, too; where it cannot be had, `say` is told why.
    """
    folder = Path(tempfile.mkdtemp(prefix="wsgi-wasm-benchmark-"))
    folder.chmod(0o755)
    try:
        made = {"site": _main_site(folder, python, say)}
        hello = builds.wat_module("hello") if sites else b""
        counts = {"one": (hello, 1), "many": (hello, builds.MANY)}
        if "cold" in sites:
            counts["cold"] = builds.c_guest("hello").read_bytes(), builds.COLD
        for name in sites:
            made[name] = builds.lay_out_many(folder, name, *counts[name])
        builds.compile_all(made.values(), folder / "cache")
        yield Testbed(folder, folder / "cache", workers, Groups(), made)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _main_site(folder: Path, python: bool, say: Callable[[str], None]) -> Path:
    try:
        return builds.lay_out(folder, python=python)
    except Missing as error:
        say(f"no Python guest: {error}")
        return builds.lay_out(folder, python=False)
