"""What Apache tells where it serves another URL in place of the one that was asked for: an
`ErrorDocument`, the target of an `Action`, a rewritten path.

It renames the variables that the request had so far, with `REDIRECT_` before the name, once for
each redirect (`rename_original_env` in httpd), and sets `REDIRECT_STATUS` and `REDIRECT_URL`. No
client can name these: its `Redirect-Status` is `HTTP_REDIRECT_STATUS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIX = "REDIRECT_"

# What tells of the request, without the prefix. Variables that an administrator has set are not
# among them, nor are the host's paths.
FACTS = frozenset(
    {
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "ERROR_NOTES",
        "GATEWAY_INTERFACE",
        "HANDLER",
        "HTTPS",
        "PATH_INFO",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REMOTE_USER",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SCRIPT_URI",
        "SCRIPT_URL",
        "SERVER_ADDR",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
        "STATUS",
        "UNIQUE_ID",
        "URL",
    }
)


def before_redirects(name: str) -> str:
    """The name that a variable had in the first request."""
    while name.startswith(PREFIX):
        name = name[len(PREFIX) :]
    return name


def redirect_status(environ: Mapping[str, Any]) -> str:
    """`REDIRECT_STATUS` as a guest gets it: that of the request that was redirected, else 200."""
    status = environ.get("REDIRECT_STATUS")
    return str(status) if _is_status(status) else "200"


def inherited_status(environ: Mapping[str, Any]) -> int | None:
    """The status of the answer if the guest says none: that of the error or redirect in whose
    place it is asked (300 to 599); None for any other request."""
    status = environ.get("REDIRECT_STATUS")
    return int(status) if status is not None and _is_status(status) and "300" <= status < "600" else None


def answers_itself(environ: Mapping[str, Any]) -> bool:
    """Whether Apache asks this error page for the page of its own error, as mod_wsgi's
    `WSGIErrorOverride` makes it do: that would go on up to `LimitInternalRecursion`."""
    status = environ.get("REDIRECT_REDIRECT_STATUS")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return _is_status(status) and str(status) >= "400" and environ.get("REDIRECT_URL") == path


def _is_status(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 3 and text.isascii() and text.isdigit()
