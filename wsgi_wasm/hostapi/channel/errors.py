"""How a service says no: by the numbers of errors that a guest's own libc has."""

from __future__ import annotations

from enum import IntEnum

from wsgi_wasm.engine.hostcalls.interface import HostError


class Errno(IntEnum):
    """Errors of WASI preview 1, as far as services have them (legacy/preview1/docs.md, `errno`)."""

    TOOBIG = 1
    ACCES = 2
    AGAIN = 6
    BADF = 8
    CONNREFUSED = 14
    CONNRESET = 15
    DEADLK = 16
    FBIG = 22
    HOSTUNREACH = 23
    INVAL = 28
    IO = 29
    MFILE = 33
    MSGSIZE = 35
    NETUNREACH = 40
    NOENT = 44
    NOLCK = 46
    NOSPC = 51
    NOSYS = 52
    NOTCONN = 53
    NOTSUP = 58
    PERM = 63
    PIPE = 64
    TIMEDOUT = 73


class Declined(HostError):
    """What a guest is told in place of an answer."""

    def __init__(self, number: Errno) -> None:
        super().__init__(number.name, int(number))
