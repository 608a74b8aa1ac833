"""Scripts that use DBI, on the databases that their route grants, under `interpreters: {.pl: perl}`."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from hostapi.backends import MysqlServer, Server
from perl.cases import interpreter

SCRIPTS = Path(__file__).with_name("databases")

Ask = Callable[..., str]


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@pytest.fixture
def ask(tmp_path: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture) -> Ask:
    """`ask("name.pl", dsn, **route)`: what the script says."""

    def asked(script: str, dsn: str, site: dict[str, Any] = {}, **route: Any) -> str:
        env = {"DSN": dsn, "DB_USER": "alice", "DB_PASSWORD": "opensesame"}
        common = {"directory": str(SCRIPTS), "interpreters": {".pl": "perl"}, "env": env, "queue_timeout": "300s"}
        client = make_client({"/": {**common, **route}}, **site)
        with caplog.at_level(logging.INFO, "wsgi_wasm"):
            answer = client.get(f"/{script}")
        assert answer.status_code == 200, caplog.text
        return answer.text

    return asked


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, Any]:
    """A site's database, which a route grants as `shop`."""
    return {"sqlite": {"shop": str(tmp_path / "private" / "shop.db")}}


# What the native drivers say: `test_the_native_drivers_say_the_same`.
EXPECTED = (SCRIPTS / "expected.txt").read_text("utf-8")


def test_sqlite(ask: Ask, shop: dict[str, Any], tmp_path: Path) -> None:
    dsn = "dbi:SQLite:dbname=/data/shop.db"
    assert ask("all.pl", dsn, shop, sqlite={"/data/shop.db": "shop"}) == EXPECTED
    with closing(sqlite3.connect(tmp_path / "private" / "shop.db")) as native:
        assert native.execute("SELECT count(*) FROM goods").fetchone() == (3,)


def test_what_is_not_granted(ask: Ask, shop: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    for dsn in ("dbi:SQLite:dbname=/data/other.db", "dbi:Pg:dbname=x", "dbi:mysql:x"):
        assert "undef|" in ask("connect.pl", dsn, shop, sqlite={"/data/shop.db": "shop"})
    assert "'/data/other.db'" in caplog.text
    assert ask("connect.pl", "dbi:SQLite:shop.db", shop, sqlite={"/shop.db": "shop"}) == "connected\n"


def test_postgres(ask: Ask, postgres_server: Server) -> None:
    dsn = f"dbi:Pg:dbname=postgres;host=127.0.0.1;port={postgres_server.port}"
    assert ask("all.pl", dsn, postgres=[f"127.0.0.1:{postgres_server.port}"]) == EXPECTED


@pytest.mark.parametrize("driver", ["mysql", "MariaDB"])
def test_mysql(ask: Ask, mysql_server: MysqlServer, driver: str) -> None:
    dsn = f"dbi:{driver}:database=shop;host=127.0.0.1;port={mysql_server.port}"
    assert ask("all.pl", dsn, mysql=[f"127.0.0.1:{mysql_server.port}"]) == EXPECTED


@pytest.mark.corpus
@pytest.mark.parametrize("driver", ["SQLite", "Pg", "mysql", "MariaDB"])
def test_the_native_drivers_say_the_same(
    driver: str, tmp_path: Path, postgres_server: Server, mysql_server: MysqlServer
) -> None:
    """Under the machine's own perl, with Debian's packages of DBI and its drivers."""
    addresses = {
        "SQLite": f"dbname={tmp_path / 'shop.db'}",
        "Pg": f"dbname=postgres;host=127.0.0.1;port={postgres_server.port}",
    }
    address = addresses.get(driver, f"database=shop;host=127.0.0.1;port={mysql_server.port}")
    env = {"DSN": f"dbi:{driver}:{address}", "DB_USER": "alice", "DB_PASSWORD": "opensesame"}
    done = subprocess.run(["/usr/bin/perl", SCRIPTS / "all.pl"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n\n", 1)[1] == EXPECTED
