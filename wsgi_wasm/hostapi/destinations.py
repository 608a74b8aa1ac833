"""Where a guest's HTTP requests may go: by scheme, host and port before a name is resolved,
by address after.

Both are asked, as a name of the outside may lead inside: whoever owns it decides what it resolves
to. So an address that is not of the public internet must be named itself, whatever the name that
led to it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

from wsgi_wasm.config.allowed_hosts import SELF, WELL_KNOWN_PORTS
from wsgi_wasm.config.granted import AllowedHost

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# the host of a request to the guest's own application, for SDKs that need one to name
OWN = "self.alt"

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(?::([0-9]{1,5}))?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Destination(NamedTuple):
    """A server: `host` is a name in lower case, or an address without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def destination(scheme: str, authority: str) -> Destination | None:
    """Where a request goes; None for what is no http or https URL (with a user name in
    it, for one).

    A relative URL, which has no authority or nothing but a port in it, goes to the
    guest's own application.
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None or scheme not in ("http", "https"):
        return None
    port = int(found[2]) if found[2] else WELL_KNOWN_PORTS[scheme]
    host = found[1].strip("[]").lower().rstrip(".") if found[1] else OWN
    if not host or not 0 < port < 65536:
        return None
    return Destination(scheme, host, WELL_KNOWN_PORTS[scheme] if host == OWN else port)


class Destinations:
    """What one route allows."""

    def __init__(self, allowed: Iterable[AllowedHost]) -> None:
        self._allowed = tuple(allowed)

    def admit(self, wanted: Destination) -> bool:
        """Whether an entry allows this server, as it is named."""
        if wanted.host == OWN:
            return any(_means_own(entry) for entry in self._allowed)
        return any(_serves(entry, wanted) and _names(entry, wanted.host) for entry in self._allowed)

    def admit_address(self, wanted: Destination, text: str) -> bool:
        """Whether a connection to this address may be made for it."""
        address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        if is_public(address):
            return True
        return any(_serves(entry, wanted) and _names_address(entry, address) for entry in self._allowed)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet: neither private nor local, nor for
    many at once."""
    address = _plain(address)
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        teredo = address.teredo
        return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
    return address


def _means_own(entry: AllowedHost) -> bool:
    return entry.host in ("*", SELF) and entry.scheme in ("*", "http", "https")


def _serves(entry: AllowedHost, wanted: Destination) -> bool:
    return entry.scheme in ("*", wanted.scheme) and entry.first_port <= wanted.port <= entry.last_port


def _names(entry: AllowedHost, host: str) -> bool:
    if entry.host == SELF:
        return False
    if entry.host == "*" or entry.host == host:
        return True
    if entry.host.startswith("*."):
        return host.endswith(entry.host[1:])
    try:
        return _names_address(entry, _plain(ipaddress.ip_address(host)))
    except ValueError:
        return False


def _names_address(entry: AllowedHost, address: Address) -> bool:
    """Whether the entry is this address, a network that holds it, or `localhost` for what
    that stands for."""
    if entry.host == "localhost":
        return address.is_loopback
    try:
        return address in ipaddress.ip_network(entry.host)
    except ValueError:
        return False
