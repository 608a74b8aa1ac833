"""Servers of their own for faults of the host: a site of a few guests, and a gunicorn with something wrong."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from guests.build import guest
from servers.client import get, wait_compiled
from servers.fixtures import GUNICORN_CONF
from servers.gunicorn import Gunicorn, start_gunicorn
from servers.process import wait_for
from servers.server import Server


def site_of(place: Path, *guests: str, keys: Mapping[str, Any] = {}, **top: Any) -> Path:
    """A site with a route for each guest, `hello` among them."""
    routes: dict[str, Any] = {}
    for name in ("hello", *guests):
        module = place / guest(name).name
        if not module.exists():
            shutil.copyfile(guest(name), module)
            module.chmod(0o644)
        routes[f"/{name}"] = {"module": module.name, "timeout": "5m", "memory": "16MiB", **keys}
    site = place / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes, **top}), encoding="utf-8")
    site.chmod(0o644)
    return site


@contextmanager
def gunicorn(
    place: Path,
    *,
    fault: str = "",
    workers: int = 1,
    threads: int = 4,
    env: Mapping[str, str] = {},
    options: Sequence[str] = (),
    prefix: Sequence[str] = (),
    ready: str | None = "/hello",
) -> Iterator[Gunicorn]:
    """gunicorn for `place/site.yaml`, with a cache in `place/cache` unless `env` names another.

    `fault` is Python that its master runs with the configuration, before there is a worker.
    """
    config = place / "faulty.conf.py"
    config.write_text(f"{GUNICORN_CONF.read_text('utf-8')}\n{fault}\n", encoding="utf-8")
    with start_gunicorn(
        "wsgi_wasm.wsgi:application",
        place,
        worker_class="gthread",
        workers=workers,
        threads=threads,
        config=config,
        env={"WSGI_WASM_CONFIG": str(place / "site.yaml"), "WSGI_WASM_CACHE": str(place / "cache"), **env},
        options=options,
        prefix=prefix,
        ready=ready,
    ) as server:
        yield server


def serves(server: Server, target: str = "/hello") -> None:
    """Return once the guest there is compiled and answers with 200."""
    wait_for(f"{target} to answer", partial(_is_200, server, target))


def _is_200(server: Server, target: str) -> bool:
    try:
        return get(server.address, target).status == 200
    except ConnectionError:  # of a worker that has just ended
        return False


def is_compiled(server: Server, *targets: str) -> None:
    """Return once the guests there are compiled."""
    wait_compiled(server.address, *targets)


def limit(server: Server, kind: int, value: int) -> None:
    """Lower a resource limit of the processes that run guests, while they run."""
    for pid in server.pids():
        resource.prlimit(pid, kind, (value, resource.prlimit(pid, kind)[1]))


def unlimit(server: Server, kind: int) -> None:
    """Take the limit away again."""
    for pid in server.pids():
        most = resource.prlimit(pid, kind)[1]
        resource.prlimit(pid, kind, (most, most))


def descriptors(server: Server) -> int:
    """How many files the processes that run guests have open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.pids())
