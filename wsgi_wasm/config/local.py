"""The file beside programs in which a site's author sets what the administrator has left to him
(`local` of the route). It narrows what the route says, and never widens it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from wsgi_wasm.cgi.names import is_reserved
from wsgi_wasm.config.kinds import BROKEN, Setting, Settings
from wsgi_wasm.config.model import LOCAL_KEYS, Dir, Limits, Route, interpreters_of
from wsgi_wasm.config.nodes import MapNode, Reading, found
from wsgi_wasm.config.reader import read_document
from wsgi_wasm.config.schema import TABLE
from wsgi_wasm.config.settings import defaults_of, merged, value_of
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.messages import did_you_mean, listed, quote, size_text

NAME = "wsgi_wasm.yaml"
MAX_BYTES = 1 << 14
"""Bytes of such a file: its author may have it read again and again."""

_SIZES = frozenset({"memory", "max_body", "max_head", "max_output", "max_stderr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What programs beside a file run with: `route` is narrowed, `args` are those that it adds,
    `concurrency` counts the programs beside it alone; `keys` are those that it sets."""

    route: Route
    args: tuple[str, ...]
    concurrency: int | None
    keys: tuple[str, ...]


def read_local(data: bytes, file: Path, route: Route) -> LocalSettings:
    """The settings of the file's content for programs of a route. The server's environment is not
    its author's, so `${NAME}` stands for nothing. Raises ConfigError with every mistake."""
    reading = Reading(file=str(file), base=file.parent, environ={})
    if len(data) > MAX_BYTES:
        reading.report_at(0, 0, f"larger than {size_text(MAX_BYTES)}")
        raise ConfigError(list(reading.problems))
    settings = _read(data, route, reading)
    made = _Narrowing(route, settings, reading).made()
    if reading.problems:
        raise ConfigError(list(reading.problems))
    return made


def _read(data: bytes, route: Route, reading: Reading) -> Settings:
    node = read_document(data, reading)
    if not isinstance(node, MapNode):
        reading.report(node, "", f"expected a mapping of route keys, found {found(node)}")
        raise ConfigError(list(reading.problems))
    known = TABLE.at("route")
    settings: dict[str, Setting] = {}
    for key, value in node.entries:
        if key.text in route.local:
            settings[key.text] = Setting(known[key.text].kind.read(value, key.text, reading), key, key.text)
        elif key.text in LOCAL_KEYS:
            allowed = f"only {listed(route.local)}" if route.local else "no key"
            reading.report(key, "", f"key {quote(key.text)} is not in 'local' of the route, which has {allowed}")
        elif key.text in known:
            reading.report(key, "", f"key {quote(key.text)} is the administrator's alone")
        else:
            reading.report(key, "", f"unknown key {quote(key.text)}{did_you_mean(key.text, route.local)}")
    return {name: setting for name, setting in settings.items() if setting.value is not BROKEN}


class _Narrowing:
    def __init__(self, route: Route, settings: Settings, reading: Reading) -> None:
        self._route = route
        self._settings = settings
        self._reading = reading

    def made(self) -> LocalSettings:
        route, settings = self._route, self._settings
        args = tuple(value_of(settings, "args") or ())
        made = replace(
            route,
            args=(*route.args, *args),
            env=self._env(),
            dirs=self._dirs(),
            methods=self._methods(),
            content_type=value_of(settings, "content_type") or route.content_type,
            limits=self._limits(),
        )
        concurrency = value_of(settings, "concurrency")
        return LocalSettings(route=made, args=args, concurrency=concurrency, keys=tuple(settings))

    def _limits(self) -> Limits:
        """Those of the route, or lower ones. `concurrency` is a count besides the route's."""
        limits, lower = self._route.limits, {}
        for name in {field.name for field in fields(Limits)} & self._settings.keys():
            value, most = self._settings[name].value, getattr(limits, name)
            if value is not None and most is not None and value > most:
                self._report(self._settings[name], f"is more than the {_text(name, most)} of the route")
            elif name != "concurrency":
                lower[name] = value
        return replace(limits, **lower)

    def _env(self) -> Mapping[str, str]:
        route = self._route
        own: Mapping[str, Setting] = value_of(self._settings, "env") or {}
        for name, setting in own.items():
            if name in route.env:
                self._report(setting, "is set by the route, and cannot be replaced")
            elif route.interface not in ("http", "raw") and is_reserved(name):
                self._report(setting, "is set by the request, never by the configuration")
        return {**{name: setting.value for name, setting in own.items()}, **route.env}

    def _methods(self) -> tuple[str, ...] | None:
        methods, most = value_of(self._settings, "methods"), self._route.methods
        if methods is None or most is None:
            return methods if most is None else most
        more = [method for method in methods if method not in most]
        if more:
            self._report(self._settings["methods"], f"has more than the route allows: {listed(more)}")
        return tuple(methods)

    def _dirs(self) -> tuple[Dir, ...]:
        """Those that are named, each of which is one of the route's or lies in one; without any,
        the route's."""
        if "dirs" not in self._settings:
            return self._route.dirs
        entries: Mapping[str, Setting] = self._settings["dirs"].value
        return tuple(d for guest, setting in entries.items() if (d := self._dir(guest, setting)) is not None)

    def _dir(self, guest: str, setting: Setting) -> Dir | None:
        entry = merged(defaults_of("dir"), setting.value)
        path, writable = value_of(entry, "path"), bool(value_of(entry, "writable"))
        if path is None:
            return None
        if guest == "/" and interpreters_of(self._route.target):
            self._report(setting, "'/' is already the directory of scripts")
            return None
        host = Path(os.path.normpath(path))
        for granted in self._route.dirs:
            for root in (granted.host, granted.folder.path):
                if host.is_relative_to(root) and (granted.writable or not writable):
                    below = host.relative_to(root)
                    folder = Folder(granted.folder.root, os.path.normpath(f"{granted.folder.name}/{below}"))
                    return Dir(guest=guest, host=granted.host / below, folder=folder, writable=writable)
        what = "can write to" if writable else "gives"
        self._report(setting, f"is in no directory that the route {what}")
        return None

    def _report(self, setting: Setting, message: str) -> None:
        self._reading.report(setting.key, setting.path, message)


def _text(name: str, value: Any) -> str:
    if name == "concurrency":
        return str(value)
    return size_text(value) if name in _SIZES else f"{value:g}s"
