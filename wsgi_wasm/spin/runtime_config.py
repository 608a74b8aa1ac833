"""Spin's runtime configuration: where stores and databases are kept, and where
variables come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsgi_wasm.config.server_names import redis_url
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.beneath import read_beneath, resolved
from wsgi_wasm.files.text import decoded
from wsgi_wasm.messages import did_you_mean, quote
from wsgi_wasm.spin.tables import TomlTable, read_toml
from wsgi_wasm.spin.variables import PREFIX, Provider, from_environment

KEY_VALUE_FILE, SQLITE_FILE = "sqlite_key_value.db", "sqlite_db.db"

# What has its counterpart in the site's own file, and the words for it.
_ELSEWHERE = {
    "log_dir": "output of components goes to the log",
    "llm_compute": "there are no language models",
    "outbound_http": "limits of outbound requests are set in the site's route",
    "outbound_networking": "limits of outbound requests are set in the site's route",
    "outbound_redis": "limits of connections are set in the site's route",
    "outbound_pg": "limits of connections are set in the site's route",
    "outbound_mysql": "limits of connections are set in the site's route",
    "outbound_mqtt": "MQTT is not supported",
    "client_tls": "client certificates are not supported",
}

_DOTENV = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """Stores by label: the path of a SQLite file, or `redis://...`. `max_memory` is in bytes, None
    for the route's."""

    key_value: Mapping[str, Path | str] = field(repr=False)  # a URL may hold a password
    sqlite: Mapping[str, Path]
    providers: tuple[Provider, ...]
    max_memory: int | None
    remarks: tuple[str, ...]


def default_runtime_config(base: Path, state_dir: Path | None, environ: Mapping[str, str]) -> RuntimeConfig:
    """What Spin does without a file; `base` is the manifest's directory. Raises ConfigError where
    the application keeps its state elsewhere by a link, as that may be another's."""
    state = state_dir or base / ".spin"
    if state_dir is None and not resolved(state).is_relative_to(resolved(base)):
        text = "is a link that leaves the application's directory: set `state_dir` in the site's route"
        raise ConfigError([Problem(str(state), 0, 0, text)])
    return RuntimeConfig(
        key_value={"default": state / KEY_VALUE_FILE},
        sqlite={"default": state / SQLITE_FILE},
        providers=(_environment(environ, base, ".env", PREFIX),),
        max_memory=None,
        remarks=(),
    )


def read_runtime_config(
    path: Path, base: Path, state_dir: Path | None, environ: Mapping[str, str], profile: str | None = None
) -> RuntimeConfig:
    """The file at `path`, over the defaults. `state_dir` goes before the
    file's. Raises ConfigError."""
    top = read_toml(path)
    written = top.text("state_dir")
    defaults = default_runtime_config(base, state_dir or (base / written if written else None), environ)
    remarks: list[str] = [
        f"{path.name}: {name}: {why}" for name, why in _ELSEWHERE.items() if top.value(name) is not None
    ]
    config = RuntimeConfig(
        key_value={**defaults.key_value, **dict(_key_value_stores(top, base))},
        sqlite={**defaults.sqlite, **dict(_databases(top, base))},
        providers=(*_providers(top, base, environ), *defaults.providers),
        max_memory=_memory(top),
        remarks=tuple(remarks),
    )
    top.close()
    top.reading.check()
    return config


def _key_value_stores(top: TomlTable, base: Path) -> Iterator[tuple[str, Path | str]]:
    for label, table in top.tables("key_value_store"):
        match _kind(table, "spin", "redis"):
            case "spin":
                yield label, base / _required(table, "path", "a store in memory would differ from process to process")
            case "redis":
                yield label, _redis(table)
        table.close()


def _redis(table: TomlTable) -> str:
    text = table.text("url", required=True)
    try:
        return redis_url(text) if text else ""
    except ValueError as error:
        # A URL may hold a password, so it is not quoted.
        table.report("url", str(error))
        return ""


def _databases(top: TomlTable, base: Path) -> Iterator[tuple[str, Path]]:
    for label, table in top.tables("sqlite_database"):
        if _kind(table, "spin"):
            yield label, base / _required(table, "path", "a database in memory would differ from process to process")
            if table.flag("allow_attach_file"):
                table.report("allow_attach_file", "other files cannot be attached")
        table.close()


def _required(table: TomlTable, name: str, why: str) -> str:
    text = table.text(name)
    if not text:
        table.report("", f"needs the key {quote(name)}: {why}")
    return text


def _kind(table: TomlTable, *allowed: str) -> str:
    """The table's `type`, or nothing after reporting one that is not offered."""
    kind = table.text("type", required=True)
    if kind in allowed:
        return kind
    if kind:
        near = did_you_mean(kind, allowed)
        table.report("type", f"{quote(kind)} is not supported; write {' or '.join(allowed)}{near}")
    table.ignore(*table.data)
    return ""


def _memory(top: TomlTable) -> int | None:
    value: Any = top.value("max_instance_memory")
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    top.report("max_instance_memory", "expected a number of bytes")
    return None


# Where variables come from ------------------------------------------------------------------------


def _providers(top: TomlTable, base: Path, environ: Mapping[str, str]) -> Iterator[Provider]:
    for name in ("variables_provider", "config_provider"):
        for table in top.array(name):
            match _kind(table, "env", "static"):
                case "env":
                    dotenv = table.text("dotenv_path")
                    prefix = table.text("prefix", PREFIX)
                    # The runtime configuration is the site's, and may name any file.
                    named = resolved(base / dotenv) if dotenv else base / ".env"
                    yield _environment(environ, named.parent, named.name, prefix)
                case "static":
                    yield table.text_table("values").get
            table.close()


def _environment(environ: Mapping[str, str], folder: Path, dotenv: str, prefix: str) -> Provider:
    return from_environment({**_read_dotenv(folder, dotenv), **environ}, prefix)


def _read_dotenv(folder: Path, name: str) -> dict[str, str]:
    """`NAME=value` lines, values with or without quotes. A missing file has none, and so has a link
    out of the folder."""
    try:
        text = decoded(read_beneath(resolved(folder), name))
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in text.splitlines():
        match = _DOTENV.fullmatch(line.strip())
        if match is None or line.lstrip().startswith("#"):
            continue
        name, value = match[1], match[2]
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name] = value[1:-1] if quoted else value.partition(" #")[0].rstrip()
    return found
