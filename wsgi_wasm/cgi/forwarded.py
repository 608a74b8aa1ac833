"""What a request's header fields say of the hops that it has come over: `Forwarded` (RFC 7239) and
the `X-Forwarded-` family, which no RFC describes.

Each proxy writes behind what has come to it, so the last entry is the peer's own word, and only the
entries before those of trusted hops are a client's. That is why they are read from the end, and why
nothing before is looked at: it may be anything, of any length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

MOST_HOPS = 64  # trusted ones, one after the other
_MOST_ENTRIES = 2 * MOST_HOPS  # empty ones, too
_LONGEST = 1024  # characters of an element; a name of the DNS has 255
_MOST_COMMAS = 8  # within the quoted strings of one element

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_PAIR = rf"({_TOKEN})=({_TOKEN}|{_QUOTED})"
_PART = rf"[ \t]*(?:{_PAIR}[ \t]*)?".replace("(" + _TOKEN, "(?:" + _TOKEN)
_PAIRS = re.compile(_PAIR)
_ELEMENT = re.compile(rf"{_PART}(?:;{_PART})*")
_ESCAPED = re.compile(r"\\(.)")

_NODE = re.compile(r"(?:([0-9.]{7,15})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}|_[0-9A-Za-z._-]+))?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Hop:
    """What a proxy says of who asked it: address and port, each "" where it is not told or is no
    address; scheme and host that were asked for, "" likewise."""

    address: str = ""
    port: str = ""
    scheme: str = ""
    host: str = ""


_NOBODY = Hop()


def normal_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, None for anything else. IPv4 in the form of IPv6, as sockets for both give it,
    is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def client(hops: Iterator[Hop], trusted: Callable[[str], bool]) -> Hop | None:
    """The client, by hops from the last one: the first that is not trusted, or the farthest of
    all. What it lacks of scheme and host is what the nearest hop behind it says. None where there
    are no hops."""
    found = None
    for number, hop in enumerate(hops):
        scheme, host = (hop.scheme, hop.host) if found is None else (hop.scheme or found.scheme, hop.host or found.host)
        address, port = (hop.address, hop.port) if number < MOST_HOPS else ("", "")
        found = Hop(address, port, scheme, host)
        if not address or not trusted(address):
            break
    return found


def listed_hops(text: str) -> Iterator[Hop]:
    """The hops of `X-Forwarded-For`, the last one first."""
    return (Hop(*_node(entry, bare=True)) for entry in _entries(text))


def last_entry(text: str) -> str:
    """The last entry of a list, "" for none."""
    return next(_entries(text), "")


def forwarded_hops(text: str) -> Iterator[Hop]:
    """The hops of `Forwarded`, the last one first. What is no element is a hop that nobody
    knows."""
    end = len(text)
    for _ in range(_MOST_ENTRIES):
        start = _element_start(text, end)
        hop = _NOBODY if start is None else _hop(text[start + 1 : end])
        if hop is not None:
            yield hop
        if start is None or start < 0:
            return
        end = start
    yield _NOBODY


def _entries(text: str) -> Iterator[str]:
    """The entries of a list that are not empty, the last one first."""
    end = len(text)
    for _ in range(_MOST_ENTRIES):
        start = text.rfind(",", 0, end)
        entry = text[start + 1 : end].strip(" \t")
        if entry:
            yield entry
        if start < 0:
            return
        end = start
    yield "unknown"


def _element_start(text: str, end: int) -> int | None:
    """Where the comma before the element that ends at `end` stands, -1 for none; None where there
    is no element.

    What a client has written before it, such as a quote that is never closed, does not matter.
    """
    start = end
    for _ in range(1 + _MOST_COMMAS):
        start = text.rfind(",", 0, start)
        if end - start > _LONGEST:
            return None
        if _ELEMENT.fullmatch(text, start + 1, end):
            return start
        if start < 0:
            return None
    return None


def _hop(element: str) -> Hop | None:
    """None for an empty element."""
    pairs = [(name.lower(), _unquoted(value)) for name, value in _PAIRS.findall(element)]
    if not pairs:
        return None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        return _NOBODY  # RFC 7239 4: each at most once
    address, port = _node(parameters.get("for", ""))
    return Hop(address, port, parameters.get("proto", "").lower(), parameters.get("host", ""))


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value


def _node(text: str, bare: bool = False) -> tuple[str, str]:
    """Address and port of a node (RFC 7239 6), each "" where it is unknown or hidden; so is what
    is no node. `bare`: IPv6 may stand without its brackets, and then has no port."""
    found = _NODE.fullmatch(text)
    if found is not None:
        literal, port = found[1] or found[2], found[3] or ""
    elif bare and _BARE_IPV6.fullmatch(text):
        literal, port = text, ""
    else:
        return "", ""
    address = normal_address(literal)
    if address is None or (found is not None and (":" in literal) != bool(found[2])):
        return "", ""
    if port.isdigit() and not 0 < int(port) <= _HIGHEST_PORT:
        return "", ""
    return str(address), "" if port.startswith("_") else port
