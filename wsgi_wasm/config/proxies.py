"""`trusted_proxies` of the file: which peers may say for whom they ask, and in which fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from wsgi_wasm.messages import escaped

UNIX = "unix"
PEER = r"unix|[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?"
_NO_PEER = "is not an address, such as 10.0.0.1, a network, such as 10.0.0.0/8, or unix"
FAMILIES = ("x-forwarded", "forwarded")

Peer = IPv4Network | IPv6Network | str
"""Addresses, or `UNIX`: whoever may connect to a Unix socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """`peers` are believed what they say in the fields of `header`, one of `FAMILIES`."""

    peers: tuple[Peer, ...]
    header: str


def peer(text: str) -> Peer:
    """An address, a network or `unix`. Raises ValueError, worded to follow the quoted text."""
    if text == UNIX:
        return text
    if not re.fullmatch(PEER, text):
        raise ValueError(_NO_PEER)
    try:
        network = ip_network(text, strict=False)
        address = ip_address(text.partition("/")[0])
    except ValueError:
        raise ValueError(_NO_PEER) from None
    if network.network_address != address:
        raise ValueError(f"has an address in its network; write {network} for the network, or {escaped(str(address))}")
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("is an IPv4 address in the form of IPv6; write it as IPv4, which stands for both")
    if network.prefixlen == 0:
        raise ValueError("means everybody, so that every client could name any address; write the proxies' own")
    return network
