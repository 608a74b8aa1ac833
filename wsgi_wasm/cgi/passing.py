"""Which keys of a WSGI environ reach a guest: request headers, what the server knows, what a route
names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

from wsgi_wasm.cgi import abnf, names, redirects

# Variables that a server sets where it knows them; they keep their names. Servers set empty ones
# where they do not.
OPTIONAL = frozenset({"AUTH_TYPE", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_PORT", "REMOTE_USER", "SERVER_ADDR"})

# Clients choose header names, so what is remembered about them has a bound: in names, and in
# their length.
REMEMBERED_KEYS = 1024
REMEMBERED_LENGTH = 64


class _ByKey(dict[str, str]):
    """What environ keys stand for, filled as they turn up."""

    def __missing__(self, key: str) -> str:
        value = self._look_up(key)
        if len(self) < REMEMBERED_KEYS and len(key) <= REMEMBERED_LENGTH:
            self[key] = value
        return value

    def _look_up(self, key: str) -> str:
        raise NotImplementedError


class Prefixes(_ByKey):
    """From an environ key to `NAME=`, or to "" where it does not pass. `fields` leads to the name
    of the header field, in lower case, or to ""."""

    def __init__(self, headers: frozenset[str], pass_env: tuple[str, ...], env: frozenset[str]) -> None:
        super().__init__()
        self._headers = headers
        self._pass_env = pass_env
        self._env = env
        self.fields = FieldNames(self)

    def _look_up(self, key: str) -> str:
        passes = self._passes_header(key[5:]) if key.startswith("HTTP_") else self._passes_variable(key)
        return key + "=" if passes else ""

    def _passes_header(self, name: str) -> bool:
        """Of `X-Name` and `X_Name` a server gives us one or both joined under one key: which, is
        its choice. What we can do is to take no second spelling, and no twin of the variables that
        say how long the body is."""
        if name in names.CONNECTION_HEADERS or name in names.BODY_HEADERS or name in names.PROXY_HEADERS:
            return False
        if name in names.CREDENTIAL_HEADERS:
            return name in self._headers
        return abnf.HEADER_VARIABLE.fullmatch(name) is not None

    def _passes_variable(self, name: str) -> bool:
        if name in OPTIONAL:
            return True
        # Keys with a dot (`wsgi.input`, `mod_wsgi.handler_script`) are the server's inside, and no
        # variable names.
        if names.is_reserved(name) or name in self._env or not abnf.VARIABLE_NAME.fullmatch(name):
            return False
        if name.startswith(redirects.PREFIX):
            return self._passes_redirected(name, redirects.before_redirects(name))
        return self._is_listed(name)

    def _passes_redirected(self, name: str, before: str) -> bool:
        """What Apache has renamed passes as it did under the name `before`, or where `pass_env`
        names it as it is now."""
        if before in redirects.FACTS:
            return True
        if before.startswith("HTTP_") and self._passes_header(before[5:]):
            return True
        if not names.is_reserved(before) and (self._is_listed(before) or self._is_listed(name)):
            return True
        return any(fnmatchcase(name, one) for one in self._pass_env if one.startswith(redirects.PREFIX))

    def _is_listed(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._pass_env)


class FieldNames(_ByKey):
    """From an environ key to the header field that passes under it, `Host` not among them."""

    def __init__(self, prefixes: Prefixes) -> None:
        super().__init__()
        self._prefixes = prefixes

    def _look_up(self, key: str) -> str:
        passes = key.startswith("HTTP_") and key != "HTTP_HOST" and self._prefixes[key]
        return key[5:].replace("_", "-").lower() if passes else ""


# Routes with the same rules share one table, so thousands of routes do not each remember what
# clients made up.
shared_prefixes = lru_cache(maxsize=128)(Prefixes)
