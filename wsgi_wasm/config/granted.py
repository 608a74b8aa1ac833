"""What a route grants to its guests, as frozen values: stores, databases, variables, servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValueStore:
    """A key-value store: a part of a SQLite file (`path`, without links), or the keys of a Redis
    database (`redis`, a URL) that begin with `prefix`. One of the two is None. `name` tells it from
    other stores in one file; `max_size` bounds the file."""

    name: str
    path: Path | None
    redis: str | None = field(repr=False)  # may hold a password
    prefix: str
    max_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A SQLite database in a file of its own (a path without links), which may grow to `max_size`
    bytes."""

    path: Path
    max_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value, or the file that holds it; one of them is None."""

    value: str | None = field(repr=False)
    file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server that guests may reach. `host` is a name in lower case or an address,
    IPv6 without brackets."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHost:
    """What may be reached. `scheme` and `host` may be `*`; `host` is a name, an address or a
    network, or begins with `*.`; ports are the first and the last."""

    scheme: str
    host: str
    first_port: int
    last_port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        if (self.first_port, self.last_port) == (1, 65535):
            return f"{self.scheme}://{host}:*"
        last = f"..{self.last_port + 1}" if self.last_port > self.first_port else ""
        return f"{self.scheme}://{host}:{self.first_port}{last}"

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Host and port, if the entry means exactly one server."""
        if "*" in self.host or "/" in self.host or self.host == "self" or self.first_port != self.last_port:
            return None
        return self.host, self.first_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """HTTP requests that a guest may make: where to, the longest that one may take (seconds), the
    most bytes of its body and of its answer, and how many at a time in one process."""

    hosts: tuple[AllowedHost, ...] = ()
    timeout: float = 30.0
    max_bytes: int = 100 << 20
    concurrency: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCommand:
    """A program of the host: the arguments that it may be given (patterns), its whole environment,
    the directory in which it runs, and its limits: seconds, bytes, and how many of them at a time
    in one process of the server."""

    path: Path
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold passwords
    cwd: Path = Path("/")
    timeout: float = 10.0
    memory: int = 256 << 20
    max_output: int = 10 << 20
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Mail that guests may send: the server (an SMTP URL) or the program that it is handed to, the
    senders and recipients that are allowed (patterns), how much, and the directory in which it
    waits; it is tried again after `retry` seconds, then after ever more, until it `expires`."""

    server: str = field(repr=False)  # may hold a password
    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    max_recipients: int
    max_size: int
    per_minute: int
    spool: Path
    retry: float
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What the host's own APIs give to a guest. `key_value` and `sqlite` are by the labels that
    the guest uses."""

    key_value: Mapping[str, KeyValueStore] = field(default_factory=dict)
    sqlite: Mapping[str, Database] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    redis: tuple[Endpoint | AllowedHost, ...] = ()
    postgres: tuple[Endpoint | AllowedHost, ...] = ()
    mysql: tuple[Endpoint | AllowedHost, ...] = ()
    outbound: Outbound = field(default_factory=Outbound)
    commands: Mapping[str, HostCommand] = field(default_factory=dict)
    mail: Mail | None = None
    of_manifest: bool = False  # of a Spin component: what would grant more is not the route
