"""What Spin tells a component of its request beside the request itself: the `spin-*` headers, and
for the Wagi executor variables that say the same.

The gateway can serve an application below a path, which Spin cannot: the component then sees
its own path, as if the application were alone, and learns the path before it from
`spin-base-path` and `spin-full-url`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from wsgi_wasm.cgi.target import raw_target, split_target
from wsgi_wasm.spin.model import Trigger
from wsgi_wasm.spin.patterns import RouteMatch

# What RFC 3986 3.3 allows in a path besides letters and digits, and `quote` would escape.
_PATH_SAFE = "/!$&'()*+,;=:@~"

HEADER_PREFIX = "HTTP_SPIN_"  # of WSGI environ keys for `spin-*` headers

WAGI_VARIABLES = (
    "X_FULL_URL",
    "X_MATCHED_ROUTE",
    "X_BASE_PATH",
    "X_RAW_COMPONENT_ROUTE",
    "X_COMPONENT_ROUTE",
    "X_CLIENT_ADDR",
    "X_RAW_PATH_INFO",
    "X_PATH_MATCH_*",
)


class Target(NamedTuple):
    """The request target as the client wrote it, cut where the application begins. `path` begins
    with a slash."""

    mount: str
    path: str
    query: str

    @property
    def path_and_query(self) -> str:
        """The target without the mount."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def decoded_path(self) -> str:
        """The path as a WSGI string."""
        return _decoded(self.path)

    def split(self, rest: str) -> tuple[str, str]:
        """Script name and path info as WSGI strings, where `rest` is the raw end of the path."""
        whole = self.mount + self.path
        return _decoded(whole[: len(whole) - len(rest)]), _decoded(rest)


def target_of(environ: Mapping[str, Any], script_name: str, path_info: str) -> Target:
    """The raw target of a request whose decoded path is `script_name`, the mount, and `path_info`.

    Servers give the raw target beside the decoded path. Where the two do not say the same, as after
    a rewrite or a local redirect, the decoded path counts, encoded anew.
    """
    query = environ.get("QUERY_STRING") or ""
    raw = _raw_path(environ)
    mount = _mount_of(raw, script_name, path_info)
    if mount is None:
        mount = _encoded(script_name)
        raw = mount + _encoded(path_info)
    return Target(mount, raw[len(mount) :] or "/", query)


def _raw_path(environ: Mapping[str, Any]) -> str:
    return split_target(raw_target(environ))[2].partition("?")[0]


def _mount_of(raw: str, script_name: str, path_info: str) -> str | None:
    """The part of the raw path that decodes to `script_name`, if the rest
    decodes to `path_info`."""
    end = 0
    for _ in range(script_name.count("/")):
        end = raw.find("/", end + 1)
        if end < 0:
            end = len(raw)
            break
    mount, rest = raw[:end], raw[end:]
    return mount if _decoded(mount) == script_name and _decoded(rest) == path_info else None


def _decoded(raw: str) -> str:
    return unquote_to_bytes(raw.encode("latin-1", "replace")).decode("latin-1")


def _encoded(path: str) -> str:
    return quote(path.encode("latin-1"), safe=_PATH_SAFE)


def facts(environ: Mapping[str, Any], target: Target, found: RouteMatch[Trigger]) -> Iterator[tuple[str, str]]:
    """Name and value of everything that Spin tells, names in capitals and without
    `SPIN_` or `X_`."""
    pattern = found.pattern
    yield "PATH_INFO", found.rest
    yield "FULL_URL", f"{_origin(environ)}{target.mount}{target.path_and_query}"
    yield "MATCHED_ROUTE", (target.mount + pattern.clean) or "/"
    yield "BASE_PATH", (target.mount + pattern.base) or "/"
    yield "RAW_COMPONENT_ROUTE", pattern.raw
    yield "COMPONENT_ROUTE", pattern.prefix
    yield "CLIENT_ADDR", _client(environ)
    for name, value in found.names:
        yield f"PATH_MATCH_{name.upper().replace('-', '_')}", value


def _origin(environ: Mapping[str, Any]) -> str:
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{environ.get('wsgi.url_scheme') or 'http'}://{host}"


def _client(environ: Mapping[str, Any]) -> str:
    address = environ.get("REMOTE_ADDR") or "0.0.0.0"
    port = environ.get("REMOTE_PORT") or "0"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def with_headers(environ: Mapping[str, Any], target: Target, found: RouteMatch[Trigger]) -> dict[str, Any]:
    """The environ for the HTTP executor: the application's own target, and the `spin-*` headers in
    place of any that the client sent."""
    variables = {key: value for key, value in environ.items() if not key.startswith(HEADER_PREFIX)}
    variables.update((f"{HEADER_PREFIX}{name}", value) for name, value in facts(environ, target, found))
    variables["REQUEST_URI"] = variables["RAW_URI"] = target.path_and_query
    return variables


def with_variables(environ: Mapping[str, Any], target: Target, found: RouteMatch[Trigger]) -> dict[str, Any]:
    """The environ for the Wagi executor: variables `X_*`, which the component's route passes on."""
    variables = {key: value for key, value in environ.items() if not key.startswith((HEADER_PREFIX, "X_PATH_MATCH_"))}
    variables.update((f"X_{name}", value) for name, value in facts(environ, target, found) if name != "PATH_INFO")
    variables["X_RAW_PATH_INFO"] = found.rest
    variables["REQUEST_URI"] = target.mount + target.path_and_query
    return variables
