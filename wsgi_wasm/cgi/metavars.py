"""The meta-variables of one request (RFC 3875 4.1), as a guest's environment.

WSGI strings stand for bytes through latin-1, so encoding them gives back what the client sent,
valid UTF-8 or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from wsgi_wasm.cgi import names
from wsgi_wasm.cgi.environment import own_variables
from wsgi_wasm.cgi.passing import OPTIONAL, shared_prefixes
from wsgi_wasm.cgi.redirects import PREFIX, redirect_status
from wsgi_wasm.cgi.target import raw_target, server_port, split_target
from wsgi_wasm.errors import BadRequest
from wsgi_wasm.messages import escaped

# What RFC 3986 3.3 allows in a path besides letters and digits, and `quote` would escape.
_PATH_SAFE = "/!$&'()*+,;=:@~"

# They name no field.
_USUAL_CONNECTIONS = frozenset({"keep-alive", "Keep-Alive", "close"})

_NUL = frozenset("\0")
_LINE_END = frozenset("\r\n")


class MetaVariables:
    """What a route's guests get, prepared once; `build` adds what one request decides.

    `env` is the route's own and wins over `pass_env`, the names or patterns of WSGI environ keys
    that pass. `pass_headers` names request headers that pass although they carry credentials, or
    although the client's `Connection` names them. `document_root` is a path as the guest sees it.
    `software` stands in for a server that does not name itself.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str] = {},
        pass_env: Sequence[str] = (),
        pass_headers: Sequence[str] = (),
        pass_authorization: bool = False,
        document_root: str | None = None,
        software: str = "wsgi_wasm",
    ) -> None:
        self._env = own_variables(env)
        headers = {name.upper().replace("-", "_") for name in pass_headers}
        if pass_authorization:
            headers.add("AUTHORIZATION")
        self._kept_headers = headers | names.END_TO_END_HEADERS
        self._software = software
        self._document_root = None if document_root is None else _wsgi_string(document_root)
        self._constant = ["GATEWAY_INTERFACE=CGI/1.1"]
        if self._document_root is not None:
            self._constant.append("DOCUMENT_ROOT=" + self._document_root)
        self._passes_variables = bool(pass_env)
        contested = (name for name in env if pass_env or name.startswith(PREFIX))
        self._prefixes = shared_prefixes(frozenset(headers), tuple(pass_env), frozenset(contested))

    def build(
        self,
        environ: Mapping[str, Any],
        *,
        script_name: str,
        path_info: str,
        request_id: str,
        content_length: int | None,
        script_filename: str | None = None,
        streamed_body: bool = False,
    ) -> list[bytes]:
        """The environment for one request: `NAME=value`, each name once.

        `script_name` and `path_info` are WSGI strings. `script_filename` is the script's path as
        the guest sees it. `content_length` is the number of body bytes that the guest can read,
        None without a body: `CONTENT_LENGTH` and `CONTENT_TYPE` are left out then (RFC 3875 4.1.2).
        A `streamed_body` has a type even where its length is not known yet. Raises BadRequest for a
        value that no environment can hold, and for a header value of more than one line.
        """
        variables = self._always(environ, script_name, path_info)
        add = variables.append
        add("REQUEST_ID=" + request_id)
        if script_filename is not None:
            add("SCRIPT_FILENAME=" + _wsgi_string(script_filename))
        if path_info and self._document_root is not None and "/../" not in path_info + "/":
            # RFC 3875 4.1.6. A path that climbs is not mapped: it names nothing below the
            # document root.
            add("PATH_TRANSLATED=" + self._document_root.rstrip("/") + path_info)
        if content_length is not None:
            add(f"CONTENT_LENGTH={content_length}")
        if (content_length is not None or streamed_body) and environ.get("CONTENT_TYPE"):
            add("CONTENT_TYPE=" + environ["CONTENT_TYPE"])
        variables += self._passed(environ)
        return encode(variables) + self._env

    def _always(self, environ: Mapping[str, Any], script_name: str, path_info: str) -> list[str]:
        """The variables that every request has, and `HTTPS`."""
        get = environ.get
        scheme = get("wsgi.url_scheme") or "http"
        variables = [
            *self._constant,
            "REDIRECT_STATUS=" + redirect_status(environ),
            f"REQUEST_METHOD={get('REQUEST_METHOD', 'GET')}",
            "SCRIPT_NAME=" + script_name,
            "PATH_INFO=" + path_info,
            f"QUERY_STRING={get('QUERY_STRING') or ''}",
            f"SERVER_NAME={get('SERVER_NAME') or ''}",
            "SERVER_PORT=" + server_port(environ),
            f"SERVER_PROTOCOL={get('SERVER_PROTOCOL', 'HTTP/1.1')}",
            f"SERVER_SOFTWARE={get('SERVER_SOFTWARE') or self._software}",
            f"REMOTE_ADDR={get('REMOTE_ADDR') or ''}",
            "REQUEST_URI=" + request_uri(environ, script_name, path_info),
            "REQUEST_SCHEME=" + scheme,
        ]
        if scheme == "https":
            variables.append("HTTPS=on")
        return variables

    def _passed(self, environ: Mapping[str, Any]) -> list[str]:
        """The request headers, what the server knows and what `pass_env` names, as they are
        in the environ."""
        prefixes = self._prefixes
        passed = [
            prefix + value
            for key, value in environ.items()
            if (prefix := prefixes[key]) and isinstance(value, str) and (value or key not in OPTIONAL)
        ]
        port = environ.get("REMOTE_PORT")
        if type(port) is int:
            passed.append(f"REMOTE_PORT={port}")
        options = self._connection_options(environ)
        if options:
            dropped = {f"{prefix}HTTP_{option}" for option in options for prefix in ("", PREFIX)}
            passed = [variable for variable in passed if variable.partition("=")[0] not in dropped]
        return passed

    def _connection_options(self, environ: Mapping[str, Any]) -> set[str]:
        """RFC 9110 7.6.1: the headers that `Connection` names, which are meant for
        the server alone."""
        connection = environ.get("HTTP_CONNECTION")
        if not connection or connection in _USUAL_CONNECTIONS:
            return set()
        return {option.strip(" \t").upper().replace("-", "_") for option in connection.split(",")} - self._kept_headers


def request_uri(environ: Mapping[str, Any], script_name: str, path_info: str) -> str:
    """The request target as the client wrote it, in origin-form, where the server tells; else
    put together again."""
    target = raw_target(environ)
    if target.startswith("/") or target == "*":
        return target
    scheme, _, rest = split_target(target)
    if scheme:
        return rest
    return current_uri(environ, script_name, path_info)


def current_uri(environ: Mapping[str, Any], script_name: str, path_info: str) -> str:
    """The request target put together from its parts, which a redirect within the server
    may have changed."""
    path = quote(as_bytes(script_name + path_info), safe=_PATH_SAFE) or "/"
    query = environ.get("QUERY_STRING")
    return f"{path}?{query}" if query else path


def encode(variables: list[str]) -> list[bytes]:
    """The variables as bytes, all in one go. Raises BadRequest for NUL anywhere and for line ends
    in a header."""
    joined = "\0".join(variables)
    try:
        encoded = joined.encode("latin-1").split(b"\0")
    except UnicodeEncodeError:
        encoded = b"\0".join(map(as_bytes, variables)).split(b"\0")
    if len(encoded) != len(variables):
        raise BadRequest(f"NUL in {_first_name(variables, _NUL)}")
    if "\n" in joined or "\r" in joined:
        # A path may hold `%0A`, and a certificate from `pass_env` has lines; a header that does
        # was split by no sane server, and programs print such values into places where a line
        # end means something.
        headers = [variable for variable in variables if variable.startswith(("HTTP_", "CONTENT_"))]
        name = _first_name(headers, _LINE_END)
        if name:
            raise BadRequest(f"a line end in {escaped(name)}")
    return encoded


def _first_name(variables: list[str], characters: frozenset[str]) -> str:
    """The name of the first variable with one of `characters` in it, "" for none."""
    return next((v.partition("=")[0] for v in variables if not characters.isdisjoint(v)), "")


def as_bytes(text: str) -> bytes:
    """What a WSGI string stands for. A server that breaks PEP 3333 and decodes gets its text
    back as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadRequest(f"cannot be encoded as bytes: {text[:80]!a}") from None


def _wsgi_string(text: str) -> str:
    """A path of ours in the form that a server gives paths: its bytes as latin-1."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
