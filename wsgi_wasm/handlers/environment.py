"""What a guest's environment is built with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote_from_bytes


class Environment(Protocol):
    """Makes the environment of one request. `cgi.metavars.MetaVariables` is the usual one, and says what is what."""

    def build(
        self,
        environ: Mapping[str, Any],
        *,
        script_name: str,
        path_info: str,
        request_id: str,
        content_length: int | None,
        script_filename: str | None,
        streamed_body: bool,
    ) -> list[bytes]:
        """`NAME=value`, each name once. Raises BadRequest."""


class OwnVariables:
    """An environment of a route's own variables and nothing else."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = [f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in env.items()]

    def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
        """As `Environment.build`."""
        return self._env


class ByteVariables:
    """An environment for the Python of `wsgi-wasm build-python`, with the bytes of values that are not UTF-8.

    A component's environment is text, and such a value has U+FFFD in it. Natively scripts see the bytes (a path or a
    header in Latin-1), so one more variable carries them, and `guestlib/python` puts them in place.
    """

    CARRIER = b"WSGI_WASM_BYTES"

    def __init__(self, variables: Environment) -> None:
        self._variables = variables

    def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
        """As `Environment.build`."""
        variables = self._variables.build(environ, **request)
        carried = [_quoted(variable) for variable in variables if not _is_text(variable)]
        if carried:
            variables.append(self.CARRIER + b"=" + b"&".join(carried))
        return variables


def _quoted(variable: bytes) -> bytes:
    name, _, value = variable.partition(b"=")
    return name + b"=" + quote_from_bytes(value).encode("ascii")


def _is_text(variable: bytes) -> bool:
    if variable.isascii():
        return True
    try:
        variable.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
