"""Guests in processes of their own, under every server: what is promised of all guests holds for these too, and the
processes are one for the whole server."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component, guest
from wsgi_wasm.cli import main

from . import spawner, test_components, test_hostile
from .apache import put
from .client import get, request
from .fixtures import SERVERS, serve, serve_docroot
from .proc import every_pid, parent, status_lines, user_time
from .process import wait_for
from .server import Server
from .test_hostile import compile_all, ordinary

GUESTS = ("loop", "sleep", "alloc", "trap", "recurse", "recurse_calls", "flood", "stream", "echo", "hello", "stderr")

# As for guests in the server's own processes.
test_programs_have_their_status = test_hostile.test_each_end_has_its_status
test_components_have_their_status = test_components.test_each_end_has_its_status
test_a_late_failure_of_a_program = test_hostile.test_a_late_failure_breaks_the_answer_off
test_a_late_failure_of_a_component = test_components.test_a_late_failure_breaks_the_answer_off
test_an_answer_of_a_component_streams = test_components.test_an_answer_streams
test_a_flushed_line = test_hostile.test_a_flushed_line_arrives_before_the_next_is_printed
test_bodies_both_ways = test_components.test_bodies_both_ways
test_clients_that_leave = test_hostile.test_clients_that_leave
test_a_client_that_leaves_stops_the_guest = test_hostile.test_a_client_that_leaves_stops_the_guest
test_64_clients_at_once = test_hostile.test_64_clients_at_once


def site(tmp: Path) -> Path:
    """Two groups of routes, and one that is not isolated."""
    routes: dict[str, Any] = {}
    for name, file in {
        **{name: guest(name) for name in GUESTS},
        **{c: component(c) for c in ("http", "program")},
    }.items():
        module = tmp / file.name
        put(module, file.read_bytes())
        limits = {"timeout": "5m", "memory": "16MiB", "max_output": "200MiB", "isolate": "guests"}
        routes[f"/{name}"] = {"module": module.name, **limits}
        routes[f"/quick/{name}"] = {"module": module.name, **limits, "timeout": "2s"}
    for name in ("loop", "sleep"):
        routes[f"/{name}"]["timeout"] = "1s"
    routes["/other"] = {**routes["/loop"], "timeout": "5m", "cpu": "5m", "isolate": True}
    routes["/plain"] = {**routes["/hello"], "isolate": False}
    path = tmp / "site.yaml"
    path.write_text(yaml.safe_dump({"routes": routes, "engine": {"instances": 80}}), encoding="utf-8")
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Server]:
    with serve(str(request.param), site(open_module_tmp), open_module_tmp, ready="/hello") as running:
        compile_all(running, (*GUESTS, "http", "program"))
        yield running


def test_a_crash_is_502_for_its_own_requests(server: Server, open_module_tmp: Path) -> None:
    """Neighbours in other processes, and in the server's own, lose nothing."""
    pids = set(server.pids())
    with ThreadPoolExecutor(16) as pool:
        lost = pool.submit(get, server.address, "/other")
        wait_for("the guest to run", lambda: bool(spinning(open_module_tmp)))
        rest = [pool.submit(get, server.address, path) for _ in range(500) for path in ("/hello", "/plain")]
        os.kill(spinning(open_module_tmp), signal.SIGABRT)
        assert lost.result().status == 502
        assert {one.result().status for one in rest} == {200}
    assert set(server.pids()) == pids
    wait_for("its line in the log", lambda: "SIGABRT" in server.log())
    ordinary(server)


def spinning(tmp: Path) -> int:
    """The child of the route /other, once its guest has computed for a while; 0 before."""
    return next((pid for pid in children(tmp, "/other") if user_time(pid) > 10), 0)


def children(tmp: Path, name: str | None = None) -> list[int]:
    """The processes of a name, or all of them, by what the server's spawner says; none where it has none."""
    found = [one for cache in tmp.glob("cache-*") for one in spawner.children(cache).items()]
    return [pid for pid, its in found if name in (None, its)]


def test_children_are_shared_by_workers_and_end_with_the_server(open_tmp: Path) -> None:
    """One spawner and one child, whichever of four workers is asked; none of them is left behind."""
    with serve("gunicorn-gthread", site(open_tmp), open_tmp, ready="/hello", workers=4) as running:
        with ThreadPoolExecutor(32) as pool:
            statuses = set(pool.map(lambda _: get(running.address, "/hello").status, range(400)))
        assert statuses == {200}
        (child,) = children(open_tmp)
        both = {child, parent(child)}
    wait_for("their end", lambda: not both.intersection(every_pid()))


def test_dropped_in_files_by_their_owner(open_tmp: Path) -> None:
    """Files of two users run in two processes."""
    docroot = open_tmp / "htdocs"
    docroot.mkdir(mode=0o755)
    for owner in (0, 12345) if os.geteuid() == 0 else (os.geteuid(),):
        module = docroot / f"of{owner}.wasm"
        put(module, guest("env").read_bytes())
        os.chown(module, owner, -1)
    config = open_tmp / "site.yaml"
    config.write_text(yaml.safe_dump({"handler": {"isolate": True}}))
    config.chmod(0o644)
    with serve_docroot(docroot, open_tmp, site=config) as running:
        for module in docroot.iterdir():
            wait_for("an answer", partial(answers, running, f"/{module.name}"))
        assert len(children(open_tmp)) == len(list(docroot.iterdir()))


def answers(server: Server, target: str) -> bool:
    return get(server.address, target).status == 200


def test_bodies_in_files(server: Server) -> None:
    """Larger than what goes along in the message."""
    data = os.urandom(3_000_000)
    assert request(server.address, "POST", "/echo", body=data).body == b"POST 3000000\n" + data
    assert request(server.address, "POST", "/http/echo", body=data).body == data


def test_another_user(open_tmp: Path) -> None:
    """The master is root's, its workers are not, and a route's guests are somebody else again."""
    config = site(open_tmp)
    routes = yaml.safe_load(config.read_text())["routes"]
    routes["/hello"] |= {"isolate": "other", "user": "nobody"}
    config.write_text(yaml.safe_dump({"routes": {path: routes[path] for path in ("/hello", "/plain")}}))
    if os.geteuid() != 0:
        assert main(["check", str(config), "--no-compile"]) == 1
        return
    cache = open_tmp / "cache-users"
    cache.mkdir(mode=0o755)
    os.chown(cache, 0, 0)
    options = ("--user", "www-data", "--group", "www-data")
    with serve("gunicorn-gthread", config, open_tmp, options=options, cache=cache, ready="/plain") as running:
        assert {owner(pid) for pid in running.pids()} == {pwd.getpwnam("www-data").pw_uid}
        wait_for("an answer", partial(answers, running, "/hello"))
        (child,) = children(open_tmp)
        assert owner(child) == pwd.getpwnam("nobody").pw_uid


def owner(pid: int) -> int:
    """The user that a process is; the files of one that hides belong to root."""
    return int(status_lines(pid)["Uid"].split()[0])
