"""What a run of a component is given through WASI: arguments, environment, its
three streams, directories."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Sequence
from typing import cast

from wsgi_wasm.engine.capi import component as cc
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.capi.arrays import array
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.component.feeder import BodySource, Feeder
from wsgi_wasm.engine.component.output_file import PIECE
from wsgi_wasm.engine.component.run import ComponentRun
from wsgi_wasm.engine.guest import Input, Invocation, Preopen
from wsgi_wasm.engine.pooled_guest import wasi_config
from wsgi_wasm.errors import Unavailable

# Why a run could not begin, by `refused` of native_component.c.
NO_OUTPUT = "/proc is missing, and components need it for their output"
NO_INPUT = "the file with the request's body cannot be opened again"
NO_TEXTS = "the request data cannot be passed to the guest"
REFUSALS = {1: NO_OUTPUT, 2: NO_INPUT, 3: NO_TEXTS}


def grant_wasi(
    context: int,
    run: ComponentRun,
    invocation: Invocation,
    preopens: Sequence[Preopen],
) -> None:
    """Give all of it to a store. Raises Unavailable where a directory or a file
    cannot be opened."""
    stdin = invocation.stdin
    config = grant_by_hand(run, stdin, preopens)
    try:
        _set_texts(config, invocation.arguments, invocation.environment)
        if not (cc.wasi_stdout_file(config, run.output.path) and cc.wasi_stderr_file(config, run.errors.path)):
            raise Unavailable(NO_OUTPUT)
        if stdin is not None and run.feeder is None:
            _give_input(config, *input_of(stdin))
    except BaseException:
        c.wasi_delete(config)
        raise
    taken(c.set_wasi(context, config))


def grant_by_hand(run: ComponentRun, stdin: Input | None, preopens: Sequence[Preopen]) -> int:
    """A `wasi_config_t` with what takes Python in every case: directories, and a body that is still
    coming, which comes through a pipe. Raises Unavailable."""
    config = wasi_config(preopens)
    try:
        if is_coming(stdin):
            run.feeder = Feeder(cast("BodySource", stdin))
            if not cc.wasi_stdin_file(config, run.feeder.path):
                raise Unavailable("the request's body cannot be passed to the guest")
            run.feeder.begin()
    except BaseException:
        c.wasi_delete(config)
        raise
    return config


def is_coming(stdin: Input | None) -> bool:
    """Whether a body is read from the client while the guest runs."""
    return hasattr(stdin, "stop")


def input_of(stdin: Input) -> tuple[bytes | None, bytes | None]:
    """A body that has been read: its bytes, or the path that opens its file."""
    if isinstance(stdin, io.BytesIO):
        return stdin.getvalue(), None
    if isinstance(stdin, io.IOBase):
        return None, f"/proc/self/fd/{stdin.fileno()}".encode()
    return b"".join(iter(lambda: stdin.read(PIECE), b"")), None


def utf8(data: bytes) -> bytes:
    """Text of the Component Model is UTF-8: bytes that are not become U+FFFD, which names
    nothing by accident."""
    return data if data.isascii() else data.decode("utf-8", "replace").encode()


def _set_texts(config: int, arguments: Sequence[bytes], environment: Sequence[bytes]) -> None:
    """Raises Unavailable."""
    texts = [utf8(argument) for argument in arguments]
    given = c.wasi_argv(config, len(texts), array(ctypes.c_char_p, len(texts))(*texts))
    pairs = [utf8(variable).partition(b"=") for variable in environment]
    names = array(ctypes.c_char_p, len(pairs))(*(name for name, _, _ in pairs))
    values = array(ctypes.c_char_p, len(pairs))(*(value for _, _, value in pairs))
    if not (given and cc.wasi_env(config, len(pairs), names, values)):
        raise Unavailable(NO_TEXTS)


def _give_input(config: int, data: bytes | None, path: bytes | None) -> None:
    if data is None:
        if not cc.wasi_stdin_file(config, path):
            raise Unavailable(NO_INPUT)
        return
    vector = c.ByteVec()
    v.byte_vec_new(ctypes.byref(vector), len(data), data)
    cc.wasi_stdin_bytes(config, ctypes.byref(vector))
