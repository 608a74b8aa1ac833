"""The module `wsgi_wasm_host_1`, by which programs ask their host for what WASI does not have.

Its one function is `call(operation, request, request_size, answer, room, answer_size) -> errno`,
all i32: docs/channel.md says what each is. Of an answer that is larger than `room` the guest gets
the beginning; operation 0 gives the rest, from the offset that its request has.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import memmove, string_at
from functools import partial

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.hostcalls.channel import OpenCall, opener
from wsgi_wasm.engine.hostcalls.host_api import AnyApi, Bindings
from wsgi_wasm.engine.program import locks
from wsgi_wasm.engine.program.forwarding import Arguments
from wsgi_wasm.engine.program.pool import ChannelFunction
from wsgi_wasm.engine.program.preview1 import INVAL, MSGSIZE, SUCCESS
from wsgi_wasm.engine.program.run import ProgramRun

_MAX_REQUEST = 1 << 20  # bytes; the services' limit, held before anything is copied
_REST = 0
# What is answered where the guest runs, and needs no grant but that of its directories.
_HERE = {0x300: locks.flock, 0x301: locks.record}
_U32 = 0xFFFFFFFF

_u32_at = c.UINT32.from_address


def channel_of(apis: Sequence[AnyApi], bindings: Bindings) -> ChannelFunction:
    """The function, for guests that may call these APIs with what a route binds to them."""
    return partial(_call, opener(apis, bindings))


def _call(open_call: OpenCall, run: ProgramRun, caller: int, args: Arguments) -> int:
    base = run.memory(caller)
    operation, request_at, size, answer_at, room, size_at = (args[2 * i] & _U32 for i in range(6))
    run.check(request_at, size)
    run.check(answer_at, room)
    run.check(size_at, 4)
    if size > _MAX_REQUEST:
        return MSGSIZE
    request = string_at(base + request_at, size)
    begin = 0
    if operation == _REST:
        if size != 4:
            return INVAL
        begin = int.from_bytes(request, "little")
    else:
        errno, run.answer = _asked(open_call, run, caller, operation, request)
        if errno:
            _u32_at(base + size_at).value = 0
            return errno
    piece = run.answer[begin : begin + room]
    memmove(base + answer_at, piece, len(piece))
    _u32_at(base + size_at).value = len(run.answer)
    return SUCCESS


def _asked(open_call: OpenCall, run: ProgramRun, caller: int, operation: int, request: bytes) -> tuple[int, bytes]:
    here = _HERE.get(operation)
    if here is not None:
        return here(run, caller, request)
    if run.channel is None:
        run.channel = open_call(run)
    return run.channel(operation, request)
