"""What a fork of the spawner becomes: a child within its walls."""

from __future__ import annotations

import os
import signal
import socket
import sys

from wsgi_wasm.hostapi import APIS
from wsgi_wasm.isolation import child
from wsgi_wasm.isolation.confine import confine
from wsgi_wasm.isolation.listeners import MOST, Listeners
from wsgi_wasm.isolation.tenant import Tenant
from wsgi_wasm.walls import user_of


def be_child(group: Tenant, control: socket.socket, printed: int) -> None:
    """What the fork becomes. Never returns."""
    status = 1
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        listeners = Listeners(MOST if group.connects else 0)
        kept = [0, 1, 2, control.fileno(), *(one.fileno() for one in listeners.sockets)]
        confine(group, None if group.user is None else user_of(group.user), kept, listeners.ports())
        child.main(control, APIS, group.idle, listeners)
        status = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)
