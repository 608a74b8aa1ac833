"""Hooks for gunicorn's configuration file; `conf/gunicorn.conf.py` imports them.

What they do about a broken configuration: gunicorn ends the whole server when a worker cannot load
its application (`HaltServer`), also after SIGHUP, and when one worker of many is replaced. At the
first start that is right. Later it would turn a typing mistake into an outage. So once any worker
has started, WSGI_WASM_LAST_GOOD=1 stands in the master's environment, and workers forked from then
on may start with the last configuration that was good.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from wsgi_wasm import log_output
from wsgi_wasm.errors import WallError
from wsgi_wasm.isolation.server import NAMED
from wsgi_wasm.logs import Seldom, package_log

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
    """In a worker, once its application is loaded: confine the process if its configuration says
    so, make the engine now instead of at the first request, and say which of gunicorn's times are
    too short for the routes. Nothing that fails here ends the worker, but walls that cannot be put
    up do, and then the server."""
    log_output.attach(worker.log.error_log.handlers, worker.log.error_log.level)
    confine(worker)
    _started[0] = 1
    if hasattr(worker, "tpool"):
        SlowHeads(worker)
        count_once(worker)
    gateway = own_gateway(worker.wsgi)
    if gateway is None:
        return
    for warning in time_warnings(gateway.config, worker.cfg, threaded=not sync(worker)):
        log.warning("wsgi_wasm: %s", warning)
    try:
        gateway.warm()
    except Exception:
        log.exception("wsgi_wasm: cannot warm up; the first request will try again")


def confine(worker: Any) -> None:
    """Put up the walls around a worker, for all gateways in it, also those that are wrapped by
    other middleware. Ends the worker where that fails: nobody shall take it for confined."""
    module = sys.modules.get("wsgi_wasm.app")
    gateways = [] if module is None else module.gateways()
    try:
        for gateway in gateways[:1]:  # it knows of the others
            gateway.harden(quiet=bool(_started[0]))
    except WallError as error:
        log.error("wsgi_wasm: harden: %s", error)
        sys.exit(_BOOT_ERROR)


def count_once(worker: Any) -> None:
    """Keep a `gthread` worker's count of its connections right where an answer is broken off.

    gunicorn then closes the socket itself, fails at closing it again, and counts the connection a
    second time. With a count below what there is, a worker that stops would leave its loop, in
    which it reports to its master and ends slow clients, before the last client has gone.
    """
    finish = worker.finish_request

    def finish_request(connection: Any, future: Any) -> None:
        if connection.sock.fileno() == -1:
            connection.close = lambda graceful=False: None
        finish(connection, future)

    worker.finish_request = finish_request


class SlowHeads:
    """Ends connections of a `gthread` worker on which the head of a request does not arrive.

    Such a connection holds a thread, and gunicorn lets it do so for ever: as many as there are
    threads would be the end of the service. The worker's loop looks once a second. While no thread
    is free, `CROWDED` seconds are enough.
    """

    PATIENCE = 15.0  # seconds; Apache's mod_reqtimeout begins with 20
    CROWDED = 2.0

    def __init__(self, worker: Any) -> None:
        self._threads = worker.cfg.threads
        # by thread: since when, and the connection
        self._waiting: dict[int, tuple[float, Any]] = {}
        self._busy: set[int] = set()  # threads that have a connection
        self._seldom = Seldom(log)
        self._handle, self._notify = worker.handle, worker.notify
        worker.handle, worker.notify = self.handle, self.notify
        for name in ("handle_request", "handle_http2", "handle_h2c_upgrade"):
            if hasattr(worker, name):
                setattr(worker, name, self._once_there(getattr(worker, name)))

    def handle(self, connection: Any) -> Any:
        """As the worker's, on a thread of its pool."""
        thread = threading.get_ident()
        self._busy.add(thread)
        self._waiting[thread] = time.monotonic(), connection
        try:
            return self._handle(connection)
        finally:
            self._waiting.pop(thread, None)
            self._busy.discard(thread)

    def _once_there(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """What the worker does with a head that has arrived."""

        def answer(*arguments: Any) -> Any:
            self._waiting.pop(threading.get_ident(), None)
            return inner(*arguments)

        return answer

    def notify(self) -> None:
        """As the worker's, in its loop."""
        self._notify()
        most = self.CROWDED if len(self._busy) >= self._threads else self.PATIENCE
        waiting = list(self._waiting.values())
        late = [connection for since, connection in waiting if time.monotonic() - since > most]
        for connection in late:
            # what waits for it reads the end of the connection
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RD)
        if late:
            self._seldom.warning(
                "late", f"ended connections on which no head of a request arrived in time: {len(late)}"
            )


def own_gateway(application: object) -> Gateway | None:
    """The application itself if it is a gateway. One that is wrapped by other middleware is
    not looked for."""
    module = sys.modules.get("wsgi_wasm.app")  # not imported: then it is not the application either
    if module is None or not isinstance(application, module.Gateway):
        return None
    return cast("Gateway", application)


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
