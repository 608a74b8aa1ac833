"""Where a server listens, as the command line writes it."""

from __future__ import annotations

import argparse
from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen: a host and port, or the path of a Unix socket (port None)."""

    host: str
    port: int | None

    def __str__(self) -> str:
        if self.port is None:
            return f"unix:{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """`HOST:PORT`, `[IPV6]:PORT`, `:PORT`, `PORT` or `unix:PATH`. Raises ArgumentTypeError."""
    if text.startswith("unix:") and len(text) > 5:
        return Address(text[5:], None)
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT (127.0.0.1:8000) or unix:PATH")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise argparse.ArgumentTypeError(f"{text!r}: an IPv6 address needs brackets, [::1]:8000")
    return Address(host or "127.0.0.1", int(port))
