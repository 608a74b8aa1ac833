"""MySQL and MariaDB servers that a guest connects to itself: `fermyon:spin/mysql`.

Interfaces: spinframework/spin, wit/deps/spin@2.0.0/mysql.wit and, where each call names the server,
wit/deps/spin@unversioned/mysql.wit. An address that the route does not allow is
`connection-failed`. The client library is imported when a guest first connects.
"""

from __future__ import annotations

import importlib
import importlib.util
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from wsgi_wasm.config.granted import AllowedHost, Endpoint, Grants
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.hostapi.description import describe_servers
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.leases import CannotConnect, Lease, LeasingServers, ServerKind, TooLate, said
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, ResultSize, TooLarge
from wsgi_wasm.hostapi.mysql_values import PARAMETER, ROW_SET, kind, value_of

_MISSING = "MySQL needs the package 'pymysql': pip install 'wsgi-wasm[mysql]'"


def client() -> Any:
    """The module that connects. Raises ImportError where the client library is not installed."""
    return importlib.import_module("wsgi_wasm.hostapi.mysql_connection")


KIND = ServerKind(scheme="mysql", client=lambda: client(), missing=_MISSING)


class MysqlServers(LeasingServers):
    """What a route grants."""

    def __init__(self, entries: Sequence[Endpoint | AllowedHost], of_manifest: bool = False) -> None:
        super().__init__(KIND, entries, of_manifest)


class Mysql:
    """The API in one run."""

    def __init__(self, host: HostState, servers: MysqlServers) -> None:
        self._host_state = host
        self._servers = servers

    @property
    def host_state(self) -> HostState:
        return self._host_state

    def open(self, address: str) -> Lease:
        if self._host_state.count(CONNECTION) >= MAX_CONNECTIONS:
            raise HostError("connection-failed", f"a guest can have at most {MAX_CONNECTIONS} open connections")
        try:
            return self._servers.open(address, self._host_state)
        except CannotConnect as error:
            raise HostError("connection-failed", str(error)) from None

    def query(self, lease: Lease, statement: str, values: list[tuple[str, Any]]) -> Any:
        """Columns and rows."""
        with _errors():
            result = lease.connection.run(statement, values)
            kinds = [kind(column) for column in result.columns]
            cost, rows = ResultSize(self._host_state), list[Any]()
            with closing(result.rows):
                for row in result.rows:
                    rows.append([value_of(one, value) for one, value in zip(kinds, row, strict=True)])
                    for _, value in rows[-1]:
                        cost.add(value)
            return [(_text(column.name), one) for column, one in zip(result.columns, kinds, strict=True)], rows

    def execute(self, lease: Lease, statement: str, values: list[tuple[str, Any]]) -> None:
        """Run a statement, whatever it gives."""
        with _errors(), closing(lease.connection.run(statement, values).rows) as rows:
            for _ in rows:
                pass


def _text(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


@contextmanager
def _errors() -> Iterator[None]:
    """What the connection raises, as the interface's own error."""
    connections = client()
    try:
        yield
    except connections.Error as error:
        raise HostError("query-failed", said(error)) from None
    except (TooLate, TooLarge, OSError) as error:
        raise HostError("query-failed", str(error)) from None
    except (ValueError, LookupError, struct.error) as error:
        # What a server sends may be no value of its type.
        raise HostError("value-conversion-failed", str(error)) from None


# --- the interfaces -------------------------------------------------------------------------------

CONNECTION = wit.Resource("connection")

_FAILED = dict.fromkeys(("connection-failed", "bad-parameter", "query-failed", "value-conversion-failed"), wit.STRING)
_ERROR = wit.variant({**_FAILED, "other": wit.STRING})
_OLD_ERROR = wit.variant({"success": None, **_FAILED, "other-error": wit.STRING})
_STATEMENT = (wit.STRING, wit.ListType(PARAMETER))

SPIN_2 = Interface[Mysql](
    "fermyon:spin/mysql@2.0.0",
    {
        "[static]connection.open": Function((wit.STRING,), wit.ResultOf(wit.Own(CONNECTION), _ERROR), Mysql.open),
        "[method]connection.query": Function(
            (wit.Borrow(CONNECTION), *_STATEMENT), wit.ResultOf(ROW_SET, _ERROR), Mysql.query
        ),
        "[method]connection.execute": Function(
            (wit.Borrow(CONNECTION), *_STATEMENT), wit.ResultOf(None, _ERROR), Mysql.execute
        ),
    },
    (CONNECTION,),
)


def _at_once(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method with a connection for this call alone."""

    def call(api: Mysql, address: str, statement: str, values: list[tuple[str, Any]]) -> Any:
        with closing(api.open(address)) as lease:
            return method(api, lease, statement, values)

    return call


SPIN_1 = Interface[Mysql](
    "fermyon:spin/mysql",
    {
        "query": Function((wit.STRING, *_STATEMENT), wit.ResultOf(ROW_SET, _OLD_ERROR), _at_once(Mysql.query)),
        "execute": Function((wit.STRING, *_STATEMENT), wit.ResultOf(None, _OLD_ERROR), _at_once(Mysql.execute)),
    },
)
# Types alone, which the other imports.
SPIN_1_TYPES = Interface[Mysql]("fermyon:spin/rdbms-types", {})


def _warn(grants: Grants) -> Iterator[str]:
    if grants.mysql and importlib.util.find_spec("pymysql") is None:
        yield "`mysql` needs the package 'pymysql': pip install 'wsgi-wasm[mysql]'"


API = GrantedApi(
    name="mysql",
    interfaces=(SPIN_2, SPIN_1_TYPES, SPIN_1),
    begin=Mysql,
    bind=lambda grants: MysqlServers(grants.mysql, grants.of_manifest),
    describe=lambda grants: describe_servers(grants.mysql),
    warn=_warn,
)
