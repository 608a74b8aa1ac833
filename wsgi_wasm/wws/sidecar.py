"""The TOML file beside a worker that says what it gets (Wasm Workers
Server 1.7, crates/worker/src/config.rs)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wsgi_wasm.files.text import decoded, encoding_hint
from wsgi_wasm.messages import escaped


class SidecarError(ValueError):
    """A sidecar that cannot be used. The original serves the worker without it, which is no safe
    thing to do."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """`folders` are pairs of a path relative to the worker's folder and where the guest sees it.
    `namespace` is that of key and values. `ignored` names what is asked for and not given."""

    variables: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[tuple[str, str], ...] = ()
    namespace: str | None = None
    ignored: tuple[str, ...] = ()


def read_sidecar(data: bytes, environ: Mapping[str, str]) -> Sidecar:
    """`environ` is where values like `$NAME` come from. Raises SidecarError."""
    try:
        table = tomllib.loads(decoded(data))
    except UnicodeDecodeError as error:
        raise SidecarError(f"not UTF-8 at byte {error.start}{encoding_hint(data)}") from None
    except (ValueError, RecursionError) as error:
        raise SidecarError(str(error)) from None
    if not isinstance(table.get("version"), str | int):
        raise SidecarError("no version")
    variables = {}
    for name, value in _table(table, "vars").items():
        text = _text(value, f"vars.{name}")
        if text.startswith("$") and " " not in text:
            if text[1:] not in environ:
                raise SidecarError(f"vars.{escaped(name)}: {text[1:]} is not set")
            text = environ[text[1:]]
        variables[name] = text
    folders = []
    listed = table.get("folders", [])
    if not isinstance(listed, list):
        raise SidecarError("folders is not a list of tables")
    for number, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise SidecarError("folders is not a list of tables")
        source, target = (_text(entry.get(key), f"folders[{number}].{key}") for key in ("from", "to"))
        folders.append((source, target if target.startswith("/") else f"/{target}"))
    namespace = _table(_table(table, "data"), "kv").get("namespace")
    if namespace is not None:
        namespace = _text(namespace, "data.kv.namespace")
    return Sidecar(
        variables, tuple(folders), namespace, tuple(f"features.{name}" for name in _table(table, "features"))
    )


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise SidecarError(f"{escaped(name)} is not a table")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise SidecarError(f"{what} is not a text")
    return value
