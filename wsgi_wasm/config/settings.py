"""From read sections to values: defaults under what is written, and the parts that
several sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from wsgi_wasm.config.kinds import BROKEN, Setting, Settings
from wsgi_wasm.config.model import Dir
from wsgi_wasm.config.nodes import Reading, ScalarNode, written
from wsgi_wasm.config.schema import TABLE
from wsgi_wasm.config.section import NO_DEFAULT, Key
from wsgi_wasm.files.beneath import Folder, resolved


@dataclass(frozen=True, slots=True)
class PlacedDir:
    """A directory and where the file has it."""

    dir: Dir
    setting: Setting


_BY_NAME = {key.name for key in TABLE.keys if key.by_name}


@cache
def defaults_of(section: str) -> Settings:
    """The table's defaults for a section, as if they were written."""
    return {
        name: _default(key, key.default) for name, key in TABLE.at(section).items() if key.default is not NO_DEFAULT
    }


def _default(key: Key, default: Any) -> Setting:
    """A default as if it were written, but at no place: its line is 0."""
    scratch = Reading(file="", base=Path(), environ={})
    return Setting(key.kind.read(written(default), key.name, scratch), ScalarNode("", False, 0, 0), key.name)


def merged(base: Settings, over: Settings) -> Settings:
    """`over` before `base`, key by key; some keys name by name. Broken values do not count."""
    result = {**base, **{name: setting for name, setting in over.items() if setting.value is not BROKEN}}
    for name in _BY_NAME & base.keys():
        setting = result[name]
        result[name] = Setting({**base[name].value, **setting.value}, setting.key, setting.path)
    return result


def value_of(settings: Settings, name: str) -> Any:
    """The value of a key; None where it is absent or broken."""
    setting = settings.get(name)
    return None if setting is None or setting.value is BROKEN else setting.value


def fields_of(model: type, settings: Settings) -> dict[str, Any]:
    """What of these settings goes unchanged into a value of this class: its fields by name."""
    return {into: _plain(value_of(settings, name)) for into, name in _fields(model).items()}


_fields = cache(TABLE.fields)


def _plain(value: Any) -> Any:
    """A mapping without the places in the file of its entries."""
    return {name: setting.value for name, setting in value.items()} if isinstance(value, dict) else value


def with_other_defaults(section: str, settings: Settings) -> Settings:
    """The settings of a section with its defaults, where a key that nobody wrote may have another
    default because of another key's value."""
    others = {
        key.name: _default(key, key.default_where.default)
        for key in TABLE.at(section).values()
        if key.default_where is not None
        and not settings[key.name].key.line
        and value_of(settings, key.default_where.key) == key.default_where.value
    }
    return {**settings, **others}


def dirs_of(settings: Settings, beside: Sequence[PlacedDir] = ()) -> tuple[PlacedDir, ...]:
    """The entries of `dirs` whose path could be read. `beside` are others of the same guest."""
    found = [
        (guest, entry, setting)
        for guest, setting in settings["dirs"].value.items()
        if value_of(entry := merged(defaults_of("dir"), setting.value), "path") is not None
    ]
    paths = {value_of(entry, "path") for _, entry, _ in found if value_of(entry, "writable")}
    writable: dict[Path, set[Path]] = {}
    for path in paths.union(one.dir.host for one in beside if one.dir.writable):
        writable.setdefault(resolved(path), set()).add(path)
    return tuple(
        PlacedDir(Dir(guest=guest, folder=_folder(value_of(entry, "path"), writable), **fields_of(Dir, entry)), setting)
        for guest, entry, setting in found
    )


def _folder(path: Path, writable: Mapping[Path, set[Path]]) -> Folder:
    """The directory of a path. Where that leads through one that the guest may write to, the guest
    decides what the rest of it is: it is looked for there, and nowhere else, by each request.

    `writable` are such directories without links, each with the paths that lead there.
    """
    for above in reversed(path.parents) if writable else ():
        rest = path.relative_to(above)
        if rest.parts[0] != ".." and writable.get(root := resolved(above), set()) - {path}:
            return Folder(root, str(rest))
    return Folder.at(path)
