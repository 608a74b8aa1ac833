"""PostgreSQL servers that a guest connects to itself: `spin:postgres` and `fermyon:spin/postgres`.

Interfaces: spinframework/spin, wit/deps/spin-postgres@3.0.0/postgres.wit, the same of 4.0.0, and
wit/deps/spin@2.0.0/postgres.wit. An address that the route does not allow is `connection-failed`,
which is what Spin answers. The client library is imported when a guest first connects.
"""

from __future__ import annotations

import importlib.util
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from wsgi_wasm.config.granted import AllowedHost, Endpoint, Grants
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.hostapi.description import describe_servers
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, ResultSize, TooLarge
from wsgi_wasm.hostapi.log import log
from wsgi_wasm.hostapi.pool import ConnectionPool
from wsgi_wasm.hostapi.postgres_values import VERSION_2, VERSION_3, Values
from wsgi_wasm.hostapi.postgres_values_4 import VERSION_4
from wsgi_wasm.hostapi.servers import AllowedServers, NotAllowed

_MISSING = "PostgreSQL needs the package 'psycopg': pip install 'wsgi-wasm[postgres]'"
_KEPT_ADDRESSES = 16  # of which idle connections are kept


class Servers:
    """What a route grants: the servers that it allows, and idle connections, by all that a guest
    has said of them."""

    def __init__(self, entries: Sequence[Endpoint | AllowedHost], of_manifest: bool = False) -> None:
        self._allowed = AllowedServers(entries, "postgres", of_manifest)
        self._pools: OrderedDict[tuple[Any, ...], ConnectionPool[Any]] = OrderedDict()
        self._changing = threading.Lock()

    def placed(self, options: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The options with the address to connect to, where that is not up to the name.
        Raises NotAllowed, OSError."""
        addresses = self._allowed.addresses(options["host"], options["port"], seconds)
        return options if addresses is None else {**options, "hostaddr": addresses[0]}

    def pool(self, options: dict[str, Any]) -> ConnectionPool[Any]:
        """Connections that were made with just these options, the password among them."""
        key = tuple(sorted(options.items()))
        with self._changing:
            pool = self._pools.setdefault(key, ConnectionPool())
            self._pools.move_to_end(key)
            old = self._pools.popitem(last=False)[1] if len(self._pools) > _KEPT_ADDRESSES else None
        if old is not None:
            old.close()
        return pool

    def close(self) -> None:
        """Close what is idle."""
        for pool in list(self._pools.values()):
            pool.close()


def client() -> Any:
    """The module that connects. Raises ImportError where the client library is not installed."""
    from wsgi_wasm.hostapi import postgres_connection

    return postgres_connection


class Lease:
    """A connection while a guest has its handle. Afterwards it is reset and kept for the
    next, or closed."""

    def __init__(self, pool: ConnectionPool[Any], connection: Any) -> None:
        self._pool = pool
        self.connection = connection

    def close(self) -> None:
        self._pool.give_back(self.connection, usable=self.connection.reset())


class Postgres:
    """The API in one run."""

    def __init__(self, host: HostState, servers: Servers) -> None:
        self._host_state = host
        self._servers = servers

    @property
    def host_state(self) -> HostState:
        return self._host_state

    def open(self, address: str) -> Lease:
        try:
            connections = client()
        except ImportError:
            log.error(_MISSING)
            raise HostError("connection-failed", "not available on this server") from None
        try:
            options = connections.options(address)
        except ValueError as error:
            raise HostError("connection-failed", str(error)) from None
        try:
            options = self._servers.placed(options, self._host_state.remaining())
        except NotAllowed as error:
            raise HostError("connection-failed", str(error)) from None
        except OSError as error:
            raise HostError("connection-failed", f"the address cannot be resolved: {error.strerror or error}") from None
        if sum(map(self._host_state.count, _CONNECTIONS)) >= MAX_CONNECTIONS:
            raise HostError("connection-failed", f"a guest can have at most {MAX_CONNECTIONS} open connections")
        with _errors("connection-failed"):
            pool = self._servers.pool(options)
            return Lease(pool, self._ready(pool, options, connections))

    def _ready(self, pool: ConnectionPool[Any], options: dict[str, Any], connections: Any) -> Any:
        """A connection that answers. An idle one that does not is closed, and another tried."""
        made: list[Any] = []

        def connect() -> Any:
            made.append(connections.PostgresConnection(options, self._host_state))
            return made[-1]

        while True:
            connection = pool.take(connect)
            try:
                connection.serve(self._host_state)
                return connection
            except BaseException as error:
                pool.give_back(connection, usable=False)
                if made or not isinstance(error, connections.Error):
                    raise


@contextmanager
def _errors(case: str, failed: Callable[[Exception], Any] = str) -> Iterator[None]:
    """What the connection raises, as the interface's own error; `case` is for what the server has
    to say, and `failed` makes what belongs to it."""
    connections = client()
    try:
        yield
    except connections.Error as error:
        if getattr(error, "sqlstate", None) is None and type(error).__name__ == "DataError":
            raise HostError("value-conversion-failed", str(error)) from None
        raise HostError(case, failed(error)) from None
    except (ValueError, ArithmeticError, LookupError, struct.error) as error:
        # What a server sends may be no value of its type, or one that Python's type does not hold.
        raise HostError("value-conversion-failed", str(error)) from None
    except (connections.TooLate, TooLarge, OSError) as error:
        raise HostError(case, failed(error)) from None


def _executing(types: Values) -> Callable[..., Any]:
    def execute(_api: Postgres, lease: Lease, statement: str, values: list[tuple[str, Any]]) -> int:
        with _errors("query-failed", types.failed):
            return max(0, int(lease.connection.run(statement, types.parameters(values)).rowcount))

    return execute


def _querying(types: Values) -> Callable[..., Any]:
    def query(api: Postgres, lease: Lease, statement: str, values: list[tuple[str, Any]]) -> Any:
        with _errors("query-failed", types.failed):
            cursor = lease.connection.run(statement, types.parameters(values), binary=types.binary)
            described = [(types.kind(column.type_code), column) for column in cursor.description or ()]
            columns = [(column.name, types.data_type(kind, column)) for kind, column in described]
            cost, rows = ResultSize(api.host_state), list[Any]()
            # Without a description the statement gave no rows, not even none of them.
            while columns and (row := cursor.fetchone()) is not None:
                here = len(rows)
                rows.append([])
                for column, value in enumerate(row):
                    raw = partial(cursor.pgresult.get_value, here, column)
                    rows[here].append(types.value_of(described[column][0], value, raw))
                    _count(rows[here][-1][1], cost)
            return columns, rows

    return query


def _count(value: Any, cost: ResultSize) -> None:
    """Add what a value costs, and each of a list."""
    for one in value if isinstance(value, list) else ():
        cost.add(one)
    cost.add(value)


# --- the interfaces -------------------------------------------------------------------------------

CONNECTION, CONNECTION_2, CONNECTION_4 = _CONNECTIONS = tuple(wit.Resource("connection") for _ in range(3))

_ERRORS = ("connection-failed", "bad-parameter", "query-failed", "value-conversion-failed", "other")


def _interface(name: str, resource: wit.Resource, types: Values) -> Interface[Postgres]:
    error = wit.variant({**dict.fromkeys(_ERRORS, wit.STRING), "query-failed": types.query_error})
    taken = (wit.Borrow(resource), wit.STRING, wit.ListType(types.parameter))
    functions: dict[str, Function[Postgres]] = {
        "[static]connection.open": Function((wit.STRING,), wit.ResultOf(wit.Own(resource), error), Postgres.open),
        "[method]connection.query": Function(taken, wit.ResultOf(types.row_set, error), _querying(types)),
        "[method]connection.execute": Function(taken, wit.ResultOf(wit.U64, error), _executing(types)),
    }
    return Interface(name, functions, (resource,))


SPIN_4 = _interface("spin:postgres/postgres@4.0.0", CONNECTION_4, VERSION_4)
SPIN_3 = _interface("spin:postgres/postgres@3.0.0", CONNECTION, VERSION_3)
SPIN_2 = _interface("fermyon:spin/postgres@2.0.0", CONNECTION_2, VERSION_2)
# Types alone, which the other imports.
SPIN_2_TYPES = Interface[Postgres]("fermyon:spin/rdbms-types@2.0.0", {})


def _warn(grants: Grants) -> Iterator[str]:
    if grants.postgres and importlib.util.find_spec("psycopg") is None:
        yield "`postgres` needs the package 'psycopg': pip install 'wsgi-wasm[postgres]'"


API = GrantedApi(
    name="postgres",
    interfaces=(SPIN_4, SPIN_3, SPIN_2_TYPES, SPIN_2),
    begin=Postgres,
    bind=lambda grants: Servers(grants.postgres, grants.of_manifest),
    describe=lambda grants: describe_servers(grants.postgres),
    warn=_warn,
)
