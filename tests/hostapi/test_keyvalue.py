"""Key-value stores as a guest sees them, in a SQLite file and in a real Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import wasmtime

from hostapi.backends import Server
from hostapi.driver import Driver, Guest
from servers.process import closed_port
from wsgi_wasm.config.granted import KeyValueStore
from wsgi_wasm.hostapi import keyvalue
from wsgi_wasm.hostapi.keyvalue_store import Store, connect
from wsgi_wasm.hostapi.limits import MAX_HANDLES, MAX_KEY
from wsgi_wasm.hostapi.resp import RespConnection

DRIVER = Driver(keyvalue.API)

Open = Callable[..., Guest]


def in_file(path: Path, name: str = "default", max_size: int = 1 << 24) -> KeyValueStore:
    return KeyValueStore(name=name, path=path, redis=None, prefix="", max_size=max_size)


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], KeyValueStore]:
    """`store(name)`: a store that nothing is in."""
    if request.param == "sqlite":
        return lambda name: in_file(tmp_path / "state" / "kv.db", name)
    server: Server = request.getfixturevalue("redis_server")
    url = f"redis://:{server.password}@127.0.0.1:{server.port}/1"

    def make(name: str) -> KeyValueStore:
        prefix = f"{tmp_path.name}*[{name}]:"  # what a pattern would take for its own
        return KeyValueStore(name=name, path=None, redis=url, prefix=prefix, max_size=0)

    return make


@pytest.fixture
def guest(store: Callable[[str], KeyValueStore]) -> Callable[..., Guest]:
    """`guest()`: a guest that may open `default` and `other`; of several, each in a run of its own."""
    stores = keyvalue.stores({name: store(name) for name in ("default", "other")})
    return lambda **options: DRIVER.guest(stores, **options)


VALUES = [b"", b"x", b"\0\xff" * 1000, b"y" * (1 << 20)]


def test_set_and_get(guest: Open) -> None:
    with guest() as one:
        store = one.ok("[static]store.open", "default")
        assert one.ok("[method]store.get", store, "nothing") is None
        assert one.ok("[method]store.exists", store, "nothing") is False
        for number, value in enumerate(VALUES):
            assert one.ok("[method]store.set", store, f"key {number} ü", value) is None
            assert one.ok("[method]store.get", store, f"key {number} ü") == value
            assert one.ok("[method]store.exists", store, f"key {number} ü") is True
    with guest() as another:
        store = another.ok("[static]store.open", "default")
        assert another.ok("[method]store.get", store, "key 1 ü") == b"x"
        another.ok("[method]store.set", store, "key 1 ü", b"z")
        assert another.ok("[method]store.get", store, "key 1 ü") == b"z"
        another.ok("[method]store.delete", store, "key 1 ü")
        another.ok("[method]store.delete", store, "key 1 ü")
        assert another.ok("[method]store.get", store, "key 1 ü") is None
        assert sorted(another.ok("[method]store.get-keys", store)) == ["key 0 ü", "key 2 ü", "key 3 ü"]


def test_stores_are_apart(guest: Open) -> None:
    with guest() as one:
        first, second = (one.ok("[static]store.open", name) for name in ("default", "other"))
        one.ok("[method]store.set", first, "key", b"first")
        assert one.ok("[method]store.get", second, "key") is None
        one.ok("[method]store.set", second, "key", b"second")
        assert one.ok("[method]store.get", first, "key") == b"first"
        assert one.ok("[method]store.get-keys", first) == ["key"]
        one.ok("[method]store.delete", first, "key")
        assert one.ok("[method]store.get", second, "key") == b"second"


def test_both_interfaces_see_one_store(guest: Open) -> None:
    with guest() as one:
        store, bucket = one.ok("[static]store.open", "default"), one.ok("open", "default")
        one.ok("[method]store.set", store, "key", b"value")
        assert one.ok("[method]bucket.get", bucket, "key") == b"value"
        assert one.ok("[method]bucket.exists", bucket, "key") is True
        one.ok("[method]bucket.delete", bucket, "key")
        assert one.ok("[method]store.exists", store, "key") is False
        one.ok("[method]bucket.set", bucket, "a", b"")
        assert one.ok("[method]bucket.list-keys", bucket, None) == (["a"], None)
        assert one.error("[method]bucket.list-keys", bucket, "a")[0] == "other"


def test_many_at_once(guest: Open) -> None:
    with guest() as one:
        bucket = one.ok("open", "default")
        pairs = [(f"k{i:04}", b"v" * i) for i in range(500)]
        one.ok("set-many", bucket, pairs)
        assert one.ok("get-many", bucket, ["k0003", "none", "k0000"]) == [
            ("k0003", b"vvv"),
            ("none", None),
            ("k0000", b""),
        ]
        one.ok("delete-many", bucket, [key for key, _ in pairs[1:]] + ["none"])
        assert one.ok("[method]bucket.list-keys", bucket, None) == (["k0000"], None)
        for name in ("set-many", "delete-many", "get-many"):
            assert one.ok(name, bucket, []) in (None, [])


def test_increment(guest: Open) -> None:
    with guest() as one:
        bucket = one.ok("open", "default")
        assert [one.ok("increment", bucket, "n", delta) for delta in (1, 41, -100, 0)] == [1, 42, -58, -58]
        one.ok("[method]bucket.set", bucket, "text", b"no number")
        assert one.error("increment", bucket, "text", 1)[0] == "other"
        one.ok("increment", bucket, "most", (1 << 63) - 1)
        assert one.error("increment", bucket, "most", 1)[0] == "other"
        assert one.ok("increment", bucket, "most", -1) == (1 << 63) - 2


def test_compare_and_swap(guest: Open) -> None:
    with guest() as one, guest() as another:
        bucket, theirs = one.ok("open", "default"), another.ok("open", "default")
        cas = one.ok("[static]cas.new", bucket, "key")
        assert one.ok("[method]cas.current", cas) is None
        one.ok("swap", cas, b"1")
        cas = one.ok("[static]cas.new", bucket, "key")
        another.ok("[method]bucket.set", theirs, "key", b"theirs")
        case, again = one.error("swap", cas, b"2")
        assert case == "cas-failed"
        assert one.ok("[method]cas.current", again) == b"theirs"
        one.ok("swap", again, b"2")
        assert another.ok("[method]bucket.get", theirs, "key") == b"2"
        gone = one.ok("[static]cas.new", bucket, "key")
        another.ok("[method]bucket.delete", theirs, "key")
        assert one.error("swap", gone, b"3")[0] == "cas-failed"


def test_threads_lose_nothing(guest: Open) -> None:
    def count() -> None:
        for _ in range(10):
            with guest() as one:
                bucket = one.ok("open", "default")
                for _ in range(10):
                    one.ok("increment", bucket, "n", 1)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(count) for _ in range(8)]:
            done.result()
    with guest() as one:
        assert one.ok("increment", one.ok("open", "default"), "n", 0) == 800


# Several changes at once, as workers make them --------------------------------------------------------------------


def test_a_change_sets_and_takes_away(store: Callable[[str], KeyValueStore]) -> None:
    with closing(connect(store("default"))) as one, closing(connect(store("other"))) as other:
        other.set("a", b"theirs")
        one.change([(f"k{number}", b"%d" % number) for number in range(2500)])
        assert dict(one.pairs()) == {f"k{number}": b"%d" % number for number in range(2500)}
        one.change([("a", b""), ("k1", b"again")], ["k1", "nothing", *(f"k{number}" for number in range(2, 2500))])
        assert dict(one.pairs()) == {"a": b"", "k0": b"0", "k1": b"again"}
        one.change([], ["a", "k1"])
        one.change([], [])
        assert (dict(one.pairs()), dict(other.pairs())) == ({"k0": b"0"}, {"a": b"theirs"})


@pytest.fixture
def full(request: pytest.FixtureRequest, store: Callable[[str], KeyValueStore]) -> Iterator[Store]:
    """A store with a pair `old`, which takes no more."""
    kept = store("default")
    with closing(connect(replace(kept, max_size=64 << 10))) as one:
        one.set("old", b"1")
        if kept.redis is None:
            yield one
            return
        with closing(RespConnection.from_url(urlsplit(kept.redis))) as admin:
            admin.call("CONFIG", "SET", "maxmemory", "1")
            try:
                yield one
            finally:
                admin.call("CONFIG", "SET", "maxmemory", "0")


def test_a_change_that_fails_in_its_middle_is_none(full: Store, store: Callable[[str], KeyValueStore]) -> None:
    with pytest.raises(full.Error):
        full.change([("new", bytes(1 << 20))], ["old"])
    with closing(connect(store("default"))) as one:
        assert dict(one.pairs()) == {"old": b"1"}
        one.change([], ["old"])  # nothing is locked


def test_nobody_sees_half_a_change(tmp_path: Path) -> None:
    place = in_file(tmp_path / "kv.db")
    with closing(connect(place)) as one:
        one.change([("a", b"")])

    def change() -> None:
        with closing(connect(place)) as writer:
            for _ in range(200):
                writer.change([("b", b"")], ["a"])
                writer.change([("a", b"")], ["b"])

    with ThreadPoolExecutor(1) as pool, closing(connect(place)) as reader:
        changing = pool.submit(change)
        while not changing.done():
            assert len(list(reader.pairs())) == 1
        changing.result()


# What is refused -------------------------------------------------------------------------------------------------


def test_what_is_not_granted_is_denied(guest: Open) -> None:
    with guest() as one:
        for label in ("secret", "", "Default", "default\0", "x" * 10_000):
            assert one.error("[static]store.open", label) == ("access-denied", None)
            assert one.error("open", label) == ("access-denied", None)
    with DRIVER.guest({}) as nothing:
        assert nothing.error("[static]store.open", "default") == ("access-denied", None)


def test_keys_are_bounded(guest: Open) -> None:
    with guest() as one:
        store = one.ok("[static]store.open", "default")
        one.ok("[method]store.set", store, "k" * MAX_KEY, b"x")
        for key in ("k" * (MAX_KEY + 1), "ü" * (MAX_KEY // 2 + 1), "k" * (1 << 20)):
            for call in ("get", "delete", "exists"):
                assert one.error(f"[method]store.{call}", store, key)[0] == "other"
            assert one.error("[method]store.set", store, key, b"")[0] == "other"


def test_handles_are_bounded_and_come_back(guest: Open) -> None:
    with guest() as one:
        handles = [one.ok("[static]store.open", "default") for _ in range(MAX_HANDLES)]
        assert one.error("[static]store.open", "default") == ("store-table-full", None)
        assert one.error("open", "default")[0] == "other"
        one.call("[drop]store", handles.pop())
        one.ok("[method]store.set", one.ok("[static]store.open", "default"), "key", b"")
    with guest() as one:
        assert one.ok("[static]store.open", "default")


@pytest.mark.parametrize("handle", [0, 2, 77, 0xFFFFFFFF])
def test_a_handle_that_was_never_given(guest: Open, handle: int) -> None:
    with guest() as one:
        assert one.ok("[static]store.open", "default") == 1
        with pytest.raises(wasmtime.WasmtimeError):
            one.call("[method]store.get", handle, "key")


def test_a_handle_after_its_drop(guest: Open) -> None:
    with guest() as one:
        store = one.ok("[static]store.open", "default")
        one.call("[drop]store", store)
        with pytest.raises(wasmtime.WasmtimeError):
            one.call("[method]store.get", store, "key")
    assert one.run.host_state.count(keyvalue.STORE) == 0


def test_answers_are_bounded(guest: Open) -> None:
    with guest() as one:
        bucket = one.ok("open", "default")
        for number in range(6):
            one.ok("[method]bucket.set", bucket, f"k{number}", b"x" * (1 << 20))
        assert len(one.ok("get-many", bucket, ["k0", "k1"])) == 2
        assert one.error("get-many", bucket, [f"k{n}" for n in range(6)])[0] == "other"
        assert "3 MiB" in one.error("get-many", bucket, ["k0"] * 6)[1]


def test_a_run_that_is_over_waits_for_nothing(guest: Open) -> None:
    with guest(seconds=0) as late:
        bucket = late.ok("open", "default")
        case, value = late.call("[method]bucket.get", bucket, "key")
        # What takes no time at all may still be answered.
        assert (case, value) == ("ok", None) or (case, value[0]) == ("err", "other")


# Redis alone -----------------------------------------------------------------------------------------------------


def test_an_idle_connection_that_the_server_closes(redis_server: Server) -> None:
    url = f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/5"
    store = KeyValueStore(name="d", path=None, redis=url, prefix="idle:", max_size=0)
    stores = keyvalue.stores({"default": store, "other": store})
    for _ in range(2):
        with DRIVER.guest(stores) as one:
            assert one.ok("[method]store.exists", one.ok("[static]store.open", "default"), "k") is False
        with closing(RespConnection.from_url(urlsplit(url))) as admin:
            admin.call("CLIENT", "KILL", "TYPE", "normal")


def test_a_redis_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with closed_port() as port:
        store = KeyValueStore(name="d", path=None, redis=f"redis://127.0.0.1:{port}/0", prefix="", max_size=0)
        with DRIVER.guest(keyvalue.stores({"default": store})) as one:
            assert one.error("[method]store.get", one.ok("[static]store.open", "default"), "k")[0] == "other"
