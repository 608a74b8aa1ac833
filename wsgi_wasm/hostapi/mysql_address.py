"""Addresses of MySQL servers as guests have them: URLs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

# Encrypted if the server can; always, by a certificate that is checked.
TLS = {"disabled": None, "preferred": False, "required": True, "verify_ca": True, "verify_identity": True}
# What concerns the pool of Spin's own client, which is another one here.
_IGNORED = frozenset(
    {"pool_min", "pool_max", "stmt_cache_size", "tcp_nodelay", "tcp_keepalive", "conn_ttl", "ttl_check_interval"}
    | {"inactive_connection_ttl"}
)


def options(address: str) -> dict[str, Any]:
    """What a guest's address says, `mysql://user:password@host:port/database`. Raises ValueError in
    words that are for the guest."""
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError as error:
        raise ValueError(f"the address cannot be read: {error}") from None
    if url.scheme != "mysql" or not url.hostname or url.fragment:
        raise ValueError("the address is not of the form mysql://user:password@host:port/database")
    if not url.username:
        raise ValueError("the address names no user")
    given = {name.lower().replace("-", ""): value for name, value in parse_qsl(url.query, keep_blank_values=True)}
    tls = given.pop("sslmode", "preferred").lower()
    wrong = sorted(given.keys() - _IGNORED)
    if wrong:
        raise ValueError(f"the address has parameters that are not supported: {', '.join(wrong)}")
    if tls not in TLS:
        raise ValueError(f"the address has no valid ssl-mode; it is one of {', '.join(TLS)}")
    return {
        "host": url.hostname,
        "port": 3306 if port is None else port,
        "user": unquote_to_bytes(url.username),
        "password": unquote_to_bytes(url.password or ""),
        "database": unquote_to_bytes(url.path.removeprefix("/")),
        "tls": tls,
    }
