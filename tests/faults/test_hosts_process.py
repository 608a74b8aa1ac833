"""Processes that are killed, stopped, forked, interrupted or short of something, while guests run in them."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from guests.build import guest
from servers.client import Connection, Truncated, get, request
from servers.fixtures import serve
from servers.packages import package_parent
from servers.process import wait_for
from servers.server import Server

from .hosts import descriptors, gunicorn, is_compiled, limit, serves, site_of, unlimit


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("gunicorn-gthread", number) for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)),
        ("mod_wsgi-daemon", signal.SIGKILL),  # Apache looks for processes that have ended every few seconds
    ],
)
def test_a_worker_that_dies(name: str, number: signal.Signals, open_tmp: Path) -> None:
    """H8: requests on it are lost, others are not; another takes its place, and nothing stale is left."""
    site = site_of(open_tmp, "sleep")
    with serve(name, site, open_tmp, workers=2, threads=4, ready="/hello") as server:
        is_compiled(server, "/sleep?seconds=0")
        before = server.pids()
        with Connection(server.address) as connection:
            connection.send_request("GET", "/sleep?seconds=3000")
            time.sleep(0.5)
            wait_for("another worker", partial(replaced, server, before[0], number))
        wait_for("answers from both", lambda: all(get(server.address, "/hello").status == 200 for _ in range(20)))
        assert before[1] in server.pids()
        assert not list(open_tmp.glob("cache*/.making-*"))


def replaced(server: Server, pid: int, number: signal.Signals) -> bool:
    """Whether there is another worker in this one's place; else it is sent the signal. Wasmtime's handler gives a first
    SIGSEGV that is no guest's back to the system, and returns to the instruction, which a real fault would repeat."""
    if pid in server.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return False
    return len(server.pids()) == 2


def stop(server: Server, *numbers: signal.Signals) -> float:
    """Send these to the server one after the other; how many seconds it took to end."""
    began = time.monotonic()
    for number in numbers:
        if not server.process.exited():
            with contextlib.suppress(Exception):
                server.process.send(number)
        time.sleep(0.2)
    assert server.process.exited(60), "it goes on"
    return time.monotonic() - began


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT,)])
def test_a_stop_while_long_guests_run(numbers: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    """H9: guests that would take longer than graceful_timeout are cut; the server ends."""
    site_of(tmp_path, "loop", "sleep")
    with gunicorn(tmp_path, threads=8, options=["--graceful-timeout", "1"]) as server:
        is_compiled(server, "/sleep?seconds=0")
        connections = [Connection(server.address) for _ in range(6)]
        for index, connection in enumerate(connections):
            connection.send_request("GET", "/loop" if index % 2 else "/sleep?seconds=3000")
        time.sleep(0.5)
        assert stop(server, *numbers) < 30
        assert not server.process.members()
        for connection in connections:
            connection.close()


def test_a_stop_lets_short_guests_end(tmp_path: Path) -> None:
    """H9: within graceful_timeout every answer is whole."""
    site_of(tmp_path, "sleep")
    with gunicorn(tmp_path, threads=8, options=["--graceful-timeout", "30"]) as server, ThreadPoolExecutor(6) as pool:
        is_compiled(server, "/sleep?seconds=0")
        answers = [pool.submit(get, server.address, "/sleep?seconds=2") for _ in range(6)]
        time.sleep(0.7)
        stop(server, signal.SIGTERM)
        assert [answer.result().status for answer in answers] == [200] * 6


def test_descriptors_run_out(tmp_path: Path) -> None:
    """H11, G9: idle connections take all that the limit allows; when they go, everything is as before."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    site_of(tmp_path, "manyfds", "echo", keys={"dirs": {"/data": "data"}})
    with gunicorn(tmp_path, threads=8) as server:
        is_compiled(server, "/manyfds?path=/data/file&most=1", "/echo")
        limit(server, resource.RLIMIT_NOFILE, descriptors(server) + 16)
        answer = get(server.address, "/manyfds?path=/data/file")
        assert answer.status in (200, 503), "the guest is refused a file, or has none"
        assert get(server.address, "/hello").status == 200
        held = [Connection(server.address) for _ in range(64)]
        time.sleep(1)
        with contextlib.suppress(OSError, Truncated):  # perhaps nobody takes this one
            request(server.address, "POST", "/echo", body=b"x" * 3_000_000, timeout=3)
        for connection in held:
            connection.close()
        unlimit(server, resource.RLIMIT_NOFILE)
        wait_for("answers again", lambda: answers(server), 60)
        assert request(server.address, "POST", "/echo", body=b"x" * 3_000_000).status == 200


def answers(server: Server) -> bool:
    """Whether the good route answers within seconds."""
    try:
        return request(server.address, "GET", "/hello", timeout=5).status == 200
    except OSError:
        return False


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))"


def test_too_little_address_space(tmp_path: Path) -> None:
    """H12: what the pool would reserve is looked at before the engine is made: 503, and the log says what to change."""
    site_of(tmp_path)
    with gunicorn(tmp_path, fault=LIMITED.format(2 << 30)) as server:
        before = server.pids()
        for _ in range(3):
            assert get(server.address, "/hello").status == 503
        assert "RLIMIT_AS" in server.log()
        assert server.pids() == before


def test_address_space_for_a_small_pool(tmp_path: Path) -> None:
    """H12: fewer instances fit."""
    site_of(tmp_path, engine={"instances": 2})
    with gunicorn(tmp_path, fault=LIMITED.format(64 << 30)) as server:
        serves(server)


def test_memory_runs_out_while_it_serves(tmp_path: Path) -> None:
    """H12: no more pages for the process: requests that need them fail.

    The engine ends a process that has no memory for its own small needs; then another takes its place.
    """
    site_of(tmp_path, "alloc", "echo", keys={"memory": "256MiB"})
    with gunicorn(tmp_path) as server:
        is_compiled(server, "/alloc?most=1", "/echo")
        before = server.pids()
        used = int(Path(f"/proc/{before[0]}/statm").read_text().split()[5]) * resource.getpagesize()
        limit(server, resource.RLIMIT_DATA, used + (20 << 20))
        for _ in range(3):
            with contextlib.suppress(OSError, http.client.HTTPException):
                assert get(server.address, "/alloc").status in (200, 502, 503, 500)
                assert server.process.members()
                request(server.address, "POST", "/echo", body=b"x" * 9_000_000)
        if server.pids() == before:
            unlimit(server, resource.RLIMIT_DATA)
        wait_for("answers again", lambda: answers(server), 60)


def ran(tmp_path: Path, code: str, *guests: str, **options: str) -> list[str]:
    """The lines that a program prints whose `client` serves a site of these guests; it must end well."""
    site = site_of(tmp_path, *guests, keys={"timeout": "2s"})
    begin = "import sys\nfrom werkzeug.test import Client\nfrom wsgi_wasm import create_app\n"
    environ = {**os.environ, "PYTHONPATH": str(package_parent()), "WSGI_WASM_CACHE": str(tmp_path / "cache"), **options}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", f"{begin}client = Client(create_app(sys.argv[1]))\n{code}", str(site)],
        capture_output=True, text=True, check=False, env=environ, timeout=240,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
    return ended.stdout.splitlines()


STACKS = """
import threading
for kib in (128, 256, 512, 1024, 2048, 8192):
    threading.stack_size(kib << 10)
    for depth in (0, 100):
        def call(left):
            if left:
                return call(left - 1)
            print(kib, client.get("/recurse_calls").status_code, client.get("/recurse").status_code,
                  client.get("/hello").status_code)
        thread = threading.Thread(target=call, args=(depth,))
        thread.start()
        thread.join(60)
"""


def test_threads_with_small_stacks(tmp_path: Path) -> None:
    """G8: musl's default, mod_wsgi's stack-size and others: refused, or recursion traps; the process goes on."""
    lines = ran(tmp_path, STACKS, "recurse_calls", "recurse")
    assert len(lines) == 12
    for line in lines:
        kib, *statuses = map(int, line.split())
        assert statuses == [503] * 3 if kib <= 512 else statuses in ([502, 502, 200], [503] * 3), line
    assert lines[-1] == "8192 502 502 200"


FORK = """
import os, threading
running = threading.Thread(target=lambda: print(client.get("/loop").status_code, flush=True))
assert client.get("/hello").status_code == 200
assert client.get("/loop").status_code == 504  # so it is compiled, however long that takes
running.start()
import time
time.sleep(0.5)
if os.fork() == 0:
    print(client.get("/hello").status_code, client.get("/loop").status_code, flush=True)
    os._exit(0)
print(client.get("/hello").status_code, flush=True)
assert os.wait()[1] == 0
running.join()
"""


def test_a_fork_while_a_guest_runs(tmp_path: Path) -> None:
    """H16: the child makes an engine of its own; the parent's guest goes on to its end."""
    assert sorted(ran(tmp_path, FORK, "loop")) == ["200", "200 504", "504"]


CALLBACKS = """
import os, traceback
from wsgi_wasm.engine.program import wasi
from wsgi_wasm.gateway import answer
RAISING = (KeyboardInterrupt, SystemExit, MemoryError, ZeroDivisionError, GeneratorExit)
def outcome(target):
    written = []
    def write(data):
        if raising is not None:
            raise raising("in a callback")
        written.append(data)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": target, "QUERY_STRING": "bytes=300000", "SERVER_NAME": "x",
               "SERVER_PORT": "80", "HTTP_HOST": "x", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
               "wsgi.input": __import__("io").BytesIO(), "wsgi.errors": sys.stderr}
    try:
        written += client.application(environ, lambda status, fields, error=None: write)
    except BaseException as error:
        return type(error).__name__
    return sum(map(len, written))
raising = None
print(outcome("/flood"))
for raising in RAISING:
    for _ in range(20):
        found = outcome("/flood")
    print(found)
raising = None
print(outcome("/flood"), client.get("/hello").status_code, client.get("/loop").status_code)
"""


@pytest.mark.parametrize("native", ["1", "0"])
def test_exceptions_in_callbacks(tmp_path: Path, native: str) -> None:
    """H17: none crosses Wasmtime, whatever it is, and no slot is kept; more often than the pool has slots.

    What a server's write() raises counts as a client that has left, unless it is to end the process.
    """
    lines = ran(tmp_path, CALLBACKS, "flood", "loop", WSGI_WASM_NATIVE=native)
    raised = ["KeyboardInterrupt", "SystemExit", "ClientLeft", "ClientLeft", "GeneratorExit"]
    assert lines == ["300000", *raised, "300000 200 504"]


HANDLERS = """
import faulthandler, signal
TRAPS = ("/trap?kind=oob", "/trap?kind=div", "/trap?kind=unreachable", "/recurse_calls", "/hello")
def statuses():
    return [client.get(target).status_code for target in TRAPS]
faulthandler.enable()
print(statuses())
print(statuses())
"""


def test_a_fault_handler_that_is_there_first(tmp_path: Path) -> None:
    """H18: faulthandler has SIGSEGV when the engine is made; traps are traps."""
    assert ran(tmp_path, HANDLERS, "trap", "recurse_calls") == ["[502, 502, 502, 502, 200]"] * 2


def test_without_standard_error(tmp_path: Path) -> None:
    """H20: closed, as a daemon may have it; requests do not notice."""
    site_of(tmp_path, "stderr", "trap")
    fault = "errorlog = '/dev/null'; accesslog = None; import os; os.close(2)"
    with gunicorn(tmp_path, fault=fault) as server:
        is_compiled(server, "/stderr?kind=lines&n=1")
        before = server.pids()
        assert get(server.address, "/stderr?kind=flood&bytes=1000000").status == 200
        assert get(server.address, "/trap").status == 502
        serves(server)
        assert server.pids() == before


LOGGING = """
import logging
class Broken(logging.Handler):
    def emit(self, record):
        raise OSError("no space left")
logging.getLogger("wsgi_wasm").addHandler(Broken())
logging.getLogger("wsgi_wasm").setLevel(logging.DEBUG)
for target in ("/stderr?kind=lines&n=5", "/trap", "/hello", "/loop", "/stderr?kind=flood", "/nowhere"):
    print(client.get(target).status_code)
"""


def test_a_log_handler_that_raises(tmp_path: Path) -> None:
    """H20: the answer is what it would have been."""
    assert ran(tmp_path, LOGGING, "stderr", "trap", "loop") == ["200", "502", "200", "504", "200", "404"]


WRAPPED = """
from wsgi_wasm import create_app
class Body:
    def __init__(self): self.closed = 0
    def __iter__(self): return iter([b"a", b"b"])
    def close(self): self.closed += 1
bodies = []
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/before": raise ZeroDivisionError
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/after": raise KeyError
    if path == "/write": write(b"written "); return [b"returned"]
    bodies.append(Body())
    return bodies[-1]
from werkzeug.test import create_environ
whole = create_app(sys.argv[1], app)
def served(path):
    sent = []
    body = whole(create_environ(path), lambda status, fields, error=None: sent.append)
    sent += body
    if hasattr(body, "close"):
        body.close()
    return b"".join(sent)
print(served("/body"), [body.closed for body in bodies])
for path in ("/before", "/after"):
    try:
        served(path)
    except (ZeroDivisionError, KeyError) as error:
        print(type(error).__name__)
print(served("/write"), served("/hello"))
"""


def test_the_wrapped_application_is_passed_through(tmp_path: Path) -> None:
    """H21: what it raises, writes and returns is the server's to deal with; close() is the server's call, once."""
    wrapped = ["b'ab' [1]", "ZeroDivisionError", "KeyError", "b'written returned' b'hello\\n'"]
    assert ran(tmp_path, WRAPPED) == wrapped


def test_many_routes(tmp_path: Path) -> None:
    """H23: 5,000 of them, and a directory of 10,000 files that goes away."""
    module = tmp_path / "hello.wat"
    module.write_bytes(guest("hello").read_bytes())
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for number in range(10_000):
        (scripts / f"{number}.wat").symlink_to("../hello.wat") if number % 100 else os.link(
            module, scripts / f"{number}.wat"
        )
    routes = "\n".join(f"  /r{number}: {{module: hello.wat}}" for number in range(5000))
    (tmp_path / "site.yaml").write_text(f"routes:\n{routes}\n  /scripts: {{directory: scripts}}\n")
    with gunicorn(tmp_path, ready="/r0") as server:
        is_compiled(server, "/r4999", "/scripts/9900.wat")
        assert {get(server.address, f"/r{number}").status for number in range(0, 5000, 499)} == {200}
        assert get(server.address, "/scripts/9900.wat").status == 200
        assert get(server.address, "/scripts/nothing.wat").status == 404
        scripts.rename(tmp_path / "gone")
        assert get(server.address, "/scripts/9900.wat").status in (404, 503)
        assert get(server.address, "/r17").status == 200


def test_threads_are_stopped_and_go_on(tmp_path: Path) -> None:
    """A worker that stands still, as on a frozen machine, runs no request twice and goes on where it was."""
    site_of(tmp_path, "sleep")
    with gunicorn(tmp_path) as server:
        is_compiled(server, "/sleep?seconds=0")
        statuses: list[int] = []
        asking = threading.Thread(target=lambda: statuses.append(get(server.address, "/sleep?seconds=1").status))
        asking.start()
        time.sleep(0.3)
        for pid in server.pids():
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2)
        for pid in server.pids():
            os.kill(pid, signal.SIGCONT)
        asking.join(60)
        assert statuses == [200]
        server.wait_for_log('"GET /sleep?seconds=1 ')  # is written after the answer
        assert server.log().count('"GET /sleep?seconds=1 ') == 1


def test_another_version_of_the_engine(tmp_path: Path) -> None:
    """H24: a package of another version is refused before anything of its library is called."""
    about = tmp_path / "wasmtime-49.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wasmtime\nVersion: 49.0.0\n")
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{package_parent()}"}
    command = [sys.executable, "-P", "-c", "import wsgi_wasm.engine.capi.core"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "49.0.0" in ended.stderr
    assert "wasmtime>=" in ended.stderr
