"""Which host a request is for: its target's where that has one, else that of `Host`.

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

_valid_hosts: set[str] = set()  # those that came first; clients choose them, so there is an end
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
    host that the request is for; usually nothing.

    Raises BadRequest for a target or a host that no guest should be asked to understand.
    """
    host = environ.get("HTTP_HOST")
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    if host in _valid_hosts and target[:1] == "/" and "#" not in target:
        return _NOTHING
    if "#" in target:
        raise BadRequest("the request target has a fragment")
    if target[:1] != "/" and target not in ("", "*"):
        return _of_absolute(environ, target, host)
    if host:
        _split_authority(host)
        if len(_valid_hosts) < _REMEMBERED:
            _valid_hosts.add(host)
    elif host is not None or environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("the request names no host")
    return _NOTHING


def _of_absolute(environ: Mapping[str, Any], target: str, host: str | None) -> Mapping[str, str]:
    scheme, authority, _ = split_target(target)
    if scheme not in ("http", "https") or not authority:
        raise BadRequest(f"the request target is neither a path nor an http URL: {quote(target)}")
    if host is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("the request names no host")
    name, port = _split_authority(authority)
    ours = environ.get("wsgi.url_scheme") or "http"
    if scheme != ours and normal_host(host or "") != normal_host(authority):
        # httpd goes by `Host` then: its access rules would be those of one host, and the routes
        # those of another.
        raise BadRequest(f"an {scheme} URL for another host, asked by {ours}")
    if host and _split_authority(host.lower()) == _split_authority(authority.lower()):
        return _NOTHING
    named = {"HTTP_HOST": authority, "SERVER_NAME": name}
    return {**named, "SERVER_PORT": port} if port else named


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
