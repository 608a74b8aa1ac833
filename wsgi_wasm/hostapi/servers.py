"""Which servers a guest's own connections may lead to: those that are named one by one, and those
that patterns allow.

A server that is named is trusted whatever its name resolves to. For the others the rules of HTTP
requests hold (`destinations.py`): the name is resolved once, each address is looked at, and the
connection goes to that address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from wsgi_wasm.config.granted import AllowedHost, Endpoint
from wsgi_wasm.hostapi.destinations import Destination, Destinations
from wsgi_wasm.hostapi.refused import Refusals, for_address
from wsgi_wasm.messages import escaped

# nothing that client libraries take for a file or for two names
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


class NotAllowed(Exception):
    """The server, or what its name resolves to, is not allowed."""


class AllowedServers:
    """What a route allows of one kind of server."""

    def __init__(
        self, entries: Iterable[Endpoint | AllowedHost] = (), scheme: str = "redis", of_manifest: bool = False
    ) -> None:
        """`scheme` is that of their URLs, and the name of the route's key."""
        self._scheme = scheme
        self._refusals = Refusals(scheme, of_manifest)
        self._of_manifest = of_manifest
        endpoints, patterns = set(), []
        for entry in entries:
            if isinstance(entry, AllowedHost):
                patterns.append(replace(entry, scheme="*"))  # they are of this kind, or of any
                endpoints |= {entry.endpoint} - {None}
            else:
                endpoints.add((entry.host, entry.port))
        self._endpoints = frozenset(endpoints)
        self._patterns = Destinations(patterns)

    def addresses(self, host: str, port: int, seconds: float) -> tuple[str, ...] | None:
        """Where a connection to this server may go: addresses, the preferred ones first; None for
        wherever its name leads. Takes `seconds` at most.

        Raises NotAllowed, in words that are for the guest, and OSError for a name that
        is not resolved.
        """
        host = host.lower().rstrip(".")
        if (host, port) in self._endpoints:
            return None
        wanted = Destination(self._scheme, host, port)
        named = _is_address(host) or _NAME.fullmatch(host) is not None
        if not named or not self._patterns.admit(wanted):
            self._refuse(wanted, named=named)
            raise NotAllowed(f"{escaped(host)}:{port} is not permitted")
        found = _resolved(host, port, seconds)
        admitted = tuple(one for one in found if self._patterns.admit_address(wanted, one))
        if not admitted:
            self._refuse(wanted, found)
            raise NotAllowed(f"{escaped(host)}:{port} is not permitted: its address is not allowed")
        return admitted

    def _refuse(self, wanted: Destination, addresses: Sequence[str] = (), *, named: bool = True) -> None:
        if not named:
            self._refusals.say(str(wanted), "", ": that is not a host")
            return
        entry, why = for_address(wanted, addresses)
        self._refusals.say(str(wanted), str(entry) if self._of_manifest else str(entry).partition("://")[2], why)


def _resolved(host: str, port: int, seconds: float) -> list[str]:
    """Every address, once. On a thread of its own, as a resolver can take longer than anybody
    waits. Raises OSError."""
    found: SimpleQueue[list[Any] | OSError] = SimpleQueue()

    def resolve() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            found.put(error)
        except UnicodeError as error:
            found.put(OSError(str(error)))

    threading.Thread(target=resolve, name="wsgi_wasm-resolve", daemon=True).start()
    try:
        answer = found.get(timeout=max(0.0, seconds))
    except Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answer))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
