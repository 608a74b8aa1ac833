"""The first version of the manifest (`spin_version = "1"`), turned into the second, as Spin does
when it loads one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from wsgi_wasm.messages import quote
from wsgi_wasm.spin.patterns import parse_base
from wsgi_wasm.spin.tables import TomlTable

_DATABASES = ("redis://*:*", "mysql://*:*", "postgres://*:*")

# Keys of the first version and what they are called in the second, for the mistakes that are
# found afterwards.
_COMPONENT = {"config": "variables"}


def is_first_version(table: TomlTable) -> bool:
    """Whether the manifest says that it is of the first version; Spin wrote that in two ways."""
    return "spin_version" in table or table.data.get("spin_manifest_version") == "1"


def converted(table: TomlTable) -> tuple[TomlTable, str]:
    """The same application as a manifest of the second version, which has no `base`, and that."""
    data = table.data
    trigger = data.get("trigger")
    if not isinstance(trigger, dict) or trigger.get("type") != "http":
        table.report("trigger", 'an application for HTTP has trigger = {type = "http"}')
        trigger = {}
    base = _base(TomlTable(trigger, table.at("trigger"), table.reading))
    application = {name: data[name] for name in ("name", "version", "description", "authors") if name in data}
    moved = {"spin_version", "spin_manifest_version", "trigger", "component", *application}
    components: dict[str, Any] = {}
    triggers: list[Any] = []
    for entry in table.array("component"):
        identity = entry.text("id", required=True).replace("_", "-").lower()
        triggers.append({"id": f"trigger-{identity}", "component": identity, **_dict(entry.value("trigger"))})
        components[identity] = _component(entry.data)
    second = {name: value for name, value in data.items() if name not in moved}
    second_table = TomlTable(
        {
            **second,
            "spin_manifest_version": 2,
            "application": application,
            "trigger": {"http": triggers},
            "component": components,
        },
        "",
        table.reading,
    )
    return second_table, base


def _base(trigger: TomlTable) -> str:
    text = trigger.text("base", "/")
    try:
        return parse_base(text)
    except ValueError as error:
        trigger.report("base", f"{quote(text)} {error}")
        return ""


def _component(entry: Any) -> dict[str, Any]:
    component = {_COMPONENT.get(key, key): value for key, value in entry.items() if key not in ("id", "trigger")}
    if "allowed_outbound_hosts" not in component:
        # Before that key there was no rule for databases, and every one could be reached.
        component["allowed_outbound_hosts"] = list(_DATABASES)
    return component


def outbound_hosts(old: str) -> list[str]:
    """An entry of `allowed_http_hosts` in the words of `allowed_outbound_hosts`.

    Raises ValueError.
    """
    if old == "insecure:allow-all":
        return ["http://*:*", "https://*:*", "http://self"]
    if old == "self":
        return ["http://self"]
    parts = urlsplit(old if "://" in old else f"//{old}")
    schemes = [parts.scheme] if parts.scheme else ["http", "https"]
    return [f"{scheme}://{parts.netloc}" for scheme in schemes]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
