"""What a guest's environment is built with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Environment(Protocol):
    """Makes the environment of one request. `cgi.metavars.MetaVariables` is the usual one, and says
    what is what."""

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


def own_variables(env: Mapping[str, str]) -> list[bytes]:
    """An environment of a route's own variables and nothing else."""
    return [f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in env.items()]
