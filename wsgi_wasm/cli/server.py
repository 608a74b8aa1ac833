"""gunicorn with this package's settings, for a site and the options of `wsgi-wasm serve`."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from wsgi_wasm import gunicorn as hooks
from wsgi_wasm.app import Gateway
from wsgi_wasm.cli.source import site
from wsgi_wasm.cli.terminal import plural, say, shown, tell
from wsgi_wasm.config import Config, DirectoryTarget, Route, all_routes
from wsgi_wasm.config.changes import changes
from wsgi_wasm.errors import ConfigError, text_lines
from wsgi_wasm.gunicorn.access_log import CombinedLog, log_refused

_MARGIN = 15  # seconds between the longest request and gunicorn's patience

# What tells a worker to end. Until it has its own handlers it has the master's, which only queue a
# signal. So one that came too early would be lost, and the master would wait for its whole
# `graceful_timeout`.
_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


class Server(BaseApplication):  # type: ignore[misc]
    """The master holds the configuration: a worker that is replaced starts with one that is known
    to be good."""

    def __init__(self, config: Config, options: argparse.Namespace) -> None:
        self._config = config
        self._options = options
        super().__init__(prog="wsgi-wasm")
        os.register_at_fork(after_in_parent=_take_signals)

    def load_config(self) -> None:
        """gunicorn's settings, from ours."""
        for name, value in settings(self._config, self._options).items():
            self.cfg.set(name, value)
        self.cfg.set("when_ready", self._when_ready)

    def _when_ready(self, server: Any) -> None:
        hooks.start_root_spawner(server, self._config)
        show(self._config, self._options, server)

    def reload(self) -> None:
        """SIGHUP, in the master: a file with mistakes leaves the configuration in use as it is."""
        before = self._config
        try:
            self._config = site(self._options)
        except ConfigError as error:
            say(*text_lines(error), "the reload failed: the current configuration stays in use")
        else:
            say(f"{shown(self._options.file)} was reloaded: {changes(before, self._config)}")
        super().reload()

    def load(self) -> Gateway:
        """In a worker: the gateway for the master's configuration."""
        if self._config.reload:  # then the file may be newer than what the master has read
            try:
                return Gateway(site(self._options))
            except ConfigError as error:
                say(*text_lines(error), "this worker starts with the last good configuration")
        return Gateway(self._config)


def settings(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """gunicorn's settings by name; `conf/gunicorn.conf.py` says why."""
    longest = max((limits.timeout + limits.queue_timeout for _, limits in hooks.all_limits(config)), default=30)
    patience = math.ceil(longest) + _MARGIN
    return {
        "bind": str(options.bind),
        "worker_class": "gthread",
        "workers": options.workers,
        "threads": options.threads,
        "timeout": patience,
        "graceful_timeout": patience,
        "keepalive": 75,
        "worker_tmp_dir": hooks.heartbeat_directory(),
        "forwarder_headers": "",
        "limit_request_line": 8190,
        "limit_request_field_size": options.field_size,
        "control_socket_disable": True,
        "preload_app": False,
        "loglevel": "warning",
        "accesslog": options.access_log,
        "logger_class": CombinedLog,
        "post_worker_init": _post_worker_init,
        "pre_fork": _pre_fork,
    }


def _pre_fork(server: Any, worker: Any) -> None:
    """In the master. Signals that come from now on wait: for the master until it has forked, for
    the worker until it has its own handlers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    hooks.pre_fork(server, worker)


def _post_worker_init(worker: Any) -> None:
    """In the worker, which has its handlers and its application."""
    sys.dont_write_bytecode = True  # on a full disk Python leaves half of a .pyc file
    _take_signals()
    log_refused(worker)
    hooks.prepare(worker)  # the master has attached a log, whose level is not that of gunicorn's


def _take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def show(config: Config, options: argparse.Namespace, server: Any) -> None:
    """Where the routes answer. gunicorn listens already, so a request that follows at once is not
    refused."""
    for route in all_routes(config):
        if route.target is not None:
            for listener in server.LISTENERS:
                tell(f"{url(route, listener)}  {shown(route.target.path)}")
    size = f"{plural(options.workers, 'worker')} of {plural(options.threads, 'thread')}"
    tell(f"ready: {size}, master {os.getpid()}; Ctrl-C stops")


def url(route: Route, listener: Any) -> str:
    """The URL of a route at one of gunicorn's sockets; a virtual host in place of the address."""
    name = listener.getsockname()
    path = route.path + ("/" if isinstance(route.target, DirectoryTarget) and route.path != "/" else "")
    if not isinstance(name, tuple):
        return f"unix:{name} {route.host or ''}{path}"
    address = str(name[0])
    host = route.host or {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    bare_ipv6 = ":" in host and not host.startswith("[")
    return f"http://{f'[{host}]' if bare_ipv6 else host}:{name[1]}{path}"
