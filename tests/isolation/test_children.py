"""Children of real spawners: what becomes of requests when a child dies, hangs, or has nothing to do, and what it can
reach."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import guest
from servers.proc import living, parent, stat_fields, status_lines, user_time
from servers.process import wait_for
from wsgi_wasm import Gateway
from wsgi_wasm.isolation import guest as remote
from wsgi_wasm.isolation.rendezvous import Meeting
from wsgi_wasm.isolation.server import ServerProcess, began, namespace

LOOP = {"module": "loop", "isolate": "bad", "timeout": "2m", "cpu": "1m"}
HELLO = {"module": "hello", "isolate": "good"}


def meeting() -> Meeting:
    return Meeting(Path(os.environ["WSGI_WASM_CACHE"]), 128)


def children(name: str) -> list[int]:
    """The processes of a group that belong to the server that these tests are."""
    found = meeting().ask({"children": True}).words["children"]
    return [one["pid"] for one in found if one["name"] == name]


def running(name: str) -> int:
    """The one child of a group, once a guest computes in it."""

    def busy() -> int:
        return next((pid for pid in children(name) if user_time(pid) >= 5), 0)

    wait_for(f"a guest of {name} to run", lambda: bool(busy()))
    return busy()


@pytest.fixture
def asked(make_app: Callable[..., Gateway]) -> Iterator[Callable[..., Any]]:
    """`asked(routes)` gives a client; what it is asked in threads has ended afterwards."""
    with ThreadPoolExecutor(32) as threads:

        def ask(routes: dict[str, Any], **top: Any) -> tuple[Callable[[str], int], ThreadPoolExecutor]:
            app = make_app(routes, **top)
            return lambda path: Client(app).get(path).status_code, threads

        yield ask


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_a_child_that_dies_takes_only_its_own_requests(asked: Callable[..., Any], number: signal.Signals) -> None:
    name = f"bad{number}"
    get, threads = asked({"/bad": {**LOOP, "isolate": name}, "/good": dict(HELLO), "/plain": {"module": "hello"}})
    assert get("/good") == get("/plain") == 200
    lost = [threads.submit(get, "/bad") for _ in range(3)]
    victim = running(name)
    neighbours = [threads.submit(get, path) for _ in range(200) for path in ("/good", "/plain")]
    os.kill(victim, number)
    assert [one.result() for one in lost] == [502, 502, 502]
    assert {one.result() for one in neighbours} == {200}


def test_it_is_started_again_but_not_at_once_each_time(
    make_client: SiteMaker, caplog: pytest.LogCaptureFixture
) -> None:
    """A child that dies whenever it runs costs a pause that grows, during which requests get 503."""
    client = make_client({"/x": {**HELLO, "isolate": "dies"}})
    statuses = []
    for _ in range(3):
        wait_for("a child", lambda: client.get("/x").status_code == 200)
        for pid in children("dies"):
            os.kill(pid, signal.SIGABRT)
        wait_for("its end", lambda: not children("dies"))
        answer = client.get("/x")
        statuses.append(answer.status_code)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
    assert 503 in statuses
    assert "SIGABRT" in caplog.text
    wait_for("a child", lambda: client.get("/x").status_code == 200)


def test_one_that_hangs_is_ended(
    make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may not even look at its limits any more."""
    monkeypatch.setattr(remote, "GRACE", 0.5)
    client = make_client({"/x": {**HELLO, "isolate": "hangs", "timeout": "500ms", "queue_timeout": "100ms"}})
    assert client.get("/x").status_code == 200
    (pid,) = children("hangs")
    os.kill(pid, signal.SIGSTOP)
    wait_for("the child to stop", lambda: (stat_fields(pid) or [""])[0] == "T")
    assert client.get("/x").status_code == 502
    assert "has not kept its limits" in caplog.text
    wait_for("the end of the child", lambda: pid not in children("hangs"))


def test_one_with_nothing_to_do_ends_and_no_request_is_lost(
    make_app: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests come at just the times at which the child ends."""
    monkeypatch.setattr("wsgi_wasm.isolation.site.IDLE", 0.05)
    client = Client(make_app({"/x": {**HELLO, "isolate": "idle"}}))
    pids = set()
    for nth in range(40):
        assert client.get("/x").status_code == 200
        pids |= set(children("idle"))
        time.sleep(0.045 + nth % 10 * 0.002)
    assert len(pids) > 1


def test_more_groups_than_processes(asked: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in which nothing runs makes room; where all are busy, the request is told so."""
    monkeypatch.setenv("WSGI_WASM_CACHE", str(tmp_path / "cache"))
    routes = {f"/{nth}": {"module": "hello", "isolate": True} for nth in range(6)}
    get, threads = asked({**routes, "/loop": {**LOOP, "isolate": True}, "/loop2": {**LOOP, "isolate": True}},
                         engine={"processes": 2})  # fmt: skip
    assert [get(path) for path in routes] == [200] * 6
    for path in ("/loop", "/loop2"):
        threads.submit(get, path)
        running(path)
    assert get("/0") == 503
    for path in ("/loop", "/loop2"):
        os.kill(running(path), signal.SIGKILL)


def test_concurrency_counts_for_the_whole_server(asked: Callable[..., Any], make_app: Callable[..., Gateway]) -> None:
    """Two gateways are as two workers: what runs for one counts for the other."""
    routes = {
        "/loop": {**LOOP, "isolate": "counted", "concurrency": 1, "queue_timeout": "100ms"},
        "/other": {"module": "hello", "isolate": "counted"},
    }
    get, threads = asked(routes)
    second = Client(make_app(routes))
    first = threads.submit(get, "/loop")
    pid = running("counted")
    answer = second.get("/loop")
    assert answer.status_code == 503
    assert second.get("/other").status_code == 200
    os.kill(pid, signal.SIGKILL)
    assert first.result() == 502


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_server(tmp_path: Path, stop: signal.Signals) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        yaml.safe_dump(
            {"routes": {"/x": {"module": str(guest("loop")), "isolate": True, "timeout": "5m", "cpu": "5m"}}}
        )
    )
    program = (
        "import sys, threading; from werkzeug.test import Client; from wsgi_wasm import create_app\n"
        "app = create_app(sys.argv[1]); threading.Thread(target=lambda: Client(app).get('/x')).start()"
    )
    cache = {**os.environ, "WSGI_WASM_CACHE": str(tmp_path / "cache")}
    server = subprocess.Popen([sys.executable, "-c", program, str(site)], env=cache)
    try:
        there = Meeting(tmp_path / "cache", 128, ServerProcess(server.pid, began(server.pid)))
        wait_for("the server's socket", lambda: any(tmp_path.glob("cache/run/*")))
        wait_for("a child", lambda: bool(there.ask({"children": True}).words["children"]))
        (child,) = (one["pid"] for one in there.ask({"children": True}).words["children"])
        spawner = parent(child)
    finally:
        server.send_signal(stop)
        server.kill()
        server.wait()
    wait_for("the end of both", lambda: not living(child) and not living(spawner))


def test_a_child_does_not_outlive_its_spawner(make_client: SiteMaker) -> None:
    client = make_client({"/x": {**HELLO, "isolate": "orphan"}})
    assert client.get("/x").status_code == 200
    (child,) = children("orphan")
    spawner = parent(child)
    os.kill(spawner, signal.SIGKILL)
    wait_for("the end of the child", lambda: not living(child))
    # The next request starts another.
    wait_for("the next one", lambda: client.get("/x").status_code == 200)


def test_directories_are_seen_as_they_are_now(make_client: SiteMaker, tmp_path: Path) -> None:
    """What is put in a directory's place is seen by the next request, as in the server's own process, although the
    child's walls are about the one that was there."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("old")
    client = make_client({"/x": {"module": "files", "isolate": "moved", "dirs": {"/data": str(data)}}})
    assert "old" in client.get("/x?op=read&path=/data/file").text
    data.rename(tmp_path / "gone")
    data.mkdir()
    (data / "file").write_text("new")
    assert "new" in client.get("/x?op=read&path=/data/file").text


def test_a_directory_that_comes_later(make_client: SiteMaker, tmp_path: Path) -> None:
    data = tmp_path / "later"
    client = make_client({"/x": {"module": "files", "isolate": "later", "dirs": {"/data": str(data)}}})
    assert client.get("/x?op=read&path=/data/file").status_code == 503
    data.mkdir()
    (data / "file").write_text("there")
    assert "there" in client.get("/x?op=read&path=/data/file").text


def test_the_walls_of_a_child(make_client: SiteMaker, tmp_path: Path) -> None:
    """Of the kernel's, not the engine's: what a guest that has broken out of it would meet."""
    client = make_client({"/x": {**HELLO, "isolate": "walls"}})
    assert client.get("/x").status_code == 200
    (pid,) = children("walls")
    status = status_lines(pid)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) < 0x10, "at most those that root needs to read files of others"
    descriptors = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    files = [one for one in descriptors if one.startswith("/") and not one.startswith(("/dev/null", "/memfd:"))]
    assert all(one.endswith(".cwasm") for one in files), "code that it runs is all that it has open"


def test_the_spawner_makes_sense_of_nothing_else(tmp_path: Path) -> None:
    """What a process of the same user may send is answered, whatever it is."""
    there = Meeting(tmp_path / "cache", 2)
    questions: list[dict[str, Any]] = [
        {},
        {"connect": {}},
        {"connect": None},
        {"kill": "x"},
        {"kill": 1},
        {"ended": -1},
    ]
    for question in questions:
        assert json.dumps(there.ask(question).words)
    assert there.ask({"children": True}).words == {"children": []}


def test_memory_of_all_guests_together(asked: Callable[..., Any]) -> None:
    """`engine: memory` bounds each child by itself."""
    routes = {
        "/loop": {**LOOP, "isolate": "bound", "memory": "64MiB"},
        "/hello": {"module": "hello", "isolate": "bound", "memory": "64MiB", "queue_timeout": "100ms"},
        "/other": {"module": "hello", "isolate": "unbound", "memory": "64MiB", "queue_timeout": "100ms"},
    }
    get, threads = asked(routes, engine={"memory": "64MiB"})
    first = threads.submit(get, "/loop")
    pid = running("bound")
    assert get("/hello") == 503
    assert get("/other") == 200
    os.kill(pid, signal.SIGKILL)
    assert first.result() == 502


def test_a_stop_of_the_whole_service_lets_requests_end(asked: Callable[..., Any]) -> None:
    """systemd sends SIGTERM to every process, while the server's workers wait for their requests."""
    get, threads = asked({"/sleep": {"module": "sleep", "isolate": "stopped", "timeout": "1s"}})
    first = threads.submit(get, "/sleep")
    wait_for("the guest to begin", lambda: bool(children("stopped")))
    (child,) = children("stopped")
    spawner = parent(child)
    for pid in (child, spawner):
        os.kill(pid, signal.SIGTERM)
    assert first.result() == 504, "its own limit ends it"
    assert get("/sleep") == 504


def test_what_ended_servers_left_is_removed(tmp_path: Path) -> None:
    """By the next server that starts a spawner there; of other machines and containers nothing is known."""
    run = tmp_path / "cache" / "run"
    run.mkdir(parents=True, mode=0o700)
    (tmp_path / "cache").chmod(0o700)
    mine, alive = f"{namespace()}-999999999-1", f"{namespace()}-{os.getpid()}-{began(os.getpid())}"
    names = {
        f"{mine}-0.1.0": False,
        f"{mine}-0.1.0.lock": False,
        f"{alive}-0": True,
        "1-999999999-1-0": True,
        "x": True,
    }
    for name in names:
        (run / name).touch()
        os.utime(run / name, (0, 0))
    Meeting(tmp_path / "cache", 1).start()
    assert {name: (run / name).exists() for name in names} == names


def test_a_module_that_is_compiled_later(
    make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not among those that the child's walls are about, and is handed over."""
    monkeypatch.setenv("WSGI_WASM_CACHE", str(tmp_path / "cache"))
    module = tmp_path / "later.wat"
    text = guest("hello").read_text()
    module.write_text(text)
    client = make_client({"/x": {"module": str(module), "isolate": "code"}})
    assert client.get("/x").text == "hello\n"
    module.write_text(text.replace("hello", "later"))
    wait_for("the new module", lambda: client.get("/x").text == "later\n")
