"""The entry points for mod_wsgi and gunicorn, as far as they need no server."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from wsgi_wasm import gunicorn, mod_wsgi
from wsgi_wasm.errors import ConfigError, EngineError, NotFound, Problem, Unavailable
from wsgi_wasm.gateway.kinds import ProgramKinds


def server(version: tuple[int, int, int], group: str = "") -> ModuleType:
    """What mod_wsgi puts into an interpreter as the module `mod_wsgi`."""
    module = ModuleType("mod_wsgi")
    module.__dict__.update(version=version, application_group=group)
    return module


@pytest.mark.parametrize("version", [(4, 9, 4), (5, 0, 2), (6, 0, 5), (6, 1, 1)])
def test_versions_that_work(version: tuple[int, int, int]) -> None:
    mod_wsgi.check_server(server(version))


@pytest.mark.parametrize("version", [(6, 0, 0), (6, 0, 4)])
def test_versions_that_lose_bodies_are_refused(version: tuple[int, int, int]) -> None:
    with pytest.raises(EngineError, match=r"mod_wsgi 6\.0\.[04] can lose parts of request bodies"):
        mod_wsgi.check_server(server(version))


def test_the_default_configuration() -> None:
    """The tests of Apache have another, so that they do not depend on the machine's."""
    assert str(mod_wsgi.DEFAULT_CONFIG) == "/etc/wsgi-wasm/site.yaml"


def test_a_sub_interpreter_is_refused_with_the_directive_to_set() -> None:
    with pytest.raises(EngineError, match=r"application-group=%\{GLOBAL\}"):
        mod_wsgi.check_server(server((4, 9, 4), "www.example|/app"))


def test_outside_apache_nothing_is_checked() -> None:
    mod_wsgi.check_server(None)


@dataclass
class Script:
    """One name in a docroot, and whether it may be run."""

    name: str
    runs: bool


SCRIPTS = [
    Script("a.wasm", True),
    Script("a.wat", True),
    Script("ü ü.wasm", True),
    Script("own.wasm", True),
    Script("missing.wasm", False),
    Script(".hidden.wasm", False),
    Script("directory.wasm", False),
    Script("pipe.wasm", False),
    Script("dangling.wasm", False),
    Script("loop.wasm", False),
    Script("to-directory.wasm", False),
    Script("a.wasm.jpg", False),
    Script("a.WASM", True),
    Script("a", False),
]


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    for name in ("a.wasm", "a.wat", "ü ü.wasm", ".hidden.wasm", "a.wasm.jpg", "a.WASM", "a"):
        (tmp_path / name).write_bytes(b"\0asm")
    (tmp_path / "directory.wasm").mkdir()
    os.mkfifo(tmp_path / "pipe.wasm")
    (tmp_path / "own.wasm").symlink_to("a.wasm")
    (tmp_path / "dangling.wasm").symlink_to("nothing")
    (tmp_path / "loop.wasm").symlink_to("loop.wasm")
    (tmp_path / "to-directory.wasm").symlink_to("directory.wasm")
    return tmp_path


def environ_for(path: Path) -> dict[str, Any]:
    return {"SCRIPT_FILENAME": os.fsencode(path).decode("latin-1"), "REQUEST_METHOD": "GET"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_which_files_are_run(script: Script, docroot: Path) -> None:
    path = docroot / script.name
    kinds = ProgramKinds(["suffix"], (), False)
    with contextlib.nullcontext() if script.runs else pytest.raises(NotFound):
        found = mod_wsgi.script_path(environ_for(path))
        assert found == path
        kinds.of(str(found), None, found.stat())


def test_a_link_to_another_owners_file_is_not_run(docroot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = docroot / "own.wasm"
    real = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda self: SimpleNamespace(st_mode=real(self).st_mode, st_uid=54321))
    with pytest.raises(NotFound, match="another owner"):
        mod_wsgi.script_path(environ_for(path))


NO_PATHS = ["", "a.wasm", "/a\0.wasm", "/a\nFORGED.wasm", "/a.wasm\x1b[31m", "a\nFORGED", "/.a\nFORGED"]


@pytest.mark.parametrize("value", NO_PATHS)
def test_names_that_are_no_paths(value: str) -> None:
    with pytest.raises(NotFound) as caught:
        mod_wsgi.script_path({"SCRIPT_FILENAME": value})
    assert str(caught.value).isprintable(), "it goes into the log"


class Attempts:
    """Makes nothing but errors until it is told otherwise."""

    def __init__(self) -> None:
        self.count = 0
        self.broken = True
        self.now = 100.0

    def make(self) -> Any:
        self.count += 1
        if self.broken:
            raise ConfigError([Problem("site.yaml", 1, 1, "unknown key")])
        return self

    def clock(self) -> float:
        return self.now


def test_a_failed_start_is_tried_again_after_a_while() -> None:
    attempts = Attempts()
    once = mod_wsgi.Once(attempts.make, attempts.clock)
    for _ in range(3):
        with pytest.raises(Unavailable, match="unknown key"):
            once.get()
    assert attempts.count == 1

    attempts.broken = False
    attempts.now += mod_wsgi.RETRY_AFTER
    assert once.get() is cast(Any, attempts)
    assert once.get() is cast(Any, attempts)
    assert attempts.count == 2


def config(**routes: float) -> Any:
    """As much of a Config as the hooks look at: the `timeout` of routes, each with a queue_timeout of 5 s."""
    made = [
        SimpleNamespace(name=f"/{name}", limits=SimpleNamespace(timeout=timeout, queue_timeout=5.0))
        for name, timeout in routes.items()
    ]
    return SimpleNamespace(routes=made[:1], hosts={"shop.example": made[1:]})


def settings(timeout: int, graceful_timeout: int) -> Any:
    return SimpleNamespace(timeout=timeout, graceful_timeout=graceful_timeout)


@pytest.mark.parametrize(
    ("times", "threaded", "expected"),
    [
        ((30, 30), False, []),
        ((29, 30), False, ["timeout is 29 s, but route /slow may take 30 s"]),
        ((29, 30), True, []),
        ((0, 30), False, []),
        ((30, 29), True, ["graceful_timeout is 29 s, but route /slow may take 30 s"]),
    ],
)
def test_times_that_are_too_short(times: tuple[int, int], threaded: bool, expected: list[str]) -> None:
    found = gunicorn.time_warnings(config(quick=1.0, slow=25.0), settings(*times), threaded=threaded)
    assert [text.partition(" (")[0] for text in found] == expected


def test_no_route_no_warning() -> None:
    assert gunicorn.time_warnings(config(), settings(1, 1), threaded=False) == []


@pytest.fixture
def before_first_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunicorn, "_started", bytearray(1))
    monkeypatch.setattr(os, "environ", {n: v for n, v in os.environ.items() if n != gunicorn.LAST_GOOD})


@pytest.mark.usefixtures("before_first_start")
def test_the_last_good_configuration_is_for_later_workers_only() -> None:
    gunicorn.pre_fork(None, None)
    assert gunicorn.LAST_GOOD not in os.environ
    log = SimpleNamespace(error_log=logging.getLogger("gunicorn.error"))
    settings = SimpleNamespace(pre_request=None, post_request=None, set=lambda name, hook: None)
    worker = SimpleNamespace(wsgi=lambda environ, start_response: [], log=log, cfg=settings)
    gunicorn.post_worker_init(worker)
    gunicorn.pre_fork(None, None)
    assert os.environ[gunicorn.LAST_GOOD] == "1"


@pytest.mark.parametrize(("redirected", "status"), [({}, "503"), ({"REDIRECT_STATUS": "401"}, "401")])
def test_while_there_is_no_gateway(redirected: dict[str, str], status: str) -> None:
    """The page of an error leaves the error, so that a login is still asked for."""
    heads: list[tuple[str, dict[str, str]]] = []
    environ = {"REQUEST_METHOD": "GET", **redirected}
    body = mod_wsgi.refuse(
        environ, lambda line, fields: heads.append((line, dict(fields))), Unavailable("broken", retry_after=5)
    )
    ((line, fields),) = heads
    assert line.startswith(status)
    assert body[0].decode().startswith(status)
    assert ("Retry-After" in fields) is (status == "503")
