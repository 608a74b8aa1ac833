"""Each API from the YAML file to the guest and back, through the gateway."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from hostapi import programs
from hostapi.backends import Server
from wsgi_wasm.engine.hostcalls.interface import AnyInterface
from wsgi_wasm.hostapi import channel, keyvalue, mysql, postgres, redis, sqlite, variables

Site = Callable[..., Client]


@pytest.fixture
def site(make_client: Site, tmp_path: Path) -> Site:
    """`site(interface, texts, code, **keys)`: the program at `/x` with these route keys."""

    def make(
        interface: AnyInterface, texts: dict[int, str], code: str, top: dict[str, Any] = {}, **keys: Any
    ) -> Client:
        path = tmp_path / "program.wat"
        path.write_text(programs.program(interface, texts, code))
        return make_client({"/x": {"module": str(path), **keys}}, state_dir=str(tmp_path / "state"), **top)

    return make


KEY_VALUE = (keyvalue.SPIN, {1024: "default", 1100: "hits"}, programs.KEY_VALUE)
SQLITE = (sqlite.SPIN, {1024: "default", **{1100 + 64 * i: one for i, one in enumerate(programs.SQL)}}, programs.SQLITE)
VARIABLES = (variables.SPIN, {1024: "greeting"}, programs.VARIABLES)


CHANNEL = (channel.API.interfaces[0], {1024: "x"}, programs.CHANNEL)


def texts(client: Client, count: int) -> list[str]:
    answers = [client.get("/x") for _ in range(count)]
    assert [answer.status_code for answer in answers] == [200] * count
    return [answer.text for answer in answers]


def test_the_channel(site: Site) -> None:
    assert "syslog\0" in texts(site(*CHANNEL), 1)[0]


def test_key_value(site: Site, tmp_path: Path) -> None:
    assert texts(site(*KEY_VALUE, key_value=["default"]), 3) == ["x", "xx", "xxx"]
    assert texts(site(*KEY_VALUE, key_value=["default"]), 1) == ["xxxx"]
    other = {"key_value": {"mine": {"path": "mine.db"}}}
    assert texts(site(*KEY_VALUE, other, key_value={"default": "mine"}), 2) == ["x", "xx"]
    assert (tmp_path / "state" / "sqlite_key_value.db").is_file()
    assert (tmp_path / "mine.db").is_file()


def test_key_value_in_redis(site: Site, redis_server: Server, tmp_path: Path) -> None:
    url = f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/3"
    top = {"key_value": {"default": {"redis": url, "prefix": f"{tmp_path}:"}}}
    assert texts(site(*KEY_VALUE, top, key_value=["default"]), 2) == ["x", "xx"]


def test_sqlite(site: Site, tmp_path: Path) -> None:
    assert texts(site(*SQLITE, sqlite=["default"]), 3) == ["1", "2", "3"]
    other = {"sqlite": {"mine": "mine.db"}}
    assert texts(site(*SQLITE, other, sqlite={"default": "mine"}), 1) == ["1"]
    assert sqlite3.connect(tmp_path / "state" / "sqlite_db.db").execute("SELECT count(*) FROM visits").fetchone() == (
        3,
    )


def test_variables(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "wörld")
    assert texts(site(*VARIABLES, variables={"greeting": "hello ${WHO}"}), 1) == ["hello wörld"]
    (tmp_path / "greeting").write_text("from a file\n")
    assert texts(site(*VARIABLES, variables={"greeting": {"file": "greeting"}}), 1) == ["from a file"]


def test_redis(site: Site, redis_server: Server) -> None:
    address = f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/4"
    program = (redis.SPIN, {1024: address, 1300: "greeting", 1310: "hello from redis"}, programs.redis(address))
    assert texts(site(*program, redis=[f"127.0.0.1:{redis_server.port}"]), 2) == ["hello from redis"] * 2
    assert texts(site(*program, redis=["127.0.0.1"]), 1) == ["denied"]


def test_postgres(site: Site, postgres_server: Server) -> None:
    address = f"postgres://alice:{postgres_server.password}@127.0.0.1:{postgres_server.port}/postgres"
    program = (postgres.SPIN_3, {1024: address, 1300: programs.QUERY}, programs.postgres(address))
    assert texts(site(*program, postgres=[f"127.0.0.1:{postgres_server.port}"]), 2) == ["hello from alice"] * 2
    assert texts(site(*program, postgres=["127.0.0.1"]), 1) == ["denied"]


def test_mysql(site: Site, mysql_server: Server) -> None:
    address = f"mysql://alice:{mysql_server.password}@127.0.0.1:{mysql_server.port}/shop"
    program = (mysql.SPIN_2, {1024: address, 1300: programs.MYSQL_QUERY}, programs.mysql(address))
    assert texts(site(*program, mysql=[f"127.0.0.1:{mysql_server.port}"]), 2) == ["hello from alice"] * 2
    assert texts(site(*program, mysql=["127.0.0.1"]), 1) == ["denied"]


@pytest.mark.parametrize("program", [KEY_VALUE, SQLITE, VARIABLES], ids=lambda program: program[0].name)
def test_nothing_is_granted_by_itself(site: Site, program: Any) -> None:
    assert texts(site(*program), 1) == ["denied"]


def test_a_trap_leaves_nothing_behind(site: Site, tmp_path: Path) -> None:
    """What a guest holds goes with the request: a transaction that it has begun does not lock out the next one."""
    begin = programs.SQLITE.replace("(i32.store8 (i32.const 4096)", "unreachable (i32.store8 (i32.const 4096)")
    interface, texts_at, _ = SQLITE
    statements = ("CREATE TABLE IF NOT EXISTS visits (at)", "BEGIN IMMEDIATE", "INSERT INTO visits VALUES (1)")
    padded = {1100 + 64 * i: one.ljust(len(programs.SQL[i])) for i, one in enumerate(statements)}
    client = site(interface, {**texts_at, **padded}, begin, sqlite=["default"], timeout="5s")
    assert [client.get("/x").status_code for _ in range(3)] == [502] * 3
    assert texts(site(*SQLITE, sqlite=["default"]), 1) == ["1"]


@pytest.mark.parametrize("limit", ["timeout", "cpu"])
def test_a_guest_that_only_calls_the_host_is_stopped(site: Site, limit: str) -> None:
    interface, texts_at, _ = KEY_VALUE
    forever = f"""{programs.opening(7)}
   (loop $again (call $exists (local.get $h) (i32.const 1100) (i32.const 4) (i32.const 320)) (br $again))"""
    client = site(interface, texts_at, forever, key_value=["default"], **{limit: "500ms"})
    assert client.get("/x").status_code == 504
