"""What a fork of the spawner becomes: a child or a compiler, within its walls."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wsgi_wasm.engine import compiling
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import WallError
from wsgi_wasm.hostapi import APIS
from wsgi_wasm.isolation import child
from wsgi_wasm.isolation.confine import Kernel, confine, confine_compiler
from wsgi_wasm.isolation.listeners import MOST, Listeners
from wsgi_wasm.isolation.network import needs_network, own_network
from wsgi_wasm.isolation.running import Wanted
from wsgi_wasm.walls import User
from wsgi_wasm.walls.cgroup import Group

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)


def forked(become: Callable[[], int]) -> int:
    """Fork; the number of the new process, which does this and ends with the status that it
    returns. Raises OSError."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        status = become()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def be_child(wanted: Wanted, control: socket.socket, printed: int, group: Group | None) -> int:
    """A process for guests. `printed` is where its output and errors go.

    It goes on while its server ends gracefully, whomever the system tells of that (systemd tells
    every process of a service), and ends with the spawner.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    tenant = wanted.tenant
    for descriptor, source in enumerate((os.open(os.devnull, os.O_RDONLY), printed, printed)):
        os.dup2(source, descriptor)
    # Where its connections cannot be confined, it makes none, and the gateway says so.
    alone = tenant.connects and needs_network() and own_network()
    listeners = Listeners(MOST if tenant.connects and (alone or not needs_network()) else 0)
    kept = [0, 1, 2, control.fileno(), *(one.fileno() for one in listeners.sockets)]
    confine(tenant, wanted.user, kept, Kernel(tuple(listeners.ports()), alone, group))
    child.main(control, APIS, tenant, listeners)
    return 0


def be_compiler(arguments: Sequence[str], streams: Sequence[int], cache: Path, user: User | None) -> int:
    """A process that compiles one module, into no other cache than this one."""
    for descriptor, source in enumerate(streams):
        os.dup2(source, descriptor)
    sys.argv[1:] = arguments

    def within_walls(options: argparse.Namespace) -> None:
        if options.cache not in (None, cache):
            raise WallError(f"the server's cache is {cache}, and not {options.cache}")
        confine_compiler(ModuleSource.from_json(options.source), options.cache, user)

    return compiling.main(within_walls)
