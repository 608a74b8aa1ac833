"""PostgreSQL servers that a guest connects to itself: `spin:postgres` and `fermyon:spin/postgres`.

Interfaces: spinframework/spin, wit/deps/spin-postgres@3.0.0/postgres.wit, the same of 4.0.0, and
wit/deps/spin@2.0.0/postgres.wit. An address that the route does not allow is `connection-failed`,
which is what Spin answers. The client library is imported when a guest first connects.
"""

from __future__ import annotations

import importlib.util
import struct
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
from wsgi_wasm.hostapi.leases import CannotConnect, Lease, LeasingServers, ServerKind, TooLate
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, ResultSize, TooLarge
from wsgi_wasm.hostapi.postgres_values import VERSION_2, VERSION_3, Values
from wsgi_wasm.hostapi.postgres_values_4 import VERSION_4

_MISSING = "PostgreSQL needs the package 'psycopg': pip install 'wsgi-wasm[postgres]'"


def client() -> Any:
    """The module that connects. Raises ImportError where the client library is not installed."""
    from wsgi_wasm.hostapi import postgres_connection

    return postgres_connection


KIND = ServerKind(scheme="postgres", client=lambda: client(), missing=_MISSING)


class Servers(LeasingServers):
    """What a route grants."""

    def __init__(self, entries: Sequence[Endpoint | AllowedHost], of_manifest: bool = False) -> None:
        super().__init__(KIND, entries, of_manifest)


class Postgres:
    """The API in one run."""

    def __init__(self, host: HostState, servers: Servers) -> None:
        self._host_state = host
        self._servers = servers

    @property
    def host_state(self) -> HostState:
        return self._host_state

    def open(self, address: str) -> Lease:
        if sum(map(self._host_state.count, _CONNECTIONS)) >= MAX_CONNECTIONS:
            raise HostError("connection-failed", f"a guest can have at most {MAX_CONNECTIONS} open connections")
        try:
            return self._servers.open(address, self._host_state)
        except CannotConnect as error:
            raise HostError("connection-failed", str(error)) from None


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
    except (TooLate, TooLarge, OSError) as error:
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
