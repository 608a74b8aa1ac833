"""What a run of a component is given through WASI: arguments, environment, its three streams, directories."""

from __future__ import annotations

import ctypes
import io
import os
from collections.abc import Sequence
from typing import cast

from wsgi_wasm.engine import _capi as c
from wsgi_wasm.engine import _component_capi as cc
from wsgi_wasm.engine import _component_values as v
from wsgi_wasm.engine.component_run import ComponentRun
from wsgi_wasm.engine.errors import taken
from wsgi_wasm.engine.feeder import Feeder, Source
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.output_file import PIECE
from wsgi_wasm.engine.run import Input
from wsgi_wasm.errors import Unavailable


def grant_wasi(
    context: int,
    run: ComponentRun,
    arguments: Sequence[bytes],
    environment: Sequence[bytes],
    stdin: Input | None,
    preopens: Sequence[Preopen],
) -> None:
    """Give all of it to a store. Raises Unavailable where a directory or a file cannot be opened."""
    config = c.wasi_new()
    try:
        _set_texts(config, arguments, environment)
        if not (cc.wasi_stdout_file(config, run.output.path) and cc.wasi_stderr_file(config, run.errors.path)):
            raise Unavailable("/proc is not there, which components need for their output")
        if stdin is not None:
            _give_input(config, run, stdin)
        for preopen in preopens:
            if not c.wasi_preopen(config, preopen.host, preopen.guest, preopen.writable):
                raise Unavailable(
                    f"directory {os.fsdecode(preopen.host)!r} (in the guest {os.fsdecode(preopen.guest)!r}) "
                    "cannot be opened"
                )
    except BaseException:
        c.wasi_delete(config)
        raise
    taken(c.set_wasi(context, config))


def _set_texts(config: int, arguments: Sequence[bytes], environment: Sequence[bytes]) -> None:
    texts = [_utf8(argument) for argument in arguments]
    c.wasi_argv(config, len(texts), (ctypes.c_char_p * len(texts))(*texts))
    pairs = [_utf8(variable).partition(b"=") for variable in environment]
    names = (ctypes.c_char_p * len(pairs))(*(name for name, _, _ in pairs))
    values = (ctypes.c_char_p * len(pairs))(*(value for _, _, value in pairs))
    cc.wasi_env(config, len(pairs), names, values)


def _utf8(data: bytes) -> bytes:
    """Text of the Component Model is UTF-8: bytes that are not become U+FFFD, which names nothing by accident."""
    return data if data.isascii() else data.decode("utf-8", "replace").encode()


def _give_input(config: int, run: ComponentRun, stdin: Input) -> None:
    """The request's body: a file by its path, one that is still coming through a pipe, anything else as bytes."""
    if hasattr(stdin, "stop"):
        run.feeder = Feeder(cast("Source", stdin))
        if not cc.wasi_stdin_file(config, run.feeder.path):
            raise Unavailable("the request's body finds no way into the guest")
        run.feeder.begin()
        return
    if isinstance(stdin, io.BytesIO) or not isinstance(stdin, io.IOBase):
        data = stdin.getvalue() if isinstance(stdin, io.BytesIO) else _read_all(stdin)
        vector = c.ByteVec()
        v.byte_vec_new(ctypes.byref(vector), len(data), data)
        cc.wasi_stdin_bytes(config, ctypes.byref(vector))
        return
    descriptor = stdin.fileno()
    if not cc.wasi_stdin_file(config, f"/proc/self/fd/{descriptor}".encode()):
        raise Unavailable("the file of the request's body cannot be opened anew")


def _read_all(stdin: Input) -> bytes:
    pieces = []
    while piece := stdin.read(PIECE):
        pieces.append(piece)
    return b"".join(pieces)
