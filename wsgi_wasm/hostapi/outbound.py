"""HTTP requests that a guest makes: the gateway's word on each, before it goes to the forwarder.

The adapter asks here (`guestlib/adapter/outbound.c`): it gives scheme and authority, and gets the
forwarder's address and a word that stands for the destination. What is not allowed gets the number
of a case of `error-code` (wasi:http/types).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.hostapi.destinations import OWN, Destination, Destinations, destination
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.log import about, log
from wsgi_wasm.hostapi.refused import Refusals, for_address
from wsgi_wasm.hostapi.ticket import Ticket

if TYPE_CHECKING:
    from socket import socket

    from wsgi_wasm.hostapi.forwarder import Forwarder

CONNECTION_LIMIT, DENIED, URI_INVALID, PROTOCOL_ERROR = 11, 15, 19, 35  # cases of error-code

Within: TypeAlias = Callable[[Destination], "Callable[[socket], None] | None"]


def _elsewhere(wanted: Destination) -> None:
    """Nothing is served within this process."""


class Policy:
    """What a route grants, and how many of its requests are under way in this process.

    `within` gives what serves a destination in this process, None for one elsewhere;
    LookupError denies it.
    """

    def __init__(self, grants: Grants, within: Within = _elsewhere) -> None:
        self.limits = grants.outbound
        self.within = within
        self.destinations = Destinations(grants.outbound.hosts)
        self._refusals = Refusals("allowed_outbound_hosts", grants.of_manifest)
        self._under_way = 0
        self._counting = threading.Lock()

    def refuse(self, wanted: Destination, addresses: Sequence[str] = (), *, label: str = "") -> None:
        """Log that a request is not allowed: for where it is to go, or for the addresses that the
        name has."""
        if wanted.host == OWN:
            self._refusals.say("the application itself", "http://self", label=label)
            return
        entry, why = for_address(wanted, addresses)
        self._refusals.say(str(wanted), str(entry), why, label=label)

    def refuse_more(self, wanted: Destination) -> None:
        """Log that enough requests are under way."""
        self._refusals.say(str(wanted), "", f": {self.limits.concurrency} are under way (outbound_concurrency)")

    def begin(self) -> bool:
        """Count one more request; False where there are enough."""
        with self._counting:
            if self._under_way >= self.limits.concurrency:
                return False
            self._under_way += 1
            return True

    def end(self) -> None:
        """One less."""
        with self._counting:
            self._under_way -= 1


def own_forwarder() -> Forwarder:
    """This process's forwarder."""
    # asyncio takes 40 ms of CPU, and most guests never get here.
    from wsgi_wasm.hostapi.forwarder import forwarder

    return forwarder()


class Requests:
    """The API in one run."""

    def __init__(self, host: HostState, policy: Policy) -> None:
        self._host_state = host
        self._policy = policy
        self._forwarder: Forwarder | None = None
        self._tickets: list[Ticket] = []

    def admit(self, scheme: str, authority: str) -> tuple[str, str]:
        """The forwarder's address, and the word. Raises HostError with a number of error-code."""
        if scheme.lower() not in ("http", "https"):
            raise HostError("denied", PROTOCOL_ERROR)
        wanted = destination(scheme.lower(), authority)
        if wanted is None:
            raise HostError("denied", URI_INVALID)
        policy = self._policy
        if not policy.destinations.admit(wanted):
            policy.refuse(wanted)
            raise HostError("denied", DENIED)
        try:
            within = policy.within(wanted)
        except LookupError:
            policy.refuse(wanted)
            raise HostError("denied", DENIED) from None
        if self._host_state.address == "":
            log.warning("an isolated guest cannot reach this process, so its request is refused")
            raise HostError("denied", CONNECTION_LIMIT)
        if within is None and wanted.host == OWN:
            raise HostError("denied", URI_INVALID)
        if not policy.begin():
            policy.refuse_more(wanted)
            raise HostError("denied", CONNECTION_LIMIT)
        try:
            self._forwarder = self._forwarder or own_forwarder()
            ticket = Ticket(
                wanted,
                policy.destinations.admit_address,
                self._deadline(),
                policy.limits.max_bytes,
                policy.end,
                within,
                about(),
                policy.refuse,
            )
            self._forwarder.expect(ticket)
        except BaseException:
            policy.end()
            raise
        self._tickets.append(ticket)
        return self._host_state.address or self._forwarder.address, ticket.word

    def _deadline(self) -> float:
        """When a request that begins now must be over, on the monotonic clock.

        A run that ends takes its requests along; the second is so that its end is what ends it, and
        no answer of ours.
        """
        return time.monotonic() + min(self._policy.limits.timeout, max(0.0, self._host_state.remaining()) + 1.0)

    def close(self) -> None:
        """The guest has ended: so have its requests."""
        if self._forwarder is not None:
            self._forwarder.forget(self._tickets)


ADMIT = Interface[Requests](
    "wsgi-wasm:gateway/outbound@1.0.0",
    {
        "admit": Function(
            (wit.STRING, wit.STRING), wit.ResultOf(wit.tuple_of(wit.STRING, wit.STRING), wit.U8), Requests.admit
        )
    },
)

API = GrantedApi(
    name="outbound",
    interfaces=(ADMIT,),
    begin=Requests,
    bind=Policy,
    describe=lambda grants: {str(host): "allowed" for host in grants.outbound.hosts},
)
