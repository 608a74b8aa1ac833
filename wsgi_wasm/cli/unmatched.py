"""What to say about a request that no route answers: which routes there are."""

from __future__ import annotations

from wsgi_wasm.cli.terminal import shown
from wsgi_wasm.config import Config, Route
from wsgi_wasm.gateway.routing import Entry, Router, RouteTable
from wsgi_wasm.messages import did_you_mean, escaped, listed

_MOST = 20  # routes that are listed


def no_route(config: Config, host: str, path: str) -> list[str]:
    """Lines about a request for `path`, decoded, at a virtual host."""
    tables = {name: _table(routes) for name, routes in config.hosts.items()}
    found = Router(_table(config.routes), tables).table(host)
    section = next((name for name, table in tables.items() if table is found), None)
    routes = [route for route in (config.routes if section is None else config.hosts[section]) if route.target]
    where = "" if section is None else f" of host {escaped(section)}"
    if not routes:
        lines = [f"no route matches {escaped(path)}: the file has no routes{where}"]
    else:
        near = did_you_mean(path, [route.path for route in routes])
        lines = [f"no route{where} matches {escaped(path)}{near or ':'}", *map(_line, routes[:_MOST])]
    if len(routes) > _MOST:
        lines.append(f"  and {len(routes) - _MOST} more")
    others = [name for name in config.hosts if name != section]
    if others:
        lines.append(f"other hosts have their own routes (--host): {listed(others)}")
    return lines


def _table(routes: tuple[Route, ...]) -> RouteTable[Route]:
    return RouteTable(Entry(route.path, route.exact, route) for route in routes if route.target)


def _line(route: Route) -> str:
    below = " and below" if not route.exact else ""
    return f"  {escaped(route.path)}{below}  {shown(route.target.path) if route.target else ''}"
