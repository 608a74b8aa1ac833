"""Which host a request is for: its target's where that has one, else that of `Host`. It is also the
server's name and port (RFC 3875 4.1.14, 4.1.15): the socket's own, which most servers give, are
those of the last hop. Apache alone knows better, by `ServerName` and `UseCanonicalName`.

RFC 9112 3.2.2 lets the target decide, and RFC 9112 3.2 wants 400 for a `Host` that is missing or
invalid. Servers differ in what they do themselves: httpd does all of it, gunicorn none. What is
valid here is what httpd takes for valid, so that the same request has the same answer behind both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from types import MappingProxyType
from typing import Any

from wsgi_wasm.cgi.abnf import SCHEME_AND_AUTHORITY
from wsgi_wasm.errors import BadRequest
from wsgi_wasm.messages import quote

_AUTHORITY = re.compile(
    r"(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::0*(?P<port>[1-9][0-9]{0,4}))?"
)
_LONGEST = 1024  # characters of an authority; a name of the DNS has 255
_HIGHEST_PORT = 65535
_REMEMBERED = 256

# By `Host` and scheme, those that came first; clients choose them, so there is an end.
_named: dict[tuple[str | None, str], Mapping[str, str]] = {}
_NOTHING: Mapping[str, str] = MappingProxyType({})

DEFAULT_PORTS = {"http": "80", "https": "443"}


def raw_target(environ: Mapping[str, Any]) -> str:
    """The request target as the client wrote it, "" where the server does not tell."""
    return environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""


def split_target(target: str) -> tuple[str, str, str]:
    """Scheme (in lower case) and authority of a target in absolute-form, "" for others, and what
    follows: path and query."""
    if target[:1] == "/":
        return "", "", target
    found = SCHEME_AND_AUTHORITY.match(target)
    if found is None:
        return "", "", target
    scheme, _, authority = found[0].partition("://")
    rest = target[found.end() :]
    return scheme.lower(), authority, rest if rest.startswith("/") else "/" + rest


def host_asked(environ: Mapping[str, Any]) -> str:
    """The authority that the request is for, as it was written: "" where it names none."""
    scheme, authority, _ = split_target(raw_target(environ))
    return authority if scheme else environ.get("HTTP_HOST") or ""


def normal_host(host: str) -> str:
    """An authority as it is compared: lower case, without port (RFC 9110 7.2) and without
    the final dot."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower().rstrip(".")


def host_variables(environ: Mapping[str, Any]) -> Mapping[str, str]:
    """What must stand in `environ` in place of what the server says there, so that it names the
    host that the request is for; nothing where Apache has done that.

    Raises BadRequest for a target or a host that no guest should be asked to understand.
    """
    host = environ.get("HTTP_HOST")
    scheme = environ.get("wsgi.url_scheme") or "http"
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    named = _named.get((host, scheme))
    if named is None or target[:1] != "/" or "#" in target:
        named = _named_by(environ, target, host, scheme)
    if "mod_wsgi.version" in environ:
        return {"HTTP_HOST": named["HTTP_HOST"]} if "HTTP_HOST" in named else _NOTHING
    return named


def _named_by(environ: Mapping[str, Any], target: str, host: str | None, scheme: str) -> Mapping[str, str]:
    if "#" in target:
        raise BadRequest("the request target has a fragment")
    if target[:1] != "/" and target not in ("", "*"):
        return _of_absolute(environ, target, host, scheme)
    if host:
        named = _server(*_split_authority(host), scheme)
        if len(_named) < _REMEMBERED:
            _named[host, scheme] = named
        return named
    if host is not None or environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("the request names no host")
    return {"SERVER_NAME": _own_name(environ.get("SERVER_NAME") or ""), "SERVER_PORT": server_port(environ)}


def _of_absolute(environ: Mapping[str, Any], target: str, host: str | None, ours: str) -> Mapping[str, str]:
    scheme, authority, _ = split_target(target)
    if scheme not in ("http", "https") or not authority:
        raise BadRequest(f"the request target is neither a path nor an http URL: {quote(target)}")
    if host is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("the request names no host")
    name, port = _split_authority(authority)
    if scheme != ours and normal_host(host or "") != normal_host(authority):
        # httpd goes by `Host` then: its access rules would be those of one host, and the routes
        # those of another.
        raise BadRequest(f"an {scheme} URL for another host, asked by {ours}")
    server = _server(name, port, ours)
    if host and _split_authority(host.lower()) == _split_authority(authority.lower()):
        return server
    return {**server, "HTTP_HOST": authority}


def _server(name: str, port: str, scheme: str) -> Mapping[str, str]:
    return {"SERVER_NAME": normal_host(name), "SERVER_PORT": port or DEFAULT_PORTS.get(scheme, "80")}


def _own_name(name: str) -> str:
    """A name for the server where the client gave none: its address, or "localhost" at a Unix
    socket, where servers give the socket's path."""
    try:
        return f"[{IPv6Address(name)}]"
    except ValueError:
        return name if _AUTHORITY.fullmatch(name) else "localhost"


def server_port(environ: Mapping[str, Any]) -> str:
    """The server's port as a number: the scheme's own where the server has none, as at a
    Unix socket."""
    port = str(environ.get("SERVER_PORT", ""))
    if port.isascii() and port.isdigit():
        return port
    return DEFAULT_PORTS.get(environ.get("wsgi.url_scheme") or "http", "80")


@lru_cache(maxsize=256)
def _split_authority(authority: str) -> tuple[str, str]:
    """Name and port, which is "" where there is none. Raises BadRequest."""
    found = _AUTHORITY.fullmatch(authority) if len(authority) <= _LONGEST else None
    valid = found is not None and (not found["port"] or int(found["port"]) <= _HIGHEST_PORT)
    if found is not None and found["ipv6"] is not None:
        try:
            IPv6Address(found["ipv6"])
        except ValueError:
            valid = False
    if found is None or not valid:
        raise BadRequest(f"not a host: {quote(authority)}")
    return found["name"], found["port"] or ""
