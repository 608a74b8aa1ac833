"""The JSON Schema of a configuration file, for editors. It sees less than the loader: no bounds of
durations, nothing behind `${NAME}`, no check of one key against a distant one."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from wsgi_wasm.config.schema import TABLE, TARGETS
from wsgi_wasm.config.section import NO_DEFAULT, Key

# What a section of that name is, for the editor's tooltip.
_ABOUT = {
    "defaults": "Route keys for every route that does not set them itself.",
    "route": "What answers one path.",
    "host": "A virtual host.",
    "handler": "Route keys for scripts that the front server selects.",
    "interpreter": "A module that runs scripts with one suffix.",
    "dir": "A host directory that guests see.",
    "spin": "A Spin application.",
    "engine": "Settings of the WebAssembly engine.",
    "log": "What the server's log has of this package.",
    "harden": "Walls around the server's own processes.",
    "trusted_proxies": "Front servers that are believed for whom they ask.",
    "store": "A key-value store.",
    "database": "A SQLite database.",
    "variable": "A value that guests can request by name.",
    "mail": "Mail that guests may send.",
    "command": "A program of the host that guests may start.",
}


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wsgi_wasm configuration",
        "description": "Routes of a WSGI gateway that runs WebAssembly CGI guests.",
        **_object("site"),
        "$defs": {name: _section(name) for name in TABLE.titles if name != "site"},
    }


def _section(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": _ABOUT[name]}
    if name == "route":
        return {**schema, **_object(name), **_route_rules()}
    short = TABLE.sections[name].short
    if short:
        return {**schema, "anyOf": [TABLE.at(name)[short].kind.schema(), _object(name)]}
    return {**schema, **_object(name)}


def _object(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(key) for name, key in TABLE.at(name).items()},
        "additionalProperties": False,
    }
    section = TABLE.sections[name]
    if section.required:
        schema["required"] = [section.required]
    if section.one_of:
        schema["not"] = {"required": list(section.one_of)}
    return schema


def _property(key: Key) -> dict[str, Any]:
    schema = {"description": key.doc.replace("`", ""), **key.kind.schema()}
    if key.default is not NO_DEFAULT:
        schema["default"] = key.default
    return schema


def _route_rules() -> dict[str, Any]:
    """Exactly one of `module`, `directory` and `spin`, or at most one where the route is
    selectable; `index` and others need somewhere to find scripts."""
    selectable = {"required": ["selectable"], "properties": {"selectable": {"enum": [True, "true"]}}}
    return {
        "not": {"anyOf": [{"required": list(pair)} for pair in combinations(TARGETS, 2)]},
        "anyOf": [*({"required": [target]} for target in TARGETS), selectable],
        "dependentSchemas": {
            name: {"anyOf": [{"required": [one]} for one in key.only_with.split()]}
            for name, key in TABLE.at("route").items()
            if key.only_with
        },
    }
