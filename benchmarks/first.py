"""What a request costs: the gateway against a bare engine loop, and against native CGI and a bare WSGI app.

`python benchmarks/first.py [--seconds N] [--rounds N]`; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
os.environ.setdefault("WSGI_WASM_CACHE", str(PROJECT / "build" / "cache"))

from guests.build import cached  # noqa: E402
from servers.apache import Apache, Site, give_to_server  # noqa: E402
from servers.fixtures import serve  # noqa: E402
from servers.gunicorn import start_gunicorn  # noqa: E402
from servers.server import Server  # noqa: E402
from wsgi_wasm import create_app  # noqa: E402
from wsgi_wasm.build import build  # noqa: E402
from wsgi_wasm.engine import _capi as c  # noqa: E402
from wsgi_wasm.engine import errors  # noqa: E402
from wsgi_wasm.engine.guest import Guest  # noqa: E402
from wsgi_wasm.engine.modules import ModuleStore  # noqa: E402

HELLO = PROJECT / "benchmarks" / "hello.c"
REQUESTS = 3000  # in-process requests of one measurement

FIELDS = {
    "HTTP_HOST": "localhost",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_COOKIE": "session=0123456789abcdef",
}


def environ() -> dict[str, Any]:
    """A request as gunicorn gives it; 21 variables reach the guest."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/hello",
        "QUERY_STRING": "name=world",
        "RAW_URI": "/hello?name=world",
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


# --- in one process ---


def bare_loop(guest: Guest, variables: list[bytes]) -> Callable[[], None]:
    """The least that a fresh sandbox takes through the C API: store, limits, WASI with its environment, standard output
    to a memory file, instantiation, call, reading, deletion."""
    set_env = c._short(
        "wasi_config_set_env", ctypes.c_bool, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p
    )
    set_stdout = c._short("wasi_config_set_stdout_file", ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p)
    engine = guest.linked.engine
    linker, prepared = c.linker_new(engine.pointer), ctypes.c_void_p()
    errors.taken(c.linker_define_wasi(linker))
    errors.taken(c.linker_instantiate_pre(linker, guest.linked._pointer, ctypes.byref(prepared)))
    slot = engine.take_slot(1)
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


class Sink:
    """A client that takes nothing."""

    def output(self, data: bytes) -> None: ...
    def error_output(self, data: bytes) -> None: ...
    def gone(self) -> bool:
        return False


def in_process(site: Path, rounds: int) -> dict[str, float]:
    gateway = create_app(site)
    first = environ()
    list(gateway(first, lambda *args: lambda data: None))
    config = gateway.config
    store = ModuleStore(Path(os.environ["WSGI_WASM_CACHE"]), frozenset(), config.engine.instances)
    route = config.routes[0]
    assert route.module is not None
    guest = Guest(store.module(route.module).get(60), route.limits, ())
    variables = environment_of(gateway)
    slot = guest.linked.engine.take_slot(1)
    sink = Sink()
    ways: dict[str, Callable[[], object]] = {
        "bare engine loop": bare_loop(guest, variables),
        "the engine's run": lambda: guest.run(slot, (b"hello.wasm",), variables, None, sink),
        "the whole gateway": lambda: list(gateway(environ(), lambda *args: lambda data: None)),
        "(building the environ)": environ,
    }
    print(f"{len(variables)} variables, {REQUESTS} requests a measurement, least of {rounds} rounds")
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            before = time.process_time()
            for _ in range(REQUESTS):
                way()
            costs[name].append((time.process_time() - before) / REQUESTS * 1e6)
    return {name: min(values) for name, values in costs.items()}


def environment_of(gateway: Any) -> list[bytes]:
    """What the guest of the first route gets, caught on its way."""
    caught: list[list[bytes]] = []
    original = Guest.run

    def catching(self: Guest, slot: Any, arguments: Any, environment: Any, *rest: Any) -> Any:
        caught.append(list(environment))
        return original(self, slot, arguments, environment, *rest)

    Guest.run = catching  # type: ignore[assignment, method-assign]
    try:
        list(gateway(environ(), lambda *args: lambda data: None))
    finally:
        Guest.run = original  # type: ignore[method-assign]
    return caught[0]


# --- behind servers ---


def machine_seconds() -> float:
    """CPU time that the whole machine has used, less this process's and its load generators'."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - own


def drive(server: Server, path: str, clients: int, seconds: int) -> float:
    """CPU microseconds a request. Raises SystemExit where an answer was not 2xx.

    The machine's time is taken and not that of the server's processes: mod_cgid ignores SIGCHLD, and then nobody is
    told what its children used.
    """
    threads = min(clients, 2)
    command = ["wrk", f"-t{threads}", f"-c{clients}", f"-d{seconds}s", f"{server.url}{path}"]
    before = machine_seconds()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = machine_seconds() - before
    if "Non-2xx" in text:
        raise SystemExit(f"{server.name}{path}: {text}")
    found = re.search(r"(\d+) requests in", text)
    assert found is not None
    return used / int(found[1]) * 1e6


@contextmanager
def all_servers(folder: Path, site: Path, native: Path) -> Iterator[dict[str, tuple[Server, str]]]:
    """Every way that is measured: its server and its path."""
    bare = folder / "bare_app.py"
    bare.write_text(
        "def application(environ, start_response):\n"
        "    body = b'hello world\\n'\n"
        "    fields = [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))]\n"
        "    start_response('200 OK', fields)\n"
        "    return [body]\n"
    )
    with ExitStack() as stack:
        ways: dict[str, tuple[Server, str]] = {}
        for name in ("gunicorn-gthread", "mod_wsgi-embedded", "mod_wsgi-daemon"):
            if not name.startswith("mod_wsgi"):
                server = stack.enter_context(serve(name, site, folder, ready="/hello", workers=2))
                ways[f"{name}: C guest"] = (server, "/hello")
                continue
            group = "process-group=wsgi-wasm" if name == "mod_wsgi-daemon" else ""
            text = f"WSGIScriptAlias /bare {bare} application-group=%{{GLOBAL}} {group}\n"
            text += f"<Directory {folder}>\n    Require all granted\n</Directory>\n"
            server = stack.enter_context(
                serve(name, site, folder, ready="/app/hello", workers=2, mount="/app", apache_text=text)
            )
            ways[f"{name}: C guest"] = (server, "/app/hello")
            ways[f"{name}: bare WSGI app"] = (server, "/bare")
        app = stack.enter_context(
            start_gunicorn(
                "bare_app:application",
                folder,
                name="bare",
                worker_class="gthread",
                workers=2,
                threads=8,
                options=("--chdir", str(folder)),
                ready="/",
            )
        )
        ways["gunicorn-gthread: bare WSGI app"] = (app, "/")
        cgi = stack.enter_context(Apache.start(Site(text="", native={"/cgi-bin/": native}), folder, name="native"))
        cgi.wait_ready("/cgi-bin/hello")
        ways["mod_cgid: native C"] = (cgi, "/cgi-bin/hello")
        yield ways


def behind_servers(folder: Path, site: Path, native: Path, rounds: int, seconds: int) -> dict[str, dict[int, float]]:
    costs: dict[str, dict[int, list[float]]] = {}
    with all_servers(folder, site, native) as ways:
        for turn in range(rounds):
            for name, (server, path) in ways.items():
                for clients in (1, 8):
                    print(f"\rround {turn + 1} of {rounds}: {name}, {clients} clients".ljust(78), end="", flush=True)
                    cost = drive(server, path, clients, seconds)
                    costs.setdefault(name, {}).setdefault(clients, []).append(cost)
    print("\r" + " " * 78 + "\r", end="")
    return {name: {clients: min(values) for clients, values in row.items()} for name, row in costs.items()}


def table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in
                        enumerate(zip(row, widths, strict=True))))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="of load for each measurement (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--in-process", action="store_true", help="only the part that needs no server")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        module = folder / "hello.wasm"
        build([HELLO], module)
        site = folder / "site.yaml"
        site.write_text("routes: {/hello: {module: hello.wasm}}\n")
        for path in (module, site):
            path.chmod(0o644)
        figures: dict[str, Any] = {"in_process_us": in_process(site, options.rounds)}
        bare = figures["in_process_us"]["bare engine loop"]
        table([("in one process", "CPU us", "ratio")] + [
            (way, f"{cost:.1f}", f"{cost / bare:.2f}") for way, cost in figures["in_process_us"].items()
        ])  # fmt: skip
        if not options.in_process:
            if shutil.which("wrk") is None:
                raise SystemExit("wrk is not installed: apt install wrk")
            native = folder / "cgi"
            native.mkdir()
            compiled = cached(
                PROJECT / "build" / "guests", "hello.cgi", ["gcc", HELLO],
                lambda output: subprocess.run(["gcc", "-O2", "-o", output, HELLO], check=True),
            )  # fmt: skip
            shutil.copy(compiled, native / "hello")
            (native / "hello").chmod(0o755)
            give_to_server(native)
            rows = behind_servers(folder, site, native, options.rounds, options.seconds)
            figures["server_us"] = rows
            cgi = rows["mod_cgid: native C"]
            print()
            table([("behind a server, CPU us a request", "1 client", "8 clients", "native / this")] + [
                (way, f"{row[1]:.0f}", f"{row[8]:.0f}", f"{cgi[1] / row[1]:.1f}x {cgi[8] / row[8]:.1f}x")
                for way, row in rows.items()
            ])  # fmt: skip
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
