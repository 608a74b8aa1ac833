"""`wsgi-wasm serve`, with a real gunicorn, ended by its own process id."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guests.build import guest
from servers.client import request
from servers.process import ServerProcess, free_port, wait_while_alive

from .conftest import Command, command_line, environment
from .programs import PLAIN, printing

SiteWriter = Callable[[str], Path]


@contextmanager
def serving(tmp: Path, *arguments: object, port: int | None = None) -> Iterator[tuple[ServerProcess, tuple[str, int]]]:
    """A running `serve`, once it has said that it is ready, and its address."""
    bind = f"127.0.0.1:{port or 0}"
    process = ServerProcess(
        command_line("serve", "--bind", bind, "--workers", "1", *arguments),
        output=tmp / "serve.log",
        env=environment(),
        cwd=tmp,
    )
    try:
        wait_while_alive(process, "ready", lambda: "\nready: " in "\n" + process.tail())
        found = re.search(r"http://(?:[a-z0-9.]+):(\d+)/", process.tail(100_000))
        assert found is not None
        yield process, ("127.0.0.1", int(found[1]))
    finally:
        process.stop()


def test_a_site(site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "y.wat").write_text(printing(f"{PLAIN}in a directory"))
    site(
        "routes: {/x: {module: x.wat}, /p: {directory: programs}, /bad: {module: gone.wasm}}\n"
        "hosts: {shop.example: {routes: {/: {module: x.wat}}}}"
    )
    with serving(tmp_path, "site.yaml") as (process, address):
        said = process.tail()
        for url in ("127.0.0.1:{}/x  x.wat", "127.0.0.1:{}/p/  programs", "shop.example:{}/  x.wat"):
            assert f"http://{url.format(address[1])}\n" in said
        assert "error: gone.wasm: No such file or directory; its routes answer 503" in said
        assert request(address, "GET", "/x").text == "short"
        assert request(address, "GET", "/p/y.wat").text == "in a directory"
        assert request(address, "GET", "/bad").status == 503
        assert request(address, "GET", "/other").status == 404
        status, killed = process.stop()
    assert (status, killed) == (0, ())
    assert "Traceback" not in process.tail()


def test_without_the_compiled_part(tmp_path: Path, wsgi_wasm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    monkeypatch.setenv("WSGI_WASM_NATIVE", "0")
    note = "the compiled part is left aside, as WSGI_WASM_NATIVE=0 asks"
    assert f"\nnote    {note}" in wsgi_wasm("check", "x.wat").text
    with serving(tmp_path, "x.wat") as (process, address):
        assert request(address, "GET", "/").text == "short"
        assert process.tail(100_000).count(note) == 1
    monkeypatch.setenv("WSGI_WASM_NATIVE", "1")
    assert note not in wsgi_wasm("check", "x.wat").text


def test_a_module_and_its_change(tmp_path: Path) -> None:
    module = tmp_path / "x.wat"
    module.write_text(printing(f"{PLAIN}first"))
    with serving(tmp_path, "x.wat") as (process, address):
        assert request(address, "GET", "/any/path").text == "first"
        fresh = tmp_path / "fresh.wat"
        fresh.write_text(printing(f"{PLAIN}second"))
        fresh.replace(module)
        wait_while_alive(process, "the new module", lambda: request(address, "GET", "/").text == "second")


def test_a_directory(tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "x.wat").write_text(printing(f"{PLAIN}short"))
    with serving(tmp_path, "programs") as (process, address):
        assert f"http://127.0.0.1:{address[1]}/  programs\n" in process.tail()
        assert request(address, "GET", "/x.wat").text == "short"
        assert request(address, "GET", "/").status == 404


def test_hangup_reads_the_file_anew_and_mistakes_change_nothing(site: SiteWriter, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.wat").write_text(printing(f"{PLAIN}{name}"))
    site("routes: {/x: {module: one.wat}}")
    with serving(tmp_path, "site.yaml") as (process, address):
        site("routes: {/x: {module: two.wat}}")
        process.send(signal.SIGHUP)
        wait_while_alive(process, "the new site", lambda: request(address, "GET", "/x").text == "two")
        before = process.children()
        site("routes: {/x: {modul: two.wat}}")
        process.send(signal.SIGHUP)
        wait_while_alive(process, "the refusal", lambda: "the current configuration stays in use" in process.tail())
        wait_while_alive(process, "new workers", lambda: not set(before) & set(process.children()))
        assert request(address, "GET", "/x").text == "two"


CHANGED = """
routes: {/new: {module: one.wat}, /x: {module: two.wat}, /same: {module: one.wat}}
engine: {instances: 8}
"""


@pytest.mark.parametrize("way", ["SIGHUP", "--reload"])
def test_a_reload_says_what_has_changed(way: str, site: SiteWriter, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.wat").write_text(printing(f"{PLAIN}{name}"))
    site("routes: {/x: {module: one.wat}, /gone: {module: one.wat},\n  /same: {module: one.wat}}")
    with serving(tmp_path, "site.yaml", *([way] if way == "--reload" else [])) as (process, address):

        def says(text: str, said: str) -> None:
            site(text)
            if way == "SIGHUP":
                process.send(signal.SIGHUP)

            def is_said() -> bool:
                request(address, "GET", "/same")
                return said in process.tail(100_000)

            wait_while_alive(process, said, is_said)

        assert request(address, "GET", "/x").text == "one", "it has read the first file"
        says(CHANGED, "was reloaded: 1 route added (/new), 1 changed (/x), 1 removed (/gone), also changed: engine")
        says(f"# a comment\n{CHANGED}", "was reloaded: no route changed")
        says("routes: {/x: x.wasm}", "the current configuration stays in use")
        assert "did you mean '/x: {module: x.wasm}'?" in process.tail(100_000)


@pytest.mark.parametrize("path", ["missing/access.log", ".", "/proc/nothing"])
def test_an_access_log_that_cannot_be_written(path: str, wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    done = wsgi_wasm("serve", "x.wat", "--bind", f"127.0.0.1:{free_port()}", "--access-log", path)
    assert done.status == 1
    assert done.err.startswith(f"wsgi-wasm: --access-log {path}: ")


def test_reload_follows_the_file(site: SiteWriter, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.wat").write_text(printing(f"{PLAIN}{name}"))
    site("routes: {/x: {module: one.wat}}")
    with serving(tmp_path, "site.yaml", "--reload") as (process, address):
        assert request(address, "GET", "/x").text == "one"
        site("routes: {/x: {module: two.wat}}  # changed")
        wait_while_alive(process, "the new site", lambda: request(address, "GET", "/x").text == "two")


def test_sigterm_lets_a_request_end(site: SiteWriter, tmp_path: Path) -> None:
    site(f"routes: {{/sleep: {{module: {guest('sleep')}}}}}")
    with serving(tmp_path, "site.yaml") as (process, address):
        with socket.create_connection(address) as early:
            early.sendall(b"GET /sleep?seconds=2&when=after HTTP/1.0\r\n\r\n")
            early.settimeout(30)
            early.recv(1)  # the head has come, so the guest runs
            process.send(signal.SIGTERM)
            rest = b""
            while piece := early.recv(65536):
                rest += piece
        assert b"awake" in rest
        assert process.exited(30)


def test_ctrl_c_stops(tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    with serving(tmp_path, "x.wat", "--threads", "1") as (process, address):
        for _ in range(2):  # while gunicorn starts a worker, or a thread in it, it misses the signal
            assert request(address, "GET", "/").status == 200
        status, killed = process.stop(signal.SIGINT)
    assert (status, killed) == (0, ())
    assert "Traceback" not in process.tail()


# A worker that has been forked and waits, before it makes anything its own, until it has been told
# to end.
EARLY = """
import signal, sys, time
from gunicorn.workers.gthread import ThreadWorker
from wsgi_wasm.__main__ import main

made = ThreadWorker.init_process

def init_process(self):
    print("worker forked", flush=True)
    deadline = time.monotonic() + 20
    while signal.SIGQUIT not in signal.sigpending() and time.monotonic() < deadline:
        time.sleep(0.01)
    made(self)

ThreadWorker.init_process = init_process
sys.exit(main())
"""


def test_ctrl_c_stops_a_worker_that_has_just_been_forked(tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    command = [sys.executable, "-c", EARLY, "serve", "--bind", "127.0.0.1:0", "--workers", "1", "x.wat"]
    process = ServerProcess(command, output=tmp_path / "serve.log", env=environment(), cwd=tmp_path)
    try:
        wait_while_alive(process, "the worker", lambda: "worker forked" in process.tail())
        assert process.stop(signal.SIGINT) == (0, ())
    finally:
        process.stop()
    assert "Traceback" not in process.tail()


def test_a_port_in_use(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = wsgi_wasm("serve", "x.wat", "--bind", f"127.0.0.1:{port}")
    assert (done.status, done.out) == (1, b"")
    assert f"127.0.0.1:{port} is already in use" in done.err
    assert f"wsgi-wasm serve x.wat --bind 127.0.0.1:{port + 1}" in done.err


@pytest.mark.parametrize("bind", ["192.0.2.1:8000", "no.such.host.invalid:8000"])
def test_an_address_of_others(bind: str, wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    done = wsgi_wasm("serve", "x.wat", "--bind", bind)
    assert (done.status, done.out) == (1, b"")
    assert bind in done.err
    assert "Traceback" not in done.err


def test_the_port_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    port = free_port()
    with serving(tmp_path, "x.wat", port=port) as (_, address):
        assert address[1] == port
        assert request(address, "GET", "/").text == "short"


def test_an_untrusted_cache_is_said_and_does_not_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    monkeypatch.setenv("WSGI_WASM_CACHE", str(loose))
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    with serving(tmp_path, "x.wat") as (process, address):
        assert "chmod go-w" in process.tail()
        wait_while_alive(process, "the module", lambda: request(address, "GET", "/").text == "short")


def test_longer_header_fields(site: SiteWriter, tmp_path: Path) -> None:
    """Such as a ticket of Kerberos, which is sent with each request."""
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    site("routes: {/x: {module: x.wat}}")
    fields = {"Authorization": "Negotiate " + "x" * 40_000}
    for options, status in ((("--field-size", "48KiB"), 200), ((), 431)):
        place = tmp_path / str(status)
        place.mkdir()
        with serving(place, tmp_path / "site.yaml", *options) as (_, address):
            assert request(address, "GET", "/x", fields=fields).status == status
