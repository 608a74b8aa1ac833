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
    suspects = _untrimmed(found)
    for file, plugs in setting.value.items():
        if reading.base / file in suspects and needs_itself(reading.base / file, found):
            reading.report(
                plugs.key, setting.path, f"{quote(file)} is plugged into itself, directly or through its plugs"
            )
    return found


def _untrimmed(found: Mapping[Path, Mapping[str, Path]]) -> set[Path]:
    """All but those that cannot go round, as nothing there goes on from them, or leads to them."""
    onwards = {file: {plug for plug in plugs.values() if plug in found} for file, plugs in found.items()}
    for _ in range(2):  # along the plugs, then against them
        back: dict[Path, set[Path]] = {file: set() for file in onwards}
        for file, plugs in onwards.items():
            for plug in plugs:
                back[plug].add(file)
        ends = [file for file, plugs in onwards.items() if not plugs]
        while ends:
            end = ends.pop()
            for file in back.pop(end):
                onwards[file].discard(end)
                if not onwards[file]:
                    ends.append(file)
            del onwards[end]
        onwards = back
    return set(onwards)


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
