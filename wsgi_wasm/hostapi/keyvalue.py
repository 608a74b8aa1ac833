"""Key-value stores: `fermyon:spin/key-value` and `wasi:keyvalue`, one API under two names.

Interfaces: spinframework/spin, wit/deps/spin@2.0.0/key-value.wit; WebAssembly/wasi-keyvalue,
wit/*.wit, 0.2.0-draft2. A label that the route does not grant is `access-denied`, whether such a
store exists or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from wsgi_wasm.config.granted import Grants, KeyValueStore
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi.description import warn_of_files
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.keyvalue_store import Seen, Store, connect
from wsgi_wasm.hostapi.limits import MAX_HANDLES, MAX_KEY, ResultSize, TooLarge
from wsgi_wasm.hostapi.log import log
from wsgi_wasm.hostapi.pool import ConnectionPool
from wsgi_wasm.hostapi.refused import say_not_granted

Stores: TypeAlias = Mapping[str, tuple[KeyValueStore, ConnectionPool[Store]]]  # by label


def stores(granted: Mapping[str, KeyValueStore]) -> Stores:
    """The stores that a route grants, each with its connections in this process."""
    return {label: (store, ConnectionPool()) for label, store in granted.items()}


class KeyValue:
    """The API in one run: at most one connection to each store for all handles of the guest."""

    def __init__(self, host: HostState, granted: Stores) -> None:
        self.host_state = host
        self._granted = granted
        self._stores: dict[str, Store] = {}

    def close(self) -> None:
        for label, store in self._stores.items():
            store.serve(None)
            self._granted[label][1].give_back(store, store.usable)
        self._stores.clear()

    def open(self, label: str, full: HostError) -> Bucket:
        if label not in self._granted:
            say_not_granted("store", label, "`key_value` of the route, `key_value_stores` of a component")
            raise HostError("access-denied")
        if self.host_state.count(STORE) + self.host_state.count(BUCKET) >= MAX_HANDLES:
            raise full
        return Bucket(self, label)

    def store(self, label: str) -> Store:
        """The connection to a granted store, taken at the first call."""
        store = self._stores.get(label)
        if store is None:
            config, pool = self._granted[label]
            store = self._stores[label] = pool.take(lambda: connect(config, self.host_state))
            store.serve(self.host_state)
        return store


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a handle of either interface stands for."""

    api: KeyValue
    label: str

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, with whatever it raises as the interface's own error."""
        try:
            yield self.api.store(self.label)
        except (TooLarge, ValueError, OverflowError) as error:
            raise HostError("other", str(error)) from None
        except (HostError, Stop):
            raise
        except Exception as error:
            log.warning("key-value store %r: %s: %s", self.label, type(error).__name__, error)
            raise HostError("other", f"the store failed: {type(error).__name__}") from error


@dataclass(slots=True)
class Cas:
    """A compare-and-swap on one key: `seen` is what must still be there."""

    bucket: Bucket
    key: str
    seen: Seen


def _checked(key: str) -> str:
    if len(key) > MAX_KEY or len(key.encode()) > MAX_KEY:
        raise HostError("other", f"a key can have at most {MAX_KEY} bytes")
    return key


def _get(_api: KeyValue, bucket: Bucket, key: str) -> bytes | None:
    _checked(key)
    with bucket.store() as store:
        value = store.get(key)
        ResultSize().add(value)
        return value


def _set(_api: KeyValue, bucket: Bucket, key: str, value: bytes) -> None:
    _checked(key)
    with bucket.store() as store:
        store.set(key, value)


def _delete(_api: KeyValue, bucket: Bucket, key: str) -> None:
    _checked(key)
    with bucket.store() as store:
        store.delete(key)


def _exists(_api: KeyValue, bucket: Bucket, key: str) -> bool:
    _checked(key)
    with bucket.store() as store:
        return store.exists(key)


def _keys(api: KeyValue, bucket: Bucket) -> list[str]:
    with bucket.store() as store:
        answer, keys = ResultSize(api.host_state), []
        for key in store.list_keys():
            answer.add(key)
            keys.append(key)
        return keys


def _list_keys(api: KeyValue, bucket: Bucket, cursor: str | None) -> tuple[list[str], str | None]:
    # All keys come at once, so that no cursor was ever given out.
    if cursor is not None:
        raise HostError("other", "there is no such cursor")
    return _keys(api, bucket), None


def _get_many(api: KeyValue, bucket: Bucket, keys: list[str]) -> list[tuple[str, bytes | None]]:
    with bucket.store() as store:
        answer, pairs = ResultSize(api.host_state), []
        for key, value in store.get_many([_checked(key) for key in keys]):
            answer.add(key)
            answer.add(value)
            pairs.append((key, value))
        return pairs


def _set_many(_api: KeyValue, bucket: Bucket, pairs: list[tuple[str, bytes]]) -> None:
    with bucket.store() as store:
        store.change([(_checked(key), value) for key, value in pairs])


def _delete_many(_api: KeyValue, bucket: Bucket, keys: list[str]) -> None:
    with bucket.store() as store:
        store.change([], [_checked(key) for key in keys])


def _increment(_api: KeyValue, bucket: Bucket, key: str, delta: int) -> int:
    _checked(key)
    with bucket.store() as store:
        return store.increment(key, delta)


def _new_cas(api: KeyValue, bucket: Bucket, key: str) -> Cas:
    if api.host_state.count(CAS) >= MAX_HANDLES:
        raise HostError("other", f"a guest can have at most {MAX_HANDLES} of them")
    return Cas(bucket, key, Seen(_get(api, bucket, key)))


def _current(api: KeyValue, cas: Cas) -> bytes | None:
    value = _get(api, cas.bucket, cas.key)
    cas.seen = Seen(value)
    return value


def _swap(api: KeyValue, cas: Cas, value: bytes) -> None:
    try:
        with cas.bucket.store() as store:
            if store.swap(cas.key, cas.seen.is_still, value):
                return
        latest = Seen(_get(api, cas.bucket, cas.key))
    except HostError as error:
        raise HostError("store-error", (error.case, error.value)) from error
    raise HostError("cas-failed", Cas(cas.bucket, cas.key, latest))


# --- the interfaces -------------------------------------------------------------------------------

STORE, BUCKET, CAS = wit.Resource("store"), wit.Resource("bucket"), wit.Resource("cas")

_SPIN_ERROR = wit.variant({"store-table-full": None, "no-such-store": None, "access-denied": None, "other": wit.STRING})
_WASI_ERROR = wit.variant({"no-such-store": None, "access-denied": None, "other": wit.STRING})
_FULL = HostError("store-table-full")
_WASI_FULL = HostError("other", f"a guest can have at most {MAX_HANDLES} open stores")


def _open(api: KeyValue, label: str) -> Bucket:
    return api.open(label, _FULL)


def _open_bucket(api: KeyValue, name: str) -> Bucket:
    return api.open(name, _WASI_FULL)


def _of(handle: wit.Type, error: wit.Type) -> Callable[..., Function[KeyValue]]:
    """Declares a function of an open store: its call, ok type, and parameters after the handle."""

    def declare(call: Callable[..., Any], ok: wit.Type | None, *parameters: wit.Type) -> Function[KeyValue]:
        return Function((handle, *parameters), wit.ResultOf(ok, error), call)

    return declare


_store = _of(wit.Borrow(STORE), _SPIN_ERROR)
_bucket = _of(wit.Borrow(BUCKET), _WASI_ERROR)
_VALUE = wit.OptionOf(wit.BYTES)
_KEYS = wit.ListType(wit.STRING)

SPIN = Interface[KeyValue](
    "fermyon:spin/key-value@2.0.0",
    {
        "[static]store.open": Function((wit.STRING,), wit.ResultOf(wit.Own(STORE), _SPIN_ERROR), _open),
        "[method]store.get": _store(_get, _VALUE, wit.STRING),
        "[method]store.set": _store(_set, None, wit.STRING, wit.BYTES),
        "[method]store.delete": _store(_delete, None, wit.STRING),
        "[method]store.exists": _store(_exists, wit.BOOL, wit.STRING),
        "[method]store.get-keys": _store(_keys, _KEYS),
    },
    (STORE,),
)

WASI_STORE = Interface[KeyValue](
    "wasi:keyvalue/store@0.2.0-draft2",
    {
        "open": Function((wit.STRING,), wit.ResultOf(wit.Own(BUCKET), _WASI_ERROR), _open_bucket),
        "[method]bucket.get": _bucket(_get, _VALUE, wit.STRING),
        "[method]bucket.set": _bucket(_set, None, wit.STRING, wit.BYTES),
        "[method]bucket.delete": _bucket(_delete, None, wit.STRING),
        "[method]bucket.exists": _bucket(_exists, wit.BOOL, wit.STRING),
        "[method]bucket.list-keys": _bucket(
            _list_keys, wit.record({"keys": _KEYS, "cursor": wit.OptionOf(wit.STRING)}), wit.OptionOf(wit.STRING)
        ),
    },
    (BUCKET,),
)

WASI_BATCH = Interface[KeyValue](
    "wasi:keyvalue/batch@0.2.0-draft2",
    {
        "get-many": _bucket(_get_many, wit.ListType(wit.tuple_of(wit.STRING, _VALUE)), _KEYS),
        "set-many": _bucket(_set_many, None, wit.ListType(wit.tuple_of(wit.STRING, wit.BYTES))),
        "delete-many": _bucket(_delete_many, None, _KEYS),
    },
)

WASI_ATOMICS = Interface[KeyValue](
    "wasi:keyvalue/atomics@0.2.0-draft2",
    {
        "increment": _bucket(_increment, wit.S64, wit.STRING, wit.S64),
        "[static]cas.new": _bucket(_new_cas, wit.Own(CAS), wit.STRING),
        "[method]cas.current": _of(wit.Borrow(CAS), _WASI_ERROR)(_current, _VALUE),
        "swap": Function(
            (wit.Own(CAS), wit.BYTES),
            wit.ResultOf(None, wit.variant({"store-error": _WASI_ERROR, "cas-failed": wit.Own(CAS)})),
            _swap,
        ),
    },
    (CAS,),
)


def _describe(grants: Grants) -> dict[str, str]:
    return {label: _location(store) for label, store in grants.key_value.items()}


def _location(store: KeyValueStore) -> str:
    if store.redis is None:
        return str(store.path)
    url = urlsplit(store.redis)
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}{url.path}, keys {store.prefix}*"


API = GrantedApi(
    name="key_value",
    interfaces=(SPIN, WASI_STORE, WASI_BATCH, WASI_ATOMICS),
    begin=KeyValue,
    bind=lambda grants: stores(grants.key_value),
    describe=_describe,
    warn=lambda grants: warn_of_files(store.path for store in grants.key_value.values() if store.path),
)
