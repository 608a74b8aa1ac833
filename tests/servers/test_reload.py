"""New configurations and broken ones, taken over or survived by servers that are running."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guests.build import guest

from .client import get
from .fixtures import serve
from .process import ServerError, wait_for, wait_while_alive
from .server import Server

GUNICORNS = ("gunicorn-sync", "gunicorn-gthread")
APACHES = ("mod_wsgi-daemon", "mod_wsgi-embedded")

GOOD = "routes:\n  /first: {module: hello.wat}\n"
NEW = "routes:\n  /first: {module: hello.wat}\n  /second: {module: hello.wat}\n"
BROKEN = "routes:\n  /first: {modul: hello.wat}\n  /second: {module: hello.wat, timeout: soon}\n"
STAYS = "the current configuration stays in use"  # of `reload: true`
USED = "The last good configuration is used instead"  # of a process that starts
MISTAKES = ("site.yaml:2:12: ", "unknown key 'modul'", "site.yaml:3:", "timeout")


@pytest.fixture
def site(open_tmp: Path) -> Path:
    """A good configuration, and the module that it names."""
    module = open_tmp / "hello.wat"
    module.write_bytes(guest("hello").read_bytes())
    return write(open_tmp / "site.yaml", GOOD)


def write(path: Path, text: str) -> Path:
    """The file anew, as editors and deployments do it: never half of it."""
    fresh = path.with_name("fresh.yaml")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    return fresh.replace(path)


def statuses(server: Server) -> tuple[int, int]:
    """Of `/first` and `/second`."""
    return get(server.address, "/first").status, get(server.address, "/second").status


def every_process_answers(server: Server, expected: tuple[int, int]) -> None:
    """Return once many answers in a row were these: more than a process that lags behind could leave to others."""
    wait_for(f"statuses {expected}", lambda: all(statuses(server) == expected for _ in range(10)))


@contextmanager
def load(server: Server, clients: int = 3) -> Iterator[list[str]]:
    """Requests all the time, each on a connection of its own; what came of them."""
    answers: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                answers.append(str(get(server.address, "/first").status))
            except Exception as error:
                answers.append(repr(error))
            ended.wait(0.005)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_for("the first answers", lambda: len(answers) > 5 * clients)
        yield answers
        count = len(answers)
        wait_for("some last answers", lambda: len(answers) > count + 5 * clients)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("name", GUNICORNS)
def test_a_reload_under_load_loses_no_request(name: str, site: Path, open_tmp: Path) -> None:
    with serve(name, site, open_tmp, ready="/first") as server:
        every_process_answers(server, (200, 404))
        with load(server) as answers:
            write(site, NEW)
            server.reload()
            every_process_answers(server, (200, 200))
        assert set(answers) == {"200"}


@pytest.mark.parametrize("name", GUNICORNS)
def test_a_broken_file_leaves_the_last_good_configuration(name: str, site: Path, open_tmp: Path) -> None:
    with serve(name, site, open_tmp, ready="/first") as server:
        every_process_answers(server, (200, 404))
        write(site, BROKEN)
        with load(server) as answers:
            server.reload()
            every_process_answers(server, (200, 404))
        assert set(answers) == {"200"}
        for mistake in (*MISTAKES, USED):
            server.wait_for_log(mistake)

        write(site, NEW)
        server.reload()
        every_process_answers(server, (200, 200))


@pytest.mark.parametrize("name", GUNICORNS)
def test_a_killed_worker_is_replaced_though_the_file_is_broken(name: str, site: Path, open_tmp: Path) -> None:
    with serve(name, site, open_tmp, ready="/first") as server:
        write(site, BROKEN)
        first = server.pids()
        for count in range(1, len(first) + 1):
            replace_a_worker(server)
            server.wait_for_log(USED, count)
        assert not set(first) & set(server.pids())
        every_process_answers(server, (200, 404))


def replace_a_worker(server: Server) -> None:
    """Kill the oldest, and wait for another in its place."""
    old = server.pids()
    os.kill(old[0], signal.SIGKILL)
    wait_while_alive(
        server.process,
        "another worker",
        lambda: len(server.pids()) == len(old) and old[0] not in server.pids(),
    )
    every_process_answers(server, (200, 404))


@pytest.mark.parametrize("name", [*GUNICORNS, "gunicorn-preload"])
def test_a_broken_file_at_the_first_start_is_reported_whole(name: str, site: Path, open_tmp: Path) -> None:
    write(site, BROKEN)
    with pytest.raises(ServerError) as caught, serve(name, site, open_tmp, ready="/first"):
        pass
    text = (open_tmp / f"{name}.log").read_text("utf-8")
    assert [mistake for mistake in MISTAKES if mistake not in text] == []
    assert "exit code" in str(caught.value)
    assert "exit code 0" not in str(caught.value)


def test_the_last_good_configuration_is_not_for_the_next_start(site: Path, open_tmp: Path) -> None:
    """What is kept is for a server that runs. Whoever starts one shall see the mistakes."""
    with serve("gunicorn-sync", site, open_tmp, ready="/first"):
        pass
    write(site, BROKEN)
    with (
        pytest.raises(ServerError, match="unknown key 'modul'"),
        serve("gunicorn-sync", site, open_tmp, ready="/first"),
    ):
        pass


@pytest.mark.parametrize("name", APACHES)
def test_a_graceful_restart_of_apache_with_a_broken_file(name: str, site: Path, open_tmp: Path) -> None:
    """As log rotation does it at night."""
    with serve(name, site, open_tmp, ready="/first") as server:
        every_process_answers(server, (200, 404))
        write(site, BROKEN)
        server.reload()
        every_process_answers(server, (200, 404))
        for mistake in (*MISTAKES, USED):
            server.wait_for_log(mistake)

        write(site, NEW)
        server.reload()
        every_process_answers(server, (200, 200))


def test_a_preloaded_application_keeps_its_configuration(site: Path, open_tmp: Path) -> None:
    with serve("gunicorn-preload", site, open_tmp, ready="/first") as server:
        write(site, NEW)
        server.reload()
        every_process_answers(server, (200, 404))
        write(site, BROKEN)
        server.reload()
        replace_a_worker(server)


@pytest.mark.parametrize("name", ["gunicorn-preload", "gunicorn-gthread", *APACHES])
def test_a_file_that_says_reload_is_followed(name: str, site: Path, open_tmp: Path) -> None:
    """Without a signal; and a worker that starts later has the new configuration as well."""
    write(site, GOOD + "reload: true\n")
    with serve(name, site, open_tmp, ready="/first") as server:
        every_process_answers(server, (200, 404))
        before = server.pids()
        write(site, NEW + "reload: true\n")
        every_process_answers(server, (200, 200))
        write(site, BROKEN)
        wait_for("the mistake in the log", lambda: STAYS in server.log() or statuses(server) != (200, 200))
        every_process_answers(server, (200, 200))
        assert server.pids() == before

        write(site, GOOD + "reload: true\n")
        every_process_answers(server, (200, 404))
        if name.startswith("gunicorn"):
            replace_a_worker(server)
