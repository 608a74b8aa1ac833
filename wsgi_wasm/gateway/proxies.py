"""Requests that come by way of a front server: what that says of its client takes the place of what
the server says of the front server (`trusted_proxies`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import lru_cache

from wsgi_wasm.cgi.forwarded import Hop, client, forwarded_hops, last_entry, listed_hops, normal_address
from wsgi_wasm.cgi.target import host_variables, raw_target, split_target
from wsgi_wasm.config.proxies import UNIX, TrustedProxies
from wsgi_wasm.errors import BadRequest
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse, WSGIApplication, correct_peer, own_scheme

_FORWARDED = "HTTP_FORWARDED"
_X_FORWARDED = "HTTP_X_FORWARDED_"
_OTHERS = (_FORWARDED, "HTTP_X_REAL_IP")
_SCHEMES = ("http", "https")
_REMEMBERED = 1024  # addresses


class BehindProxies:
    """Middleware that corrects the environ in place: `REMOTE_ADDR`, `REMOTE_PORT`, the scheme, the
    host. The fields that proxies write are taken out of it, whoever sent them: those that are
    believed stand elsewhere now, and nobody should believe the others.

    Apache does this itself, before its own rules for access and its log (mod_remoteip).
    """

    def __init__(self, trusted: TrustedProxies, application: WSGIApplication) -> None:
        self._networks = tuple(peer for peer in trusted.peers if not isinstance(peer, str))
        self._trusts_unix = UNIX in trusted.peers
        self._rfc_7239 = trusted.header == "forwarded"
        self._application = application
        self._trusts = lru_cache(_REMEMBERED)(self._looked_up)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """PEP 3333."""
        if "mod_wsgi.version" not in environ:
            self._correct(environ)
        return self._application(environ, start_response)

    def _correct(self, environ: Environ) -> None:
        correct_peer(environ)
        peer = environ["wsgi_wasm.peer"] = environ.get("REMOTE_ADDR") or ""
        if "gunicorn.socket" in environ:
            # gunicorn may have believed a field, by rules of its own (`forwarded_allow_ips`).
            environ["wsgi.url_scheme"] = own_scheme(environ)
        given = {key: environ.pop(key) for key in [*environ] if key.startswith(_X_FORWARDED) or key in _OTHERS}
        if self._trusts(peer) if peer else self._trusts_unix:
            self._believe(environ, given)
            with contextlib.suppress(BadRequest):  # where a guest is asked, it is answered
                environ.update(host_variables(environ))

    def _believe(self, environ: Environ, given: Environ) -> None:
        if self._rfc_7239:
            hop = client(forwarded_hops(given.get(_FORWARDED, "")), self._trusts)
            scheme, host = (hop.scheme, hop.host) if hop is not None else ("", "")
        else:
            hop = client(listed_hops(given.get(f"{_X_FORWARDED}FOR", "")), self._trusts)
            scheme = last_entry(given.get(f"{_X_FORWARDED}PROTO", "")).lower()
            host = last_entry(given.get(f"{_X_FORWARDED}HOST", ""))
        if hop is not None:
            _set_client(environ, hop)
        if scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        if host:
            _set_host(environ, host)

    def _looked_up(self, text: str) -> bool:
        address = normal_address(text)
        return address is not None and any(address in network for network in self._networks)


def _set_client(environ: Environ, hop: Hop) -> None:
    environ["REMOTE_ADDR"] = hop.address
    for key in ("REMOTE_PORT", "REMOTE_HOST", "REMOTE_IDENT"):  # of the proxy
        environ.pop(key, None)
    if hop.port:
        environ["REMOTE_PORT"] = hop.port


def _set_host(environ: Environ, host: str) -> None:
    """The host that the client asked for, in whatever form the target came to us."""
    environ["HTTP_HOST"] = host
    scheme, _, rest = split_target(raw_target(environ))
    if scheme:
        environ["REQUEST_URI"] = rest
        if not environ.get("SCRIPT_NAME"):
            environ["PATH_INFO"] = environ.get("PATH_INFO") or "/"
