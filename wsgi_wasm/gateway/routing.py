"""From host and path to a route: exact and prefix paths on segment boundaries, the longest first,
by virtual host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from wsgi_wasm.cgi.target import normal_host

T = TypeVar("T")


class Match(NamedTuple, Generic[T]):
    """What a path matched. `script_name` is the route's path and `path_info` the rest, as WSGI
    strings (PEP 3333)."""

    target: T
    script_name: str
    path_info: str


class Entry(NamedTuple, Generic[T]):
    """A route for the table: its decoded path, whether it takes no path info, and what
    it leads to."""

    path: str
    exact: bool
    target: T


class RouteTable(Generic[T]):
    """The routes of one host. Cost of a lookup depends on the depth of the deepest route, never
    on their number."""

    def __init__(self, entries: Iterable[Entry[T]]) -> None:
        self._entries: dict[str, Entry[T]] = {}
        for entry in entries:
            path = _wsgi_string(entry.path).rstrip("/")
            self._entries[path] = entry._replace(path=path)
        self._depth = max((path.count("/") for path in self._entries), default=0)

    def match(self, path_info: str) -> Match[T] | None:
        """The route with the longest path that is `path_info` or is followed in it by a slash."""
        entry = self._entries.get(path_info)
        if entry is not None:
            return Match(entry.target, path_info, "")
        for end in reversed(self._boundaries(path_info)):
            entry = self._entries.get(path_info[:end])
            if entry is not None and not (entry.exact and end < len(path_info) and path_info != "/"):
                return Match(entry.target, path_info[:end], path_info[end:])
        return None

    def _boundaries(self, path_info: str) -> list[int]:
        """Where a route's path can end in `path_info`. As deep as the deepest route: the path
        itself is hostile."""
        ends, position = [], -1
        for _ in range(self._depth + 1):
            position = path_info.find("/", position + 1)
            if position < 0:
                break
            ends.append(position)
        return ends


class Router(Generic[T]):
    """Route tables by virtual host. A known host never falls through to the table
    of unknown ones."""

    def __init__(self, default: RouteTable[T], hosts: Mapping[str, RouteTable[T]]) -> None:
        self._default = default
        self._exact = {name: table for name, table in hosts.items() if not name.startswith("*.")}
        self._below = {name[1:]: table for name, table in hosts.items() if name.startswith("*.")}
        self._any_host = not hosts

    def table(self, host: str) -> RouteTable[T]:
        """The table for a Host field's value."""
        if self._any_host:
            return self._default
        name = normal_host(host)
        table = self._exact.get(name)
        if table is not None:
            return table
        dot = name.find(".")
        while self._below and dot >= 0:
            table = self._below.get(name[dot:])
            if table is not None:
                return table
            dot = name.find(".", dot + 1)
        return self._default

    def match(self, host: str, path_info: str) -> Match[T] | None:
        """The route for a request."""
        return self.table(host).match(path_info)


def _wsgi_string(path: str) -> str:
    return path.encode("utf-8").decode("latin-1")
