"""The compositions of a file: what is plugged into what, and that it does not go round."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wsgi_wasm.config.kinds import BROKEN, Setting
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.messages import quote


def compositions(setting: Setting, reading: Reading) -> dict[Path, dict[str, Path]]:
    """Plugs by the file that imports and the import. A component that needs itself to be
    made is reported."""
    if setting.value is BROKEN:
        return {}
    found = {
        reading.base / file: {name: plug.value for name, plug in plugs.value.items()}
        for file, plugs in setting.value.items()
    }
    for file, plugs in setting.value.items():
        if needs_itself(reading.base / file, found):
            reading.report(
                plugs.key, setting.path, f"{quote(file)} is plugged into itself, directly or through its plugs"
            )
    return found


def needs_itself(start: Path, found: Mapping[Path, Mapping[str, Path]]) -> bool:
    """Whether the component is plugged into itself, or into what is plugged into it."""
    seen: set[Path] = set()
    left = list(found[start].values())
    while left:
        path = left.pop()
        if path == start:
            return True
        if path not in seen:
            seen.add(path)
            left.extend(found.get(path, {}).values())
    return False
