"""What a manifest grants a component of the host's APIs, as a route grants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.granted import AllowedHost, Database, Grants, KeyValueStore, Outbound, Variable
from wsgi_wasm.files.beneath import resolved
from wsgi_wasm.messages import did_you_mean, quote
from wsgi_wasm.spin.model import Component
from wsgi_wasm.spin.runtime_config import RuntimeConfig
from wsgi_wasm.spin.tables import ManifestReading
from wsgi_wasm.spin.variables import expand

MAX_SIZE = 1 << 30  # bytes of a file, as for stores and databases of the site that do not say more

# What entries become whose variable is empty: a server that an installation leaves out.
_NOWHERE = frozenset({"", "http://", "https://"})

Store = TypeVar("Store")


def component_grants(
    component: Component,
    runtime: RuntimeConfig,
    limits: Outbound,
    values: Mapping[str, str],
    reading: ManifestReading,
) -> Grants:
    """Labels lead to the stores of the runtime configuration, templates are expanded with `values`.
    Mistakes are reported."""
    key_path = f"component.{component.id}"
    stores = _labelled(component.key_value_stores, runtime.key_value, f"{key_path}.key_value_stores", reading)
    databases = _labelled(component.sqlite_databases, runtime.sqlite, f"{key_path}.sqlite_databases", reading)
    hosts = _hosts(component, f"{key_path}.allowed_outbound_hosts", values, reading)
    return Grants(
        key_value={label: _store(label, store) for label, store in stores.items()},
        sqlite={label: Database(path=resolved(path), max_size=MAX_SIZE) for label, path in databases.items()},
        variables={
            name: Variable(value=text, file=None)
            for name, template in component.variables.items()
            if (text := _expanded(template, f"{key_path}.variables.{name}", values, reading)) is not None
        },
        redis=_of(hosts, "redis", "rediss"),
        outbound=replace(limits, hosts=_of(hosts, "http", "https")),
        postgres=_of(hosts, "postgres"),
        mysql=_of(hosts, "mysql"),
        of_manifest=True,
    )


def _labelled(
    labels: Sequence[str], stores: Mapping[str, Store], key_path: str, reading: ManifestReading
) -> dict[str, Store]:
    for number, label in enumerate(labels):
        if label not in stores:
            near = did_you_mean(label, tuple(stores))
            reading.report(f"{key_path}[{number}]", f"{quote(label)} is not in the runtime_config{near}")
    return {label: stores[label] for label in labels if label in stores}


def _store(label: str, store: Path | str) -> KeyValueStore:
    """Spin puts nothing before the keys in Redis, and the label beside those in SQLite."""
    if isinstance(store, Path):
        return KeyValueStore(name=label, path=resolved(store), redis=None, prefix="", max_size=MAX_SIZE)
    return KeyValueStore(name=label, path=None, redis=store, prefix="", max_size=MAX_SIZE)


def _hosts(
    component: Component, key_path: str, values: Mapping[str, str], reading: ManifestReading
) -> list[AllowedHost]:
    found = []
    for number, template in enumerate(component.allowed_outbound_hosts):
        text = _expanded(template, f"{key_path}[{number}]", values, reading)
        if text is None or (text != template and text in _NOWHERE):
            continue
        try:
            found.append(parse_allowed_host(text))
        except ValueError as error:
            reading.report(f"{key_path}[{number}]", f"{quote(template)} {error}")
    return found


def _of(hosts: Sequence[AllowedHost], *schemes: str) -> tuple[AllowedHost, ...]:
    return tuple(host for host in hosts if host.scheme in (*schemes, "*"))


def _expanded(template: str, key_path: str, values: Mapping[str, str], reading: ManifestReading) -> str | None:
    try:
        return expand(template, values)
    except ValueError as error:
        reading.report(key_path, str(error))
        return None
