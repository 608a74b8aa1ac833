"""Reads a `spin.toml` of the second version: the application, its variables and its triggers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from wsgi_wasm.config.nodes import path_of
from wsgi_wasm.config.scalars import response_field
from wsgi_wasm.messages import did_you_mean, quote
from wsgi_wasm.spin.components import check_variable, read_component
from wsgi_wasm.spin.dependencies import with_siblings
from wsgi_wasm.spin.legacy import converted, is_first_version
from wsgi_wasm.spin.model import ApplicationVariable, Component, Manifest, StaticResponse, Trigger, Wagi
from wsgi_wasm.spin.patterns import parse_pattern
from wsgi_wasm.spin.tables import TomlTable, kind_of, read_toml

_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 5.5
_STATUSES = range(200, 600)


def read_manifest(path: Path, profile: str | None = None) -> Manifest:
    """The manifest at `path`, with the overrides of `profile`. Raises ConfigError with every
    mistake in it."""
    top, base = read_toml(path), ""
    if is_first_version(top):
        top, base = converted(top)
    elif top.value("spin_manifest_version") != 2:
        top.report("spin_manifest_version", "must be 2")
    manifest = _read(path, top, base, profile)
    top.reading.check()
    return manifest


def _read(path: Path, top: TomlTable, base: str, profile: str | None) -> Manifest:
    top.ignore("spin_manifest_version")
    remarks: list[str] = []
    application = top.table("application")
    if application is None:
        top.report("", "needs the table [application]")
        application = TomlTable({"name": "?"}, "application", top.reading)
    application.ignore("authors", "tool", "targets")
    _check_globals(application, remarks)
    components: dict[str, Component] = {}
    tables = dict(top.tables("component"))
    if profile is not None and not any(profile in _profiles(table) for table in tables.values()):
        top.report("", f"no component has the profile {quote(profile)}")
    for identity, table in tables.items():
        components[identity] = read_component(identity, table, profile, remarks)
    triggers = _triggers(top, components, profile, remarks)
    manifest = Manifest(
        path=path.absolute(),
        name=application.text("name", required=True),
        version=application.text("version"),
        description=application.text("description"),
        base=base,
        variables=_variables(top),
        triggers=triggers,
        components=with_siblings(components, top.reading),
        remarks=tuple(remarks),
    )
    application.close()
    top.close()
    return manifest


def _profiles(component: TomlTable) -> dict[str, Any]:
    profiles = component.data.get("profile")
    return profiles if isinstance(profiles, dict) else {}


def _check_globals(application: TomlTable, remarks: list[str]) -> None:
    for kind, table in application.tables("trigger"):
        if kind != "http":
            remarks.append(f"{table.path}: only HTTP triggers are supported")
            continue
        if table.text("base", "/") != "/":
            table.report("base", "write the prefix in each route, or mount the application there in the site's routes")
        table.close()


def _variables(top: TomlTable) -> dict[str, ApplicationVariable]:
    variables = {}
    for name, table in top.tables("variables"):
        check_variable(name, table.path, table)
        table.ignore("description")
        default = table.text("default") if "default" in table else None
        if table.flag("required") == (default is not None):
            table.report("", "needs either a 'default' or 'required = true'")
        variables[name] = ApplicationVariable(default=default, secret=table.flag("secret"))
        table.close()
    return variables


def _triggers(
    top: TomlTable, components: dict[str, Component], profile: str | None, remarks: list[str]
) -> tuple[Trigger, ...]:
    table = top.table("trigger")
    triggers: list[Trigger] = []
    if table is not None:
        for entry in table.array("http"):
            triggers.append(_trigger(entry, len(triggers), components, profile, remarks))
        for kind in table.data:
            if kind != "http":
                table.ignore(kind)
                remarks.append(f"{table.at(kind)}: only HTTP triggers are supported")
        table.close()
    if not triggers:
        top.report("", "has no [[trigger.http]], and other triggers are not supported")
    return tuple(triggers)


def _trigger(
    table: TomlTable, number: int, components: dict[str, Component], profile: str | None, remarks: list[str]
) -> Trigger:
    identity = table.text("id")
    component = table.value("component")
    if isinstance(component, dict):
        name = f"{identity or f'trigger-{number}'}-component"
        inline = TomlTable(component, table.at("component"), table.reading)
        components[name] = read_component(name, inline, profile, remarks)
        component = name
    elif component is not None and not isinstance(component, str):
        table.report("component", f"expected a component's id or a table, found {kind_of(component)}")
    elif component is not None and component not in components:
        near = did_you_mean(component, tuple(components))
        table.report("component", f"there is no component {quote(component)}{near}")
    response = _static_response(table)
    if (component is None) == (response is None):
        table.report("", "needs exactly one of 'component' and 'static_response'")
    _check_middleware(table)
    trigger = Trigger(
        id=identity or f"{component or number}-http-trigger",
        route=_route(table),
        component=component if isinstance(component, str) else None,
        response=response,
        wagi=_executor(table),
    )
    table.close()
    return trigger


def _check_middleware(table: TomlTable) -> None:
    dependencies = table.table("dependencies")
    for name in dependencies.data if dependencies is not None else ():
        if name == "middleware":
            table.report("dependencies.middleware", "middleware is a component of WASI 0.3, which is not supported")
        else:
            table.report(f"dependencies.{name}", "is not a key of an HTTP trigger")
    if "components" in table:
        table.report("components", "is not a key of an HTTP trigger")
        table.ignore("components")


def _route(table: TomlTable) -> str | None:
    """The pattern; None for a private endpoint."""
    value = table.value("route")
    if isinstance(value, str):
        try:
            parse_pattern(value)
        except ValueError as error:
            table.report("route", f"{quote(value)} {error}")
        return value
    if value == {"private": True}:
        return None
    if value is None:
        table.report("", "needs the key 'route'")
    else:
        table.report("route", f"expected a pattern or {{private = true}}, found {kind_of(value)}")
    return None


def _executor(table: TomlTable) -> Wagi | None:
    executor = table.table("executor")
    if executor is None:
        return None
    kind = executor.text("type", required=True)
    wagi = None
    if kind == "wagi":
        wagi = Wagi(argv=executor.text("argv") if "argv" in executor else None)
        executor.ignore("argv")
        entrypoint = executor.text("entrypoint", "_start")
        if entrypoint != "_start":
            executor.report("entrypoint", "only _start is supported")
    elif kind not in ("http", "spin", ""):
        executor.report("type", f"{quote(kind)} is neither 'http' nor 'wagi'{did_you_mean(kind, ('http', 'wagi'))}")
    executor.close()
    return wagi


def _static_response(table: TomlTable) -> StaticResponse | None:
    found = table.table("static_response")
    if found is None:
        return None
    status: Any = found.value("status_code")
    if status is not None and (isinstance(status, bool) or not isinstance(status, int) or status not in _STATUSES):
        found.report("status_code", f"expected a status from 200 to 599, found {kind_of(status)}")
        status = None
    fields = found.text_table("headers")
    for name, value in fields.items():
        key_path = path_of(found.at("headers"), name)
        try:
            response_field(name)
        except ValueError as error:
            found.reading.report(key_path, str(error))
        if not _FIELD_VALUE.fullmatch(value):
            found.reading.report(key_path, "contains a character that a response field cannot have")
    response = StaticResponse(
        status=200 if status is None else status,
        fields=tuple(fields.items()),
        body=found.text("body").encode(),
    )
    found.close()
    return response
