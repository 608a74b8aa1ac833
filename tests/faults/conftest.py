"""The servers that the cases share, each started once for all tests, when one first asks for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from servers.apache import give_to_server
from servers.fixtures import serve
from servers.server import Server

from .client_site import HOSTS, ROUTES, make_docroot
from .found_cases import FOUND_CASES
from .guest_cases import GUEST_CASES
from .guest_files import make_tree
from .site import SERVERS, compile_all, lay_out


def spool_of(place: Path, name: str) -> Path:
    """Where a server keeps large bodies."""
    return place / f"spool-{name}"


Started = Callable[[str], Server]


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """What the servers serve, where Apache's user may go."""
    path = Path(tempfile.mkdtemp(prefix="wsgi-wasm-faults-"))
    path.chmod(0o755)
    for folder in make_tree(path):
        give_to_server(folder)
    make_docroot(path)
    (path / "state").mkdir(mode=0o700)
    give_to_server(path / "state")
    site = lay_out(path, [*GUEST_CASES, *FOUND_CASES], ROUTES, HOSTS)
    compile_all(site, path / "cache")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def started(place: Path) -> Iterator[Started]:
    """A server by its name: one process with eight threads."""
    with ExitStack() as stack:
        running: dict[str, Server] = {}

        def start(name: str) -> Server:
            if name not in running:
                logs = place / name
                logs.mkdir(exist_ok=True)
                spool = spool_of(place, name)
                spool.mkdir(mode=0o755, exist_ok=True)
                give_to_server(spool)
                served = serve(
                    name,
                    place / "site.yaml",
                    logs,
                    cache=place / "cache",
                    workers=1,
                    threads=8,
                    ready="/hello",
                    env={"TMPDIR": str(spool)},
                )
                running[name] = stack.enter_context(served)
            return running[name]

        yield start


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, started: Started) -> Server:
    """Every test under both servers."""
    return started(str(request.param))
