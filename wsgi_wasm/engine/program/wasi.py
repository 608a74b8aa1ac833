"""The functions of `wasi_snapshot_preview1` that the gateway itself answers; Wasmtime
answers the others.

Why these: a guest's standard output is the response, so what it writes goes from its memory to the
client with no file or second thread in between, and the write is where limits bind. A Wasmtime host
call cannot be interrupted, so sleeping (`poll_oneoff`) is done here in slices. The environment is
handed over as bytes: Wasmtime's own setter takes UTF-8 only, and header values need not be.

Descriptors other than the three standard streams belong to Wasmtime: see `forwarding`, and `files`
for what is bounded there. No call runs for longer than a tick without a look at the clock.

Each function gets the run, the caller and its arguments as 64-bit integers at even indexes, and
returns an errno. Specification: WebAssembly/WASI, legacy/preview1/docs.md.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from ctypes import memmove, string_at
from typing import Any

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import error_trap
from wsgi_wasm.engine.capi.native import Failed, Take, native
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.program.descriptors import fd_filestat_get, fd_prestat_dir_name, fd_prestat_get
from wsgi_wasm.engine.program.directories import closed, renumbered
from wsgi_wasm.engine.program.files import FUNCTIONS_OF_FILES, FUNCTIONS_ON_PATHS, MAX_VECTORS, VECTOR, transfer
from wsgi_wasm.engine.program.forwarding import FORWARDED, Arguments, forward
from wsgi_wasm.engine.program.frozen import rooted
from wsgi_wasm.engine.program.frozen_descriptors import fd_readdir, on_close, on_filestat, on_renumber
from wsgi_wasm.engine.program.opening import path_open
from wsgi_wasm.engine.program.preview1 import BADF, FAULT, INVAL, SUCCESS
from wsgi_wasm.engine.program.run import Exited, Fault, ProgramRun, current
from wsgi_wasm.engine.run import TRAP, epoch_callback

_U32 = 0xFFFFFFFF
_MAX_READ = 1 << 20  # bytes of one call; a guest that wants more calls again
_MAX_WRITE = 0x7FFFF000  # the same, as of Linux (write(2))
_RANDOM_PIECE = 1 << 16
_MAX_SUBSCRIPTIONS = 1024

_u32_at = c.UINT32.from_address
_vectors = VECTOR.iter_unpack


def fd_write(run: ProgramRun, caller: int, args: Arguments) -> int:
    descriptor = args[0] & _U32
    stream = run.streams.get(descriptor)
    if stream is None:
        return transfer(run, caller, "fd_write", args)
    base = run.memory(caller)
    vectors, count, written_at = args[2] & _U32, args[4] & _U32, args[6] & _U32
    if stream == 0:
        return BADF
    if count > MAX_VECTORS:
        return INVAL
    run.check(vectors, 8 * count)
    run.check(written_at, 4)
    write = run.write if stream == 1 else run.write_error
    total = 0
    for address, length in _vectors(string_at(base + vectors, 8 * count)):
        if length:
            run.check(address, length)
            length = min(length, _MAX_WRITE - total)
            write(base + address, length)
            total += length
    _u32_at(base + written_at).value = total
    return SUCCESS


def fd_read(run: ProgramRun, caller: int, args: Arguments) -> int:
    stream = run.streams.get(args[0] & _U32)
    if stream is None:
        return transfer(run, caller, "fd_read", args)
    base = run.memory(caller)
    vectors, count, read_at = args[2] & _U32, args[4] & _U32, args[6] & _U32
    if stream != 0:
        return BADF
    if count > MAX_VECTORS:
        return INVAL
    run.check(vectors, 8 * count)
    run.check(read_at, 4)
    total = 0
    for address, length in _vectors(string_at(base + vectors, 8 * count)):
        if length:
            run.check(address, length)
            data = run.read(min(length, _MAX_READ - total))
            memmove(base + address, data, len(data))
            total += len(data)
            if len(data) < length:
                break
    _u32_at(base + read_at).value = total
    return SUCCESS


def fd_close(run: ProgramRun, caller: int, args: Arguments) -> int:
    # A closed standard descriptor is free again: the next file that the guest opens may get
    # its number.
    descriptor = args[0] & _U32
    run.change_streams()
    if run.slot.forwarding is None:
        return BADF if run.streams.pop(descriptor, None) is None else SUCCESS
    errno = forward(run, caller, "fd_close", args)
    if errno == SUCCESS and run.streams.pop(descriptor, None) is None:
        run.files -= 1
        closed(run, descriptor)
    return errno


def fd_renumber(run: ProgramRun, caller: int, args: Arguments) -> int:
    source, target = args[0] & _U32, args[2] & _U32
    run.change_streams()
    if run.slot.forwarding is None:
        errno = SUCCESS if source in run.streams and target in run.streams else BADF
    else:
        errno = forward(run, caller, "fd_renumber", args)
    if errno == SUCCESS and source != target:
        if run.streams.pop(target, None) is None:
            run.files -= 1  # what had that number is closed
        if source in run.streams:
            run.streams[target] = run.streams.pop(source)
        renumbered(run, source, target)
    return errno


def proc_exit(run: ProgramRun, _caller: int, args: Arguments) -> int:
    # Wasmtime takes statuses from 126 on for an error; programs do exit with 255.
    raise Exited(args[0] & _U32)


def environ_sizes_get(run: ProgramRun, caller: int, args: Arguments) -> int:
    base = run.memory(caller)
    count_at, size_at = args[0] & _U32, args[2] & _U32
    run.check(count_at, 4)
    run.check(size_at, 4)
    _u32_at(base + count_at).value = len(run.environment)
    _u32_at(base + size_at).value = sum(map(len, run.environment)) + len(run.environment)
    return SUCCESS


def environ_get(run: ProgramRun, caller: int, args: Arguments) -> int:
    base = run.memory(caller)
    pointers_at, text_at = args[0] & _U32, args[2] & _U32
    environment = run.environment
    if not environment:
        return SUCCESS
    text = b"\0".join(environment) + b"\0"
    run.check(pointers_at, 4 * len(environment))
    run.check(text_at, len(text))
    address, addresses = text_at, []
    for variable in environment:
        addresses.append(address)
        address += len(variable) + 1
    memmove(base + pointers_at, struct.pack(f"<{len(addresses)}I", *addresses), 4 * len(addresses))
    memmove(base + text_at, text, len(text))
    return SUCCESS


# subscription: u64 userdata, u8 tag, then from 16: clock {u32 id, u64 timeout at 24, u64 precision,
# u16 flags at 40} or fd {u32 descriptor}; 48 bytes. event: u64 userdata, u16 errno, u8 type, u64
# bytes at 16, u16 flags; 32 bytes.
_subscriptions = struct.Struct("<QB7xI4xQQH6x").iter_unpack
_event = struct.Struct("<QHB5xQH6x").pack
_REALTIME, _MONOTONIC = 0, 1
_ABSOLUTE = 1


def poll_oneoff(run: ProgramRun, caller: int, args: Arguments) -> int:
    base = run.memory(caller)
    asked_at, events_at, count, count_at = (args[2 * i] & _U32 for i in range(4))
    if not 0 < count <= _MAX_SUBSCRIPTIONS:
        return INVAL
    run.check(asked_at, 48 * count)
    run.check(events_at, 32 * count)
    run.check(count_at, 4)
    asked = list(_subscriptions(string_at(base + asked_at, 48 * count)))
    now = time.monotonic()
    moments: list[tuple[float, int]] = []
    events: list[bytes] = []
    for userdata, tag, identity, timeout, _precision, flags in asked:
        if tag != 0:
            # Files and the request body never make a guest wait in poll: the next read or write
            # does, if need be.
            events.append(_event(userdata, SUCCESS, tag, 1, 0))
        elif identity not in (_REALTIME, _MONOTONIC):
            events.append(_event(userdata, INVAL, 0, 0, 0))
        else:
            moments.append((_moment(run, identity, timeout, flags, now), userdata))
    if not events:
        run.sleep_until(min(moments)[0])
    now = time.monotonic()
    events += [_event(userdata, SUCCESS, 0, 0, 0) for moment, userdata in moments if moment <= now]
    data = b"".join(events)
    memmove(base + events_at, data, len(data))
    _u32_at(base + count_at).value = len(events)
    return SUCCESS


def _moment(run: ProgramRun, identity: int, timeout: int, flags: int, now: float) -> float:
    """When a clock subscription is due, on the host's monotonic clock."""
    seconds = timeout / 1e9
    if not flags & _ABSOLUTE:
        return now + seconds
    if identity == _REALTIME:
        return now + seconds - time.time()
    return run.began + seconds  # Wasmtime starts a guest's monotonic clock with its store


def random_get(run: ProgramRun, caller: int, args: Arguments) -> int:
    base = run.memory(caller)
    address, size = args[0] & _U32, args[2] & _U32
    run.check(address, size)
    while size:
        piece = min(size, _RANDOM_PIECE)
        memmove(base + address, os.urandom(piece), piece)
        run.look()
        address += piece
        size -= piece
    return SUCCESS


# --- entering Python ------------------------------------------------------------------------------


def _entry(function: Callable[[ProgramRun, int, Arguments], int]) -> Any:
    """The C side of one function. Nothing that Python raises may cross into Wasmtime,
    whatever it is."""

    def enter(_data: int | None, caller: int, args: Arguments, _count: int) -> int:
        try:
            args[0] = function(current.run or current.the_run(), caller, args)
        except Fault:
            args[0] = FAULT
        except BaseException as failure:
            current.keep(failure)
            return int(c.trap_new(TRAP, len(TRAP)))
        return 0

    return c.HostFunction(enter)


def _take(address: int, size: int) -> int:
    """What a native run has gathered; not 0 where the run must end."""
    try:
        current.the_run().write(address, size)
    except BaseException as failure:
        current.keep(failure)
        return 1
    return 0


def _failed(error: int) -> None:
    """What a function of Wasmtime's ended with that a native run has forwarded."""
    current.keep(Stop(End.STOPPED, error_trap(error)))


ON_EPOCH = epoch_callback(current)

if native is not None:
    native.give_functions(Take(_take), Failed(_failed))


def _channel_call(run: ProgramRun, caller: int, args: Arguments) -> int:
    assert run.slot.channel is not None  # every guest that imports it has one
    return run.slot.channel(run, caller, args)


CHANNEL_FUNCTION = _entry(_channel_call), ("i32",) * 6

_2, _4 = ("i32", "i32"), ("i32", "i32", "i32", "i32")

# name: entry (None: only where a run is native), parameters, whether it returns an errno
FUNCTIONS: dict[str, tuple[Any, tuple[str, ...], bool]] = {
    "args_get": (None, _2, True),
    "args_sizes_get": (None, _2, True),
    "environ_get": (_entry(environ_get), _2, True),
    "environ_sizes_get": (_entry(environ_sizes_get), _2, True),
    "fd_close": (_entry(on_close(fd_close)), ("i32",), True),
    "fd_filestat_get": (_entry(on_filestat(fd_filestat_get)), _2, True),
    "fd_prestat_dir_name": (_entry(fd_prestat_dir_name), ("i32", "i32", "i32"), True),
    "fd_prestat_get": (_entry(fd_prestat_get), _2, True),
    "fd_read": (_entry(fd_read), _4, True),
    "fd_renumber": (_entry(on_renumber(fd_renumber)), _2, True),
    "fd_write": (_entry(fd_write), _4, True),
    "path_open": (_entry(rooted("path_open", path_open)), FORWARDED["path_open"], True),
    "poll_oneoff": (_entry(poll_oneoff), _4, True),
    "proc_exit": (_entry(proc_exit), ("i32",), False),
    "random_get": (_entry(random_get), _2, True),
    "fd_readdir": (_entry(fd_readdir), ("i32", "i32", "i32", "i64", "i32"), True),
    **{name: (_entry(function), FORWARDED[name], True) for name, function in FUNCTIONS_OF_FILES.items()},
    **{name: (_entry(rooted(name, function)), FORWARDED[name], True) for name, function in FUNCTIONS_ON_PATHS.items()},
}
