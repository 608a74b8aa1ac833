"""Names that CGI and its neighbours treat specially, as sets, each with its reason. A leaf: imports
nothing of the package, so that the configuration may use it.

Response field names are lower-case here. Request header names are in the form that they have in an
environ, without `HTTP_`: upper-case, with underscores.
"""

from __future__ import annotations

from collections.abc import Container

# Meta-variables -----------------------------------------------------------------------------------

# What one request decides. A configured value would override the server's word (CVE-2025-65082 was
# that in httpd).
RESERVED_VARIABLES = frozenset(
    {
        "AUTH_TYPE",
        "DOCUMENT_ROOT",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "QUERY_STRING",
        "REDIRECT_STATUS",
        "REQUEST_ID",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SERVER_ADDR",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    }
)

# Whole families of the same kind, so that a variable that a server adds one day is covered too.
RESERVED_PREFIXES = ("CONTENT_", "HTTP_", "PATH_", "REMOTE_", "SCRIPT_")


def is_reserved(name: str) -> bool:
    """Whether only the request may set the variable `name`: neither `env` nor `pass_env`
    may name it.

    Case counts, as it does in an environment: `http_proxy` is free, `HTTP_PROXY` is not. A pattern
    inside a reserved family (`HTTP_*`) is reserved; a wider one (`*`) is not, and skips reserved
    names when it is applied.
    """
    return name in RESERVED_VARIABLES or name.startswith(RESERVED_PREFIXES)


# Request methods ----------------------------------------------------------------------------------

# What no guest is asked to answer: a tunnel is no response (RFC 9110 9.3.6), and an echo of the
# request shows credentials to scripts (RFC 9110 9.3.8; `TRACK` is IIS's word for it).
REFUSED_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})

# What `Allow` says where a route takes every method: the other registered ones of RFC 9110 9.3 and
# RFC 5789.
USUAL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def is_refused(method: str) -> bool:
    """Whether no guest gets requests of this method. Programs compare without case, too."""
    return method not in USUAL_METHODS and method.upper() in REFUSED_METHODS


# Request headers ----------------------------------------------------------------------------------

# They speak of the connection to the client, which ends at the server (RFC 9110 7.6.1). A guest
# that saw `Transfer-Encoding: chunked` would look for chunks in a body that has none.
CONNECTION_HEADERS = frozenset(
    {"CONNECTION", "KEEP_ALIVE", "PROXY_CONNECTION", "TE", "TRAILER", "TRANSFER_ENCODING", "UPGRADE", "HTTP2_SETTINGS"}
)

# `CONTENT_TYPE` and `CONTENT_LENGTH` are variables of their own; an `HTTP_` twin comes from a
# header written with an underscore and could contradict them.
BODY_HEADERS = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE"})

# `HTTP_PROXY` is where programs look for an outbound proxy: httpoxy, CVE-2016-5385.
PROXY_HEADERS = frozenset({"PROXY"})

# RFC 3875 4.1.18: a server should keep credentials from programs; a route may ask for them.
CREDENTIAL_HEADERS = frozenset({"AUTHORIZATION", "PROXY_AUTHORIZATION"})

# Naming one of these in `Connection` does not take it away: RFC 9110 7.6.1 forbids it for
# fields meant for every recipient, and a client could otherwise remove what the front server
# added about it.
END_TO_END_HEADERS = frozenset(
    {
        "COOKIE",
        "FORWARDED",
        "HOST",
        "ORIGIN",
        "REFERER",
        "X_FORWARDED_FOR",
        "X_FORWARDED_HOST",
        "X_FORWARDED_PORT",
        "X_FORWARDED_PROTO",
        "X_REAL_IP",
    }
)

# Response fields ----------------------------------------------------------------------------------

# RFC 9110 7.6.1, 11.7.1 and 11.7.3; PEP 3333 forbids them to applications. `trailers` is the
# spelling of `wsgiref.util.is_hop_by_hop`, which servers use to refuse an answer.
# `Transfer-Encoding` is not dropped but refused.
HOP_BY_HOP_FIELDS = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "upgrade",
    }
)

# The front server writes its own, and the gateway its request id; a second one would be
# a contradiction.
FRONT_SERVER_FIELDS = frozenset({"date", "server", "x-request-id"})

# Orders to the front server, such as to send a file of the host in place of the body: Apache
# mod_xsendfile and lighttpd. A route may let named ones through.
SERVER_CONTROL_FIELDS = frozenset({"x-sendfile", "x-sendfile2", "x-sendfile-temporary"})

# The same by family: nginx, Perlbal and H2O, lighttpd, LiteSpeed, Envoy.
SERVER_CONTROL_PREFIXES = ("x-accel-", "x-reproxy-", "x-lighttpd-", "x-litespeed-", "x-envoy-")


def dashed(field: str) -> str:
    """The name that a response field is judged by: lower-case, and with dashes.

    What reads it behind us may take `X_Sendfile` for `X-Sendfile`, as whatever turns names into
    variables does. So a guest gains nothing by the other spelling.
    """
    return field.lower().replace("_", "-")


def passes(field: str, allowed: Container[str]) -> bool:
    """Whether a field of an answer may go to the server: neither the connection's nor the server's
    own, and no order to the front server but those in `allowed` (as `dashed` gives them)."""
    known = dashed(field)
    if known in HOP_BY_HOP_FIELDS or known in FRONT_SERVER_FIELDS:
        return False
    return known in allowed or not is_server_control(known)


def is_server_control(field: str) -> bool:
    """Whether a front server may obey the response field `field` (as `dashed` gives it) instead
    of forwarding it."""
    return field in SERVER_CONTROL_FIELDS or field.startswith(SERVER_CONTROL_PREFIXES)
