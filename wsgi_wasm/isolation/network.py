"""A network of a child's own (network_namespaces(7)), for kernels whose Landlock does not know
ports.

There is nothing in it but a loopback interface. The sockets that the child listens on for the
gateway are made in it, and work wherever they are handed to.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path

from wsgi_wasm.syscalls import call
from wsgi_wasm.walls.landlock import confines_ports

# linux/sched.h, linux/sockios.h, linux/if.h
_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_REQUEST = struct.Struct("16sH14x")  # struct ifreq, as far as flags go


def needs_network() -> bool:
    """Whether connections of a child can only be confined by a network of its own."""
    return not confines_ports()


def own_network() -> bool:
    """Move this process, which must have no threads, into a network of its own; False where the
    system does not allow that."""
    uid, gid = os.geteuid(), os.getegid()
    flags = _NEWNET if uid == 0 else _NEWNET | _NEWUSER
    try:
        call("unshare", flags)
        if flags & _NEWUSER:
            # Files belong to whom they did before.
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            _, before = _REQUEST.unpack(fcntl.ioctl(any_socket, _GET_FLAGS, _REQUEST.pack(b"lo", 0)))
            fcntl.ioctl(any_socket, _SET_FLAGS, _REQUEST.pack(b"lo", before | _UP))
    except OSError:
        return False
    return True
