"""The SQLite files of key-value stores: shared by processes, replaced, full, locked, and none at all."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from hostapi.test_keyvalue import DRIVER, in_file
from servers.limits import full_disk
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi import keyvalue
from wsgi_wasm.hostapi.sqlite_file import SqliteConnection


def count_up(path: Path, times: int) -> None:
    stores = keyvalue.stores({"default": in_file(path)})
    for _ in range(times // 50):
        with DRIVER.guest(stores) as one:
            bucket = one.ok("open", "default")
            for _ in range(50):
                one.ok("increment", bucket, "n", 1)
                one.ok("[method]bucket.set", bucket, f"{os.getpid()}", b"x")


def test_several_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kv.db"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=count_up, args=(path, 250)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    with DRIVER.guest(keyvalue.stores({"default": in_file(path)})) as one:
        bucket = one.ok("open", "default")
        assert one.ok("increment", bucket, "n", 0) == 6 * 250
        assert len(one.ok("[method]bucket.list-keys", bucket, None)[0]) == 7


def test_a_child_leaves_the_parents_connections_alone(tmp_path: Path) -> None:
    """Closed by a child, a connection could take away the log that the parent still writes to."""
    path = tmp_path / "kv.db"
    stores = keyvalue.stores({"default": in_file(path)})
    with DRIVER.guest(stores) as one:
        one.ok("[method]store.set", one.ok("[static]store.open", "default"), "before", b"1")
    child = os.fork()
    if child == 0:
        try:
            with DRIVER.guest(stores) as one:
                one.ok("[method]store.set", one.ok("[static]store.open", "default"), "child", b"2")
            del stores
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with DRIVER.guest(stores) as one:
        store = one.ok("[static]store.open", "default")
        one.ok("[method]store.set", store, "after", b"3")
        assert one.ok("[method]store.get-keys", store) == ["after", "before", "child"]
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_file_is_ours_alone_and_spins_own(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "sqlite_key_value.db"
    with DRIVER.guest(keyvalue.stores({"default": in_file(path)})) as one:
        one.ok("[method]store.set", one.ok("[static]store.open", "default"), "k", b"v")
        one.ok("increment", one.ok("open", "default"), "n", 258)
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT store, key, value FROM spin_key_value ORDER BY key").fetchall()
    assert rows == [("default", "k", b"v"), ("default", "n", b"\x02\x01" + bytes(6))]
    connection.execute("INSERT INTO spin_key_value VALUES ('default', 'text', 'as text')")
    connection.commit()
    connection.close()
    with DRIVER.guest(keyvalue.stores({"default": in_file(path)})) as one:
        assert one.ok("[method]store.get", one.ok("[static]store.open", "default"), "text") == b"as text"


def test_a_file_that_is_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    stores = keyvalue.stores({"default": in_file(path)})
    for value in (b"1", b"2", b"3"):
        with DRIVER.guest(stores) as one:
            store = one.ok("[static]store.open", "default")
            assert one.ok("[method]store.get", store, "key") is None
            one.ok("[method]store.set", store, "key", value)
        for file in tmp_path.glob("kv.db*"):
            file.unlink()


def test_a_full_file_is_an_error_and_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    with DRIVER.guest(keyvalue.stores({"default": in_file(path, max_size=256 << 10)})) as one:
        store = one.ok("[static]store.open", "default")
        results = [one.call("[method]store.set", store, f"k{n}", b"x" * 50_000)[0] for n in range(10)]
        assert "ok" in results
        assert results[-1] == "err"
        one.ok("[method]store.delete", store, "k0")
        one.ok("[method]store.set", store, "k0", b"small")
    assert path.stat().st_size <= 256 << 10


def test_a_writer_that_never_ends_is_waited_for_until_the_run_ends(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    stores = keyvalue.stores({"default": in_file(path)})
    with DRIVER.guest(stores) as one:
        one.ok("[static]store.open", "default")
        one.ok("[method]store.set", 1, "k", b"v")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with DRIVER.guest(stores, seconds=0.3) as one:
        store = one.ok("[static]store.open", "default")
        assert one.ok("[method]store.get", store, "k") == b"v"
        with pytest.raises(Stop, match="timeout"):
            one.error("[method]store.set", store, "k", b"w")
    blocker.execute("ROLLBACK")
    blocker.close()


def test_a_file_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    (tmp_path / "text.db").write_text("this is no database, though it is long enough to look like one " * 20)
    for path in (tmp_path / "file" / "kv.db", tmp_path / "text.db", tmp_path):
        with DRIVER.guest(keyvalue.stores({"default": in_file(path)})) as one:
            store = one.ok("[static]store.open", "default")
            error = one.error("[method]store.get", store, "k")
            assert error[0] == "other"
            assert str(tmp_path) not in error[1]


def test_a_full_disk_is_an_error_of_the_guests(tmp_path: Path) -> None:
    """Where the file grows and where it is made; and nothing of it stays."""
    stores = keyvalue.stores({"default": in_file(tmp_path / "kv.db")})
    with DRIVER.guest(stores) as one:
        store = one.ok("[static]store.open", "default")
        one.ok("[method]store.set", store, "before", b"1")
        with full_disk(100_000):
            for number in range(20):
                last = one.call("[method]store.set", store, f"key {number}", b"x" * 20_000)
            assert last[0] == "err"
        one.ok("[method]store.set", store, "after", b"2")
        assert one.ok("[method]store.get", store, "before") == b"1"
    new = keyvalue.stores({"default": in_file(tmp_path / "new" / "kv.db")})
    with full_disk(1000), DRIVER.guest(new) as one:
        one.error("[method]store.set", one.ok("[static]store.open", "default"), "before", b"1")
    with DRIVER.guest(new) as one:
        one.ok("[method]store.set", one.ok("[static]store.open", "default"), "after", b"3")


def test_a_store_whose_folder_is_swapped(tmp_path: Path) -> None:
    """It was resolved when the site was read; a link that was put there since leads to somebody else's."""
    for folder in ("own", "other"):
        connection = SqliteConnection(tmp_path / folder / "s.db", 1 << 20)
        connection.raw.execute(f"CREATE TABLE {folder} (x)")
        connection.close()
    connection = SqliteConnection(tmp_path / "own" / "s.db", 1 << 20)
    assert not connection.is_stale()
    (tmp_path / "own").rename(tmp_path / "aside")
    (tmp_path / "own").symlink_to("other")
    assert connection.is_stale()
    connection.close()
    with pytest.raises(OSError, match="symbolic link"):
        SqliteConnection(tmp_path / "own" / "s.db", 1 << 20)
    with pytest.raises(OSError, match="symbolic link"):
        SqliteConnection(tmp_path / "own" / "new.db", 1 << 20)
    assert not (tmp_path / "other" / "new.db").exists()


def test_a_store_that_is_swapped_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "other").mkdir()
    connect = sqlite3.connect

    def swapped(path: Path, **options: Any) -> sqlite3.Connection:
        (tmp_path / "own").rename(tmp_path / "aside")
        (tmp_path / "own").symlink_to("other")
        connection: sqlite3.Connection = connect(path, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", swapped)
    with pytest.raises(OSError, match="another file"):
        SqliteConnection(tmp_path / "own" / "s.db", 1 << 20)
