"""The record of an exchange, as observers see it: the server's access log and the gateway's own log."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from guests.build import guest
from wsgi_wasm import Gateway
from wsgi_wasm.gateway.dispatcher import Dispatcher
from wsgi_wasm.gateway.exchange import Exchange

FIELDS = ("route", "program", "outcome", "cpu_us", "guest_us", "queue_us")

MakeApp = Callable[..., Gateway]


def noted(gateway: Callable[..., Any], path: str, **options: Any) -> dict[str, Any]:
    """What stands in the environ after a request."""
    environ = EnvironBuilder(path, **options).get_environ()
    b"".join(gateway(environ, lambda *args: lambda data: None))
    return {name: environ.get(f"wsgi_wasm.{name}") for name in FIELDS}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    """Every record that a gateway made from here on hands to its observers."""
    records: list[Exchange] = []
    original = Dispatcher.__init__

    def init(self: Dispatcher, *args: Any) -> None:
        original(self, *args)
        self._observers = (*self._observers, records.append)

    monkeypatch.setattr(Dispatcher, "__init__", init)
    return records


@pytest.fixture
def chain(make_app: MakeApp, tmp_path: Path) -> Gateway:
    """`/emit` leads to `/spend` inside, which leads to `/env`."""
    (tmp_path / "here").write_text("Location: /emit?case=on\n\n")
    (tmp_path / "on").write_text("Location: /env\n\n")
    emit = {"module": "emit", "dirs": {"/c": str(tmp_path)}, "env": {"CORPUS": "/c"}, "methods": ["GET"]}
    return make_app(
        {
            "/first": {**emit, "local_redirects": ["/emit"]},
            "/emit": {**emit, "local_redirects": ["/env"]},
            "/env": {"module": "env"},
        }
    )


def test_a_chain_of_local_redirects_is_one_exchange(chain: Gateway, seen: list[Exchange]) -> None:
    alone = noted(chain, "/env")
    whole = noted(chain, "/first?case=here")
    assert (alone["route"], whole["route"]) == ("/env", "/first")
    assert re.fullmatch(r"emit-\w+\.wasm", whole["program"])
    assert whole["outcome"] == "returned"


def test_its_times_are_those_of_all_guests(chain: Gateway) -> None:
    dispatched: list[Exchange] = []
    chain(EnvironBuilder("/env").get_environ(), lambda *args: lambda data: None)  # makes what serves
    serving = chain._serving
    assert serving is not None
    serving.dispatcher._observers = (dispatched.append,)
    runs: list[tuple[float, float]] = []
    original = Exchange.ran

    def ran(self: Exchange, outcome: Any, queued: float) -> None:
        runs.append((outcome.cpu, outcome.wall))
        original(self, outcome, queued)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exchange, "ran", ran)
        b"".join(chain(EnvironBuilder("/first?case=here").get_environ(), lambda *args: lambda data: None))
    (exchange,) = dispatched
    assert len(runs) == 3
    assert exchange.cpu == pytest.approx(sum(cpu for cpu, _ in runs))
    assert exchange.wall == pytest.approx(sum(wall for _, wall in runs))


# What is asked, and the record: route, program, outcome, status, bytes sent.
RECORDS: dict[str, tuple[dict[str, Any], str, str, str, int, int]] = {
    "an answer": ({"path": "/hello"}, r"hello\.wat", "returned", "/hello", 200, 6),
    "HEAD": ({"path": "/hello", "method": "HEAD"}, r"hello\.wat", "returned", "/hello", 200, 0),
    "a program of a directory": ({"path": "/d/sub/hello.wat/x"}, r"/sub/hello\.wat", "returned", "/d", 200, 6),
    "a status of its own": ({"path": "/exit?code=3&when=after"}, r"exit-\w+\.wasm", "exited", "/exit", 200, -1),
    "a trap": ({"path": "/trap?kind=unreachable"}, r"trap-\w+\.wasm", "BadGateway", "/trap", 502, -1),
    "no such script": ({"path": "/d/none.wasm"}, "", "NotFound", "/d", 404, -1),
    "no such method": ({"path": "/get", "method": "POST"}, "", "MethodNotAllowed", "/get", 405, -1),
    "a body that is too large": (
        {"path": "/hello", "method": "POST", "data": "x" * 100},
        r"hello\.wat",
        "BodyTooLarge",
        "/hello",
        413,
        -1,
    ),
    "a module that is missing": ({"path": "/missing"}, r"none\.wasm", "ModuleError", "/missing", 503, -1),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "program", "outcome", "route", "status", "sent"), RECORDS.values(), ids=RECORDS)
def test_every_request_of_a_route_has_a_record(
    make_app: MakeApp, seen: list[Exchange], tmp_path: Path, request_: dict[str, Any], program: str, outcome: str,
    route: str, status: int, sent: int,
) -> None:  # fmt: skip
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "hello.wat").write_bytes(guest("hello").read_bytes())
    routes = {
        "/hello": {"module": "hello", "max_body": "50B"},
        "/d": {"directory": str(tmp_path / "d")},
        "/exit": {"module": "exit"},
        "/trap": {"module": "trap"},
        "/get": {"module": "hello", "methods": ["GET"]},
        "/missing": {"module": "/none.wasm"},
    }
    found = noted(make_app(routes), **request_)
    (exchange,) = seen
    assert (exchange.route, exchange.outcome, exchange.status) == (route, outcome, status)
    assert re.fullmatch(program, exchange.program), exchange.program
    assert exchange.sent == sent or (sent < 0 and exchange.sent > 0)
    assert (found["route"], found["program"], found["outcome"]) == (route, exchange.program, outcome)
    assert all(isinstance(found[name], int) for name in ("cpu_us", "guest_us", "queue_us"))


def test_what_no_route_takes_has_none(make_app: MakeApp, seen: list[Exchange]) -> None:
    assert noted(make_app({"/hello": {"module": "hello"}}), "/other") == dict.fromkeys(FIELDS)
    assert seen == []


LINES = {
    "a refusal": ("/d/none.wasm", r"/d \[\w+\] 404: no /none\.wasm in .*"),
    "a guest's status": ("/d/exit.wasm?code=3&when=after", r"/d /exit\.wasm \[\w+\] the guest exited with status 3"),
    "a guest that traps": ("/d/trap.wasm?kind=unreachable", r"/d /trap\.wasm \[\w+\] 502: the guest trapped: .*"),
    "standard error": ("/d/stderr.wasm?kind=lines&n=1", r"/d /stderr\.wasm \[\w+\] line.*"),
    "a chain": ("/first?case=here", r"/first emit-\w+\.wasm -> /d /exit\.wasm \[\w+\] the guest exited with status 9"),
}


@pytest.mark.parametrize(("path", "line"), LINES.values(), ids=LINES)
def test_log_lines_name_route_and_program(
    make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, line: str
) -> None:
    programs = tmp_path / "d"
    programs.mkdir()
    for name in ("exit", "trap", "stderr"):
        (programs / f"{name}.wasm").write_bytes(guest(name).read_bytes())
    (tmp_path / "here").write_text("Location: /d/exit.wasm?code=9&when=after\n\n")
    emit = {"module": "emit", "dirs": {"/c": str(tmp_path)}, "env": {"CORPUS": "/c"}, "local_redirects": ["/d"]}
    gateway = make_app({"/d": {"directory": str(programs)}, "/first": emit})
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        noted(gateway, path)
    assert [message for message in caplog.messages if re.fullmatch(line, message)], caplog.messages


def test_a_script_cannot_write_log_lines(make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The name of a file may hold what a terminal would obey."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a\n\x1b[31mb.wasm").write_bytes(guest("trap").read_bytes())
    gateway = make_app({"/d": {"directory": str(tmp_path / "d")}})
    noted(gateway, "/d/a%0A%1B%5B31mb.wasm?kind=unreachable")
    assert "a\\x0a\\x1b[31mb.wasm" in caplog.text
    assert all(character.isprintable() or character == "\n" for character in caplog.text)
    assert len(caplog.records) == len(caplog.text.splitlines())
