"""Hooks for gunicorn's configuration file; `conf/gunicorn.conf.py` imports them.

What they do about a broken configuration: gunicorn ends the whole server when a worker cannot load
its application (`HaltServer`), also after SIGHUP, and when one worker of many is replaced. At the
first start that is right. Later it would turn a typing mistake into an outage. So once any worker
has started, WSGI_WASM_LAST_GOOD=1 stands in the master's environment, and workers forked from then
on may start with the last configuration that was good.
"""

from __future__ import annotations

import importlib
import mmap
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from wsgi_wasm import log_output
from wsgi_wasm.errors import WallError
from wsgi_wasm.gunicorn.connections import Partings, SlowHeads
from wsgi_wasm.gunicorn.requests import drop_rest_of_bodies, join_cookies, log_cut_answers
from wsgi_wasm.isolation.server import NAMED
from wsgi_wasm.logs import package_log

if TYPE_CHECKING:
    from wsgi_wasm.app import Gateway
    from wsgi_wasm.config.model import Config, Limits

log = package_log("gateway")

LAST_GOOD = "WSGI_WASM_LAST_GOOD"

_BOOT_ERROR = 3  # gunicorn's `Arbiter.WORKER_BOOT_ERROR`: no worker will do better

# One byte that master and workers share: has a worker started? `when_ready` would not tell, for
# gunicorn calls it before it forks the first worker. A new master (SIGUSR2) imports this anew and
# begins with "no".
_started = mmap.mmap(-1, 1)
os.environ.pop(LAST_GOOD, None)


def heartbeat_directory() -> str | None:
    """For `worker_tmp_dir`: where the files go by whose times the master sees that workers live.

    That is memory where there is such a directory, else gunicorn's own choice. Where no file can be
    made at all (a read-only container), they are files in memory without a directory.
    """
    for directory in ("/dev/shm", None):
        try:
            with tempfile.TemporaryFile(prefix="wgunicorn-", dir=directory):
                return directory
        except OSError:
            pass
    base: Any = importlib.import_module("gunicorn.workers.base")
    base.WorkerTmp = _Heartbeat
    return None


class _Heartbeat:
    """As `gunicorn.workers.workertmp.WorkerTmp`."""

    def __init__(self, settings: Any) -> None:
        self._file = open(os.memfd_create("wgunicorn"), "w+b", buffering=0)  # noqa: SIM115

    def notify(self) -> None:
        now = time.monotonic()
        os.utime(self._file.fileno(), (now, now))

    def last_update(self) -> float:
        return os.fstat(self._file.fileno()).st_mtime

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def when_ready(server: Any) -> None:
    """In the master, before the first fork, for the site of wsgi_wasm.wsgi. gunicorn takes hooks of
    one parameter alone."""
    start_root_spawner(server, None)


def start_root_spawner(server: Any, config: Config | None) -> None:
    """In the master, before the first fork: start what runs guests as other users (`user`), which a
    worker that is not root cannot. Without a `config` the site is that of wsgi_wasm.wsgi."""
    os.environ[NAMED] = str(os.getpid())
    if os.geteuid() == 0 and server.cfg.uid:
        # the hooks are imported by masters that need none of it
        from wsgi_wasm.serving import start_spawner_of_root

        start_spawner_of_root(config, int(server.cfg.uid))


def pre_fork(server: Any, worker: Any) -> None:
    """In the master, before each fork: workers know their server by its first process, and from
    the second generation on may use the last good configuration."""
    os.environ[NAMED] = str(os.getpid())
    if _started[0]:
        os.environ[LAST_GOOD] = "1"


def post_worker_init(worker: Any) -> None:
    """In a worker, once its application is loaded: log where gunicorn does, and `prepare`."""
    log_output.attach(worker.log.error_log.handlers, worker.log.error_log.level)
    prepare(worker)


def prepare(worker: Any) -> None:
    """Confine the process if its configuration says so, make the engine now instead of at the first
    request, and say which of gunicorn's times are too short for the routes. Nothing that fails here
    ends the worker, but walls that cannot be put up do, and then the server."""
    confine(worker)
    _started[0] = 1
    if hasattr(worker, "tpool"):
        SlowHeads(worker)
        Partings(worker)
    leave_proxies_to_gateways(worker.cfg)
    join_cookies(worker.cfg)
    log_cut_answers(worker.cfg)
    drop_rest_of_bodies(worker.cfg)
    gateway = own_gateway(worker.wsgi)
    if gateway is None:
        return
    for warning in time_warnings(gateway.config, worker.cfg, threaded=not sync(worker)):
        log.warning("wsgi_wasm: %s", warning)
    try:
        gateway.warm()
    except Exception:
        log.exception("wsgi_wasm: cannot warm up; the first request will try again")


def leave_proxies_to_gateways(settings: Any) -> None:
    """Where a gateway has `trusted_proxies`, gunicorn believes no peer by rules of its own
    (`forwarded_allow_ips`), nor refuses a request because two fields contradict each other."""
    if any(gateway.config.trusted_proxies is not None for gateway in _gateways()):
        settings.set("secure_scheme_headers", {})
        settings.set("forwarder_headers", "")


def confine(worker: Any) -> None:
    """Put up the walls around a worker, for all gateways in it, also those that are wrapped by
    other middleware. Ends the worker where that fails: nobody shall take it for confined."""
    try:
        for gateway in _gateways()[:1]:  # it knows of the others
            gateway.harden(quiet=bool(_started[0]))
    except WallError as error:
        log.error("wsgi_wasm: harden: %s", error)
        sys.exit(_BOOT_ERROR)


def own_gateway(application: object) -> Gateway | None:
    """The application itself if it is a gateway. One that is wrapped by other middleware is
    not looked for."""
    return next((gateway for gateway in _gateways() if gateway is application), None)


def _gateways() -> list[Gateway]:
    """All gateways of this process; none where nothing has imported what makes them."""
    module = sys.modules.get("wsgi_wasm.app")
    return [] if module is None else cast("list[Gateway]", module.gateways())


def sync(worker: Any) -> bool:
    """Whether `timeout` bounds each request: the sync worker reports to its master
    only between requests."""
    return bool(worker.cfg.worker_class_str == "sync")


def all_limits(config: Config) -> Iterator[tuple[str, Limits]]:
    """The limits of every route, with its name."""
    for route in chain(config.routes, *config.hosts.values()):
        yield route.name, route.limits


def time_warnings(config: Config, settings: Any, *, threaded: bool) -> list[str]:
    """What to say about `timeout` and `graceful_timeout` (seconds) of gunicorn's `settings`; empty
    if all is well."""
    name, longest = max(
        ((name, limits.timeout + limits.queue_timeout) for name, limits in all_limits(config)),
        key=lambda pair: pair[1],
        default=("", 0.0),
    )
    what = f"route {name} may take {longest:g} s (timeout and queue_timeout)"
    found = []
    if not threaded and 0 < settings.timeout < longest:  # 0: no limit
        found.append(f"timeout is {settings.timeout} s, but {what}: gunicorn will kill the worker first")
    if settings.graceful_timeout < longest:
        found.append(
            f"graceful_timeout is {settings.graceful_timeout} s, but {what}: a reload or stop can cut its answer off"
        )
    return found
