"""From read sections to values: defaults under what is written, and the parts that several sections share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from wsgi_wasm.config.kinds import BROKEN, Setting, Settings
from wsgi_wasm.config.model import Dir
from wsgi_wasm.config.nodes import Reading, ScalarNode, written
from wsgi_wasm.config.schema import TABLE
from wsgi_wasm.config.section import NO_DEFAULT


@dataclass(frozen=True, slots=True)
class PlacedDir:
    """A directory and where the file has it."""

    dir: Dir
    setting: Setting


@cache
def defaults_of(place: str) -> Settings:
    """The table's defaults for a section, as if they were written."""
    scratch = Reading(file="", base=Path(), environ={})
    nowhere = ScalarNode("", False, 0, 0)
    return {
        name: Setting(key.kind.read(written(key.default), name, scratch), nowhere, name)
        for name, key in TABLE.at(place).items()
        if key.default is not NO_DEFAULT
    }


def merged(base: Settings, over: Settings) -> Settings:
    """`over` before `base`, key by key; `env` name by name. Broken values do not count."""
    result = {**base, **{name: setting for name, setting in over.items() if setting.value is not BROKEN}}
    if "env" in base and "env" in result:
        env = {**base["env"].value, **result["env"].value}
        result["env"] = Setting(env, result["env"].key, result["env"].path)
    return result


def value_of(settings: Settings, name: str) -> Any:
    """The value of a key; None where it is absent or broken."""
    setting = settings.get(name)
    return None if setting is None or setting.value is BROKEN else setting.value


def env_of(settings: Settings) -> dict[str, str]:
    return {name: setting.value for name, setting in settings["env"].value.items()}


def dirs_of(settings: Settings) -> tuple[PlacedDir, ...]:
    """The entries of `dirs` whose path could be read."""
    placed = []
    for guest, setting in settings["dirs"].value.items():
        entry = merged(defaults_of("dir"), setting.value)
        host = value_of(entry, "path")
        if host is not None:
            placed.append(PlacedDir(Dir(guest=guest, host=host, writable=value_of(entry, "writable")), setting))
    return tuple(placed)
