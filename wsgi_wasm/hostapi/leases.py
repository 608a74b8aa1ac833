"""Connections to database servers that a guest names itself: whether the route allows the server,
and one of those that other runs have left."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wsgi_wasm.config.granted import AllowedHost, Endpoint
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.log import log
from wsgi_wasm.hostapi.pool import ConnectionPool
from wsgi_wasm.hostapi.servers import AllowedServers, NotAllowed

_KEPT_ADDRESSES = 16  # of which idle connections are kept


class TooLate(Exception):
    """The run's time is up, or an answer is larger than allowed; the connection is of no
    use any more."""


class CannotConnect(Exception):
    """In words that are for the guest."""


def said(error: Exception) -> str:
    """What a server has said, with the number that some put before it."""
    match error.args:
        case (int() as number, str() as text) if not isinstance(error, OSError):
            return f"{number}: {text}"
    return str(error)


class Leased(Protocol):
    """A connection that several runs use, one after the other."""

    def serve(self, host: HostState) -> None:
        """From now on statements end when this run must end. Raises `ClientModule.Error`,
        TooLate."""

    def reset(self) -> bool:
        """Leave nothing of a run for the next. False where that fails."""

    def is_stale(self) -> bool:
        """As `PooledConnection.is_stale`."""

    def close(self) -> None: ...


class ClientModule(Protocol):
    """The module that connects to servers of one kind. It imports the client library."""

    Error: type[Exception]

    def options(self, address: str) -> dict[str, Any]:
        """What a guest's address says, `host` and `port` among it. Raises ValueError in words that
        are for the guest."""

    def placed(self, options: dict[str, Any], addresses: tuple[str, ...]) -> dict[str, Any]:
        """The options with the addresses to connect to, whatever the name resolves to by then."""

    def connect(self, options: dict[str, Any], host: HostState) -> Leased:
        """Raises `Error`, TooLate, Stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKind:
    """`scheme` is that of addresses, and the key of a route that lists servers. `client` raises
    ImportError where the client library is not there, and then `missing` is logged."""

    scheme: str
    client: Callable[[], ClientModule]
    missing: str


class Lease:
    """A connection while a guest has its handle. Afterwards it is reset and kept for the
    next, or closed."""

    def __init__(self, pool: ConnectionPool[Any], connection: Any) -> None:
        self._pool = pool
        self.connection = connection

    def close(self) -> None:
        self._pool.give_back(self.connection, usable=self.connection.reset())


class LeasingServers:
    """What a route grants of one kind: the servers that it allows, and idle connections, by all
    that a guest has said of them."""

    def __init__(self, kind: ServerKind, entries: Sequence[Endpoint | AllowedHost], of_manifest: bool = False) -> None:
        self._kind = kind
        self._allowed = AllowedServers(entries, kind.scheme, of_manifest)
        self._pools: OrderedDict[tuple[Any, ...], ConnectionPool[Any]] = OrderedDict()
        self._changing = threading.Lock()

    def open(self, address: str, host: HostState, **more: Any) -> Lease:
        """A connection to a guest's address, with options that are not the guest's to choose.
        Raises CannotConnect, Stop."""
        try:
            client = self._kind.client()
        except ImportError:
            log.error(self._kind.missing)
            raise CannotConnect("not available on this server") from None
        try:
            options = {**client.options(address), **more}
            addresses = self._allowed.addresses(options["host"], options["port"], host.remaining())
        except (ValueError, NotAllowed) as error:
            raise CannotConnect(str(error)) from None
        except OSError as error:
            raise CannotConnect(f"the address cannot be resolved: {error.strerror or error}") from None
        if addresses is not None:
            options = client.placed(options, addresses)
        pool = self._pool(options)
        try:
            return Lease(pool, _ready(pool, lambda: client.connect(options, host), host, client.Error))
        except (client.Error, TooLate, OSError, ValueError) as error:
            raise CannotConnect(said(error)) from None

    def _pool(self, options: dict[str, Any]) -> ConnectionPool[Any]:
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


def _ready(pool: ConnectionPool[Any], connect: Callable[[], Leased], host: HostState, failed: type[Exception]) -> Any:
    """A connection that answers. An idle one that does not is closed, and another tried."""
    made: list[Any] = []

    def new() -> Any:
        made.append(connect())
        return made[-1]

    while True:
        connection = pool.take(new)
        try:
            connection.serve(host)
            return connection
        except BaseException as error:
            pool.give_back(connection, usable=False)
            if made or not isinstance(error, failed):
                raise
