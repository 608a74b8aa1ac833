"""Snapshots of C programs, as `wasmtime wizer` takes them: the memory of one that has been called once."""

from __future__ import annotations

import tempfile

import wasmtime

from guests.binary import section, vector
from wsgi_wasm.binary.reader import Reader
from wsgi_wasm.binary.writer import unsigned

INITIALIZE = "wizer-initialize"
_MEMORY, _COUNT, _DATA = 5, 12, 11
_ZERO_OFFSET = b"\0\x41\0\x0b"  # an active segment of memory 0, at (i32.const 0)


def snapshot(module: bytes) -> bytes:
    """A program whose `wizer-initialize` has been called, when `/` was its only directory. Its globals must be what
    they were before."""
    memory = _memory_after(module)
    pages = len(memory) >> 16
    data = memory.rstrip(b"\0")
    new = {
        _MEMORY: vector([b"\0" + unsigned(pages)]),
        _COUNT: unsigned(1),
        _DATA: vector([_ZERO_OFFSET + unsigned(len(data)) + data]),
    }
    made, reader = module[:8], Reader(module, 8, len(module))
    while reader.position < len(module):
        number = reader.byte()
        body = reader.take(reader.number())
        made += section(number, new.get(number, body))
    return made


def _memory_after(module: bytes) -> bytes:
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    linker.define_wasi()
    with tempfile.TemporaryDirectory() as empty:
        wasi = wasmtime.WasiConfig()
        wasi.preopen_dir(empty, "/")
        store.set_wasi(wasi)
        exports = linker.instantiate(store, wasmtime.Module(engine, module)).exports(store)
        initialize, memory = exports[INITIALIZE], exports["memory"]
        assert isinstance(initialize, wasmtime.Func)
        assert isinstance(memory, wasmtime.Memory)
        initialize(store)
        return bytes(memory.read(store))
