"""Entries of `allowed_outbound_hosts`: `https://api.example`, `redis://cache:6379`,
`*://10.0.0.0/8:*`."""

from __future__ import annotations

import ipaddress
import re

from wsgi_wasm.config.granted import AllowedHost
from wsgi_wasm.messages import quote

WELL_KNOWN_PORTS = {"http": 80, "https": 443, "redis": 6379, "postgres": 5432, "mysql": 3306, "mqtt": 1883}
HIGHEST = 65535
SELF = "self"  # the host of entries that mean the guest's own application

_ENTRY = re.compile(r"(\*|[A-Za-z][A-Za-z0-9+.-]*)://(.+)")
_HOST_AND_PORT = re.compile(r"(\[[^]]*\]|[^:\[\]]+?)(?::([^:]*))?")
_NAME = re.compile(r"\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")


def parse_allowed_host(text: str) -> AllowedHost:
    """Raises ValueError, worded to follow the quoted text."""
    entry = _ENTRY.fullmatch(text)
    if entry is None:
        raise ValueError("is not a valid host; write 'scheme://host:port'")
    scheme, rest = entry[1].lower(), entry[2].removesuffix("/")
    found = _HOST_AND_PORT.fullmatch(rest)
    if found is None:
        raise ValueError("is not a valid host; write 'scheme://host:port'")
    host = _host(found[1].strip())
    first, last = _ports(found[2], scheme, host)
    return AllowedHost(scheme=scheme, host=host, first_port=first, last_port=last)


def parse_site_host(text: str) -> AllowedHost:
    """As `parse_allowed_host`, for a route of a site."""
    entry = parse_allowed_host(text)
    if entry.host == SELF:
        raise ValueError("means a Spin application, and is only allowed in its manifest")
    return entry


def _host(text: str) -> str:
    bare = text.replace("[", "").replace("]", "")
    try:
        return str(ipaddress.ip_network(bare, strict=False) if "/" in bare else ipaddress.ip_address(bare))
    except ValueError:
        pass
    if "/" in text:
        raise ValueError("has a path; only whole hosts can be allowed")
    if not _NAME.fullmatch(text):
        raise ValueError(f"has {quote(text)}, which is not a valid host")
    name = text.lower().rstrip(".")
    return SELF if name == "self.alt" else name


def _ports(text: str | None, scheme: str, host: str) -> tuple[int, int]:
    if text is None:
        if host == SELF:
            return 1, HIGHEST
        if scheme not in WELL_KNOWN_PORTS:
            raise ValueError(f"needs a port: {quote(scheme)} has no default port")
        return WELL_KNOWN_PORTS[scheme], WELL_KNOWN_PORTS[scheme]
    if text == "*":
        return 1, HIGHEST
    low, dots, high = text.partition("..")
    first = _port(low)
    last = _port(high) - 1 if dots else first  # the end of a range does not belong to it
    if last < first:
        raise ValueError(f"has {quote(text)}, which is not a valid range of ports")
    return first, last


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST):
        raise ValueError(f"has {quote(text)}, which is not a valid port")
    return int(text)
