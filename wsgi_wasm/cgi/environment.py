"""What a guest's environment is built with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


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
