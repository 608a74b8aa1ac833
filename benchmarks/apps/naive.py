"""A C program of the benchmark behind WSGI as the `wasmtime` package's own documentation leads one to write it.

Everything that can be made once is made once: engine, linker, module. Each request gets a store of its own, its
environment, and a temporary file for standard output. There are no limits, no streaming and no errors handled.
`BENCHMARK_MODULE` names the module.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from wasmtime import Engine, ExitTrap, Func, Linker, Module, Store, WasiConfig

ENGINE = Engine()
LINKER = Linker(ENGINE)
LINKER.define_wasi()
MODULE = Module.from_file(ENGINE, os.environ["BENCHMARK_MODULE"])


def variables(environ: dict[str, Any]) -> list[tuple[str, str]]:
    """The meta-variables, as far as the server gives them."""
    return [(name, value) for name, value in environ.items() if isinstance(value, str) and name.isupper()]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """PEP 3333."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as output:
        config = WasiConfig()
        config.argv = ["hello"]
        config.env = variables(environ)
        config.stdout_file = output.name
        with Store(ENGINE) as store:
            store.set_wasi(config)
            start = LINKER.instantiate(store, MODULE).exports(store)["_start"]
            assert isinstance(start, Func)
            try:
                start(store)
            except ExitTrap as end:
                if end.code:
                    raise
        head, _, body = output.read().partition(b"\r\n\r\n")
    name, _, value = head.decode("latin-1").partition(": ")
    start_response("200 OK", [(name, value), ("Content-Length", str(len(body)))])
    return [body]
