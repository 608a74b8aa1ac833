"""What a manifest says, as frozen values. Texts that may hold `{{ variables }}` are
kept as written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationVariable:
    """A variable of the application. Without a default a value must come from outside."""

    default: str | None
    secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wagi:
    """The executor for CGI programs. `argv` is the manifest's own template, None where
    it has none."""

    argv: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticResponse:
    """An answer that needs no component."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One `[[trigger.http]]`. `route` None is a private endpoint. Exactly one of `component` and
    `response` is set; `wagi` None means the HTTP executor."""

    id: str
    route: str | None
    component: str | None
    response: StaticResponse | None
    wagi: Wagi | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """An entry of `files`: a glob pattern or path, or with a `destination` a file or directory and
    its guest path."""

    source: str
    destination: str | None


class Sibling(NamedTuple):
    """A dependency that is another component of the application; `key_path` is the key
    that names it."""

    id: str
    key_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One `[component.<id>]`. `dependencies` are components by the import that they
    satisfy, as in `compose`; so are `siblings`, until the manifest has been read as a whole
    and they are among `dependencies`."""

    id: str
    source: Path
    description: str
    files: tuple[Mount, ...]
    exclude_files: tuple[str, ...]
    # may hold secrets, and a repr ends up in logs
    environment: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    allowed_outbound_hosts: tuple[str, ...]
    key_value_stores: tuple[str, ...]
    sqlite_databases: tuple[str, ...]
    dependencies: Mapping[str, Path]
    siblings: Mapping[str, Sibling]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One `spin.toml`. `base` goes before every route; it is "", or a path that begins with a slash
    and ends in none. `remarks` are sentences about what it asks for and does not get, each with its
    key before it."""

    path: Path
    name: str
    version: str
    description: str
    base: str
    variables: Mapping[str, ApplicationVariable]
    triggers: tuple[Trigger, ...]
    components: Mapping[str, Component]
    remarks: tuple[str, ...]
