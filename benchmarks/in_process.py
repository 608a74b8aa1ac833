"""What the gateway costs without a server: against a bare loop over Wasmtime's C API, with and without native.c.

`python3 -m benchmarks.in_process SITE ROUNDS` prints the figures of one process as JSON; the probe starts one for each
way, as the compiled part is chosen when the package is loaded.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks import PROJECT
from benchmarks.results import Figure
from benchmarks.testbed import Testbed

if TYPE_CHECKING:
    from wsgi_wasm.engine.program.guest import ProgramGuest

REQUESTS = 3000  # of one measurement
ROUNDS = 7
PATH = "/hello"

BARE_LOOP = "bare loop over the C API"
RUN = "the engine's run"
GATEWAY = "the whole gateway"
COMPILED, PYTHON = "with native.c", "without native.c"

FIELDS = {
    "HTTP_HOST": "localhost",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_COOKIE": "session=0123456789abcdef",
}


def measure(testbed: Testbed, servers: Sequence[str], notes: list[str]) -> list[Figure]:
    """CPU microseconds a request of the C program, 21 variables, each way in a process of its own."""
    figures = []
    for subject, native in ((COMPILED, "1"), (PYTHON, "0")):
        command = [sys.executable, "-m", "benchmarks.in_process", str(testbed.sites["site"]), str(ROUNDS)]
        environment = {**os.environ, **testbed.environ(), "WSGI_WASM_NATIVE": native}
        done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
        if done.returncode:
            notes.append(f"in-process, {subject}: {done.stderr.strip().splitlines()[-1]}")
            continue
        found = json.loads(done.stdout)
        if found.pop("native") != (native == "1"):
            notes.append("in-process: the compiled part is not there")
        figures += [Figure("in-process", "none", subject, name, "us", values) for name, values in found.items()]
    return figures


def environ() -> dict[str, Any]:
    """A request as gunicorn gives it; 21 variables reach the guest."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "name=world",
        "RAW_URI": f"{PATH}?name=world",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "gunicorn/27.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        **FIELDS,
    }


class Sink:
    """A client that takes nothing."""

    label = "benchmark"
    errors_left = 0

    def output(self, data: bytes) -> None: ...
    def error_output(self, data: bytes) -> None: ...
    def gone(self) -> bool:
        return False


def figures(site: Path, rounds: int) -> dict[str, Any]:
    """CPU microseconds a request by way, one value a round."""
    from wsgi_wasm import create_app
    from wsgi_wasm.engine.capi.native import native
    from wsgi_wasm.engine.guest import Invocation
    from wsgi_wasm.engine.program.guest import ProgramGuest

    gateway = create_app(site)
    caught: list[tuple[ProgramGuest, Invocation]] = []
    original = ProgramGuest.run

    def catching(self: ProgramGuest, invocation: Invocation) -> Any:
        caught.append((self, invocation))
        return original(self, invocation)

    with mock.patch.object(ProgramGuest, "run", catching):
        answer(gateway)
    guest, invocation = caught[0]
    variables = list(invocation.environment)
    alone = invocation._replace(client=Sink())
    ways: dict[str, Callable[[], object]] = {
        RUN: lambda: guest.run(alone),
        GATEWAY: lambda: answer(gateway),
    }
    if native is None:
        # Its linker has Wasmtime's own functions; where ours are compiled, they expect a run of theirs.
        ways[BARE_LOOP] = bare_loop(guest, variables)
    found: dict[str, Any] = {"native": native is not None, **{name: [] for name in ways}}
    for _ in range(rounds):
        for name, way in ways.items():
            before = time.process_time()
            for _ in range(REQUESTS):
                way()
            found[name].append((time.process_time() - before) / REQUESTS * 1e6)
    return found


def answer(gateway: Any) -> None:
    """One request; raises AssertionError for another answer than the right one."""
    seen: list[str] = []
    body = b"".join(gateway(environ(), lambda status, fields: seen.append(status)))
    assert seen == ["200 OK"], (seen, body)
    assert body == b"hello name=world\n"


def bare_loop(guest: ProgramGuest, variables: list[bytes]) -> Callable[[], None]:
    """The least that a fresh sandbox takes through the C API by ctypes: store, limits, WASI with its environment,
    standard output to a memory file, instantiation, call, reading, deletion."""
    from wsgi_wasm.engine.capi import core as c
    from wsgi_wasm.engine.capi import errors

    set_env = c._short(
        "wasi_config_set_env", ctypes.c_bool, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p
    )
    set_stdout = c._short("wasi_config_set_stdout_file", ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p)
    engine = guest.linked.engine
    linker, prepared = c.linker_new(engine.pointer), ctypes.c_void_p()
    errors.taken(c.linker_define_wasi(linker))
    errors.taken(c.linker_instantiate_pre(linker, guest.linked._pointer, ctypes.byref(prepared)))
    slot, _ = engine.take_slot(1)
    output = os.memfd_create("output")
    path = f"/proc/self/fd/{output}".encode()
    pairs = [variable.partition(b"=") for variable in variables]
    names = (ctypes.c_char_p * len(pairs))(*(pair[0] for pair in pairs))
    buffer = bytearray(65536)

    def once() -> None:
        store = c.store_new(engine.pointer, None, None)
        context = c.store_context(store)
        c.store_limiter(store, guest.limits.memory, 100_000, 2, 8, 1)
        config = c.wasi_new()
        c.wasi_argv(config, 1, (ctypes.c_char_p * 1)(b"hello.wasm"))
        values = (ctypes.c_char_p * len(pairs))(*(pair[2] for pair in pairs))
        set_env(config, len(pairs), names, values)
        set_stdout(config, path)
        errors.taken(c.set_wasi(context, config))
        c.set_epoch_deadline(context, 1 << 40)
        c.instantiate(prepared, context, slot.instance_at, slot.trap_at)
        c.export_get(context, slot.instance_at, b"_start", 6, slot.extern_at)
        error = c.call(context, slot.func_at, None, 0, None, 0, slot.trap_at)
        if error:
            c.error_delete(error)
        size = os.preadv(output, [buffer], 0)
        assert bytes(buffer[:size]).startswith(b"Content-Type")
        c.store_delete(store)

    return once


if __name__ == "__main__":
    print(json.dumps(figures(Path(sys.argv[1]), int(sys.argv[2]))))
