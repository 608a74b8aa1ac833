"""Locks on a guest's files: the host's own, on that very file.

So a native program that still uses a file and a guest respect each other, and so do guests of
whatever process. Wasmtime owns the guest's descriptors. Hence the file is opened once more, and
what was opened here holds the lock: that of flock(2), or record locks of an open file (fcntl(2),
F_OFD_SETLK), which conflict with those that processes have. These operations of the channel are
answered where the guest runs, as only there its descriptors are known.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable
from ctypes import c_uint64, string_at

from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.program import preview1 as p
from wsgi_wasm.engine.program.directories import places
from wsgi_wasm.engine.program.forwarding import forward
from wsgi_wasm.engine.program.held import HeldLocks, RecordLocks
from wsgi_wasm.engine.program.listing import inode
from wsgi_wasm.engine.program.root import FILESTAT, borrowed
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.files.beneath import open_beneath

MOST = 64  # files on which a run holds locks at a time

_ERRNO = {
    errno.EACCES: p.AGAIN, errno.EAGAIN: p.AGAIN, errno.EBADF: p.BADF, errno.EDEADLK: p.DEADLK,
    errno.EINVAL: p.INVAL, errno.ENOLCK: p.NOLCK, errno.ENOSYS: p.NOSYS, errno.EOPNOTSUPP: p.NOTSUP,
    errno.EOVERFLOW: p.OVERFLOW,
}  # fmt: skip

_FLOCK = struct.Struct("<II")  # the guest's descriptor, and LOCK_* of flock(2)
# the guest's descriptor, what to do, the type of the lock, where it begins, how many bytes it has
_RECORD = struct.Struct("<IIIqq")
_FOUND = struct.Struct("<Iqq")  # type, begin and length of a lock that is in the way
_HOST = struct.Struct("@hhqqi")  # struct flock of fcntl(2)
_GET, _SET, _SET_WAITING = range(3)
_READ, _WRITE, _UNLOCK = range(3)
_HOST_TYPES = (fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02  # seconds between two attempts


class _NotLocked(Exception):
    """The guest is told an errno."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def flock(run: ProgramRun, caller: int, request: bytes) -> tuple[int, bytes]:
    """The operation: an errno, and nothing."""
    if len(request) != _FLOCK.size:
        return p.INVAL, b""
    descriptor, operation = _FLOCK.unpack(request)
    kind = operation & ~fcntl.LOCK_NB
    if kind not in (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN):
        return p.INVAL, b""
    if descriptor in run.streams:
        return p.SUCCESS, b""  # nobody else has it
    if descriptor not in places(run):
        return p.BADF, b""
    held = _held(run)
    if kind == fcntl.LOCK_UN:
        run.files -= held.end_whole(descriptor)
        return p.SUCCESS, b""
    own = held.whole.get(descriptor)
    try:
        if own is None:
            held.whole[descriptor] = own = _opened(run, caller, descriptor, _number(run, caller, descriptor))
            new = True
        else:
            new = False
        try:
            _wait(run, lambda: fcntl.flock(own, kind | fcntl.LOCK_NB), not operation & fcntl.LOCK_NB)
        except _NotLocked:
            if new:
                run.files -= held.end_whole(descriptor)
            raise
    except _NotLocked as refused:
        return refused.number, b""
    return p.SUCCESS, b""


def record(run: ProgramRun, caller: int, request: bytes) -> tuple[int, bytes]:
    """The operation: an errno, and for a question the lock that is in the way."""
    if len(request) != _RECORD.size:
        return p.INVAL, b""
    descriptor, command, kind, begin, length = _RECORD.unpack(request)
    if command > _SET_WAITING or kind > _UNLOCK or descriptor in run.streams:
        return p.INVAL, b""
    if descriptor not in places(run):
        return p.BADF, b""
    try:
        number = _number(run, caller, descriptor)
        locks = _held(run).records.get(number)
        if locks is None:
            if kind == _UNLOCK and command != _GET:
                return p.SUCCESS, b""
            locks = RecordLocks(_opened(run, caller, descriptor, number))
            _held(run).records[number] = locks
        asked = _HOST.pack(_HOST_TYPES[kind], os.SEEK_SET, begin, length, 0)
        if command == _GET:
            found = _asked(locks.own, asked)
            if not locks.through:
                _end(run, number)
            return p.SUCCESS, found
        locks.through.add(descriptor)
        own = locks.own
        _wait(run, lambda: fcntl.fcntl(own, fcntl.F_OFD_SETLK, asked), command == _SET_WAITING)
    except _NotLocked as refused:
        return refused.number, b""
    except struct.error:
        return p.INVAL, b""
    return p.SUCCESS, b""


def _held(run: ProgramRun) -> HeldLocks:
    if run.locks is None:
        run.locks = HeldLocks()
    return run.locks


def _end(run: ProgramRun, number: int) -> None:
    os.close(_held(run).records.pop(number).own)
    run.files -= 1


def _asked(own: int, asked: bytes) -> bytes:
    """The lock that keeps a descriptor from having one. Raises _NotLocked."""
    try:
        kind, _, begin, length, _ = _HOST.unpack(fcntl.fcntl(own, fcntl.F_OFD_GETLK, asked))
    except OSError as error:
        raise _NotLocked(_ERRNO.get(error.errno or 0, p.IO)) from None
    return _FOUND.pack(_HOST_TYPES.index(kind), begin, length)


def _wait(run: ProgramRun, attempt: Callable[[], object], waits: bool) -> None:
    """Try until it is done, and look at the limits between two times. Raises _NotLocked, Stop."""
    pause = _FIRST_PAUSE
    while True:
        try:
            attempt()
        except OSError as error:
            number = _ERRNO.get(error.errno or 0, p.IO)
            if number != p.AGAIN or not waits:
                raise _NotLocked(number) from None
        else:
            return
        if pause < _LONGEST_PAUSE:
            run.look()
            time.sleep(pause)
            pause *= 2
        else:
            run.sleep_until(time.monotonic() + pause)


# --- the file once more ---------------------------------------------------------------------------


def _number(run: ProgramRun, caller: int, descriptor: int) -> int:
    """The inode of what a descriptor is, as guests see it. Raises _NotLocked."""
    with borrowed(run, caller, bytes(FILESTAT.size), []) as at:
        failed = forward(run, caller, "fd_filestat_get", array(c_uint64, 4)(descriptor, 0, at))
        number: int = FILESTAT.unpack(string_at(run.base + at, FILESTAT.size))[1]
    if failed:
        raise _NotLocked(failed)
    return number


def _opened(run: ProgramRun, caller: int, descriptor: int, number: int) -> int:
    """The guest's file, opened by the host. Raises _NotLocked."""
    if len(_held(run)) >= MOST or not run.may_open():
        raise _NotLocked(p.NOLCK)
    folder, path = places(run)[descriptor]
    writable = any(one.folder is folder and one.writable for one in run.slot.preopens)
    for access in (os.O_RDWR, os.O_RDONLY) if writable else (os.O_RDONLY,):
        flags = access | os.O_NONBLOCK | os.O_NOCTTY
        try:
            own = open_beneath(folder.real(), path, flags)
        except (OSError, ValueError):
            own = -1
        if own < 0 or not _is(own, number):
            own = _of_another_name(number, flags)
        if own >= 0:
            run.files += 1
            return own
    raise _NotLocked(p.NOLCK)


def _of_another_name(number: int, flags: int) -> int:
    """The same where the file has been renamed or removed by now: Wasmtime has it open in this
    process. -1 where it is not found."""
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return -1
    for name in descriptors:
        try:
            status = os.fstat(int(name))
            if stat.S_ISREG(status.st_mode) and inode(status.st_dev, status.st_ino) == number:
                own = os.open(f"/proc/self/fd/{name}", flags | os.O_CLOEXEC)
                if _is(own, number):
                    return own
        except OSError:
            continue
    return -1


def _is(own: int, number: int) -> bool:
    """Whether a descriptor is of the file with this number; it is closed if not."""
    status = os.fstat(own)
    if (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)) and (
        inode(status.st_dev, status.st_ino) == number
    ):
        return True
    os.close(own)
    return False
