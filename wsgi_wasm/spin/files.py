"""The files of a component: which of the application's it may read. `snapshots.py`
copies exactly these.

Links are followed only to what lies in the application's own directory.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from wsgi_wasm.files.beneath import Outside, real_beneath, resolved
from wsgi_wasm.messages import quote
from wsgi_wasm.spin.globs import compiled, is_glob
from wsgi_wasm.spin.model import Component, Mount
from wsgi_wasm.spin.tables import ManifestReading

MOST_FILES = 20_000  # of one component

Files = Mapping[str, Path]
"""Paths below the guest's root, without a slash before, and the host's real files."""


def select(component: Component, reading: ManifestReading) -> Files:
    """What `files` and `exclude_files` name. Mistakes are reported."""
    root = Path(os.path.realpath(reading.base))
    found: dict[str, Path] = {}
    for number, mount in enumerate(component.files):
        key_path = f"component.{component.id}.files[{number}]"
        try:
            found.update(_mounted(mount, root, component.exclude_files))
        except (ValueError, re.error) as error:
            reading.report(key_path, str(error))
    if len(found) > MOST_FILES:
        reading.report(f"component.{component.id}.files", f"name {len(found)} files; the maximum is {MOST_FILES}")
    _check_tree(found, f"component.{component.id}.files", reading)
    return found


def folders(component: Component, base: Path) -> Iterator[Path]:
    """Where the files of a component are looked for, whether or not there are any by now."""
    for mount in component.files:
        source = mount.source.removeprefix("./").rstrip("/")
        if mount.destination is None and is_glob(source) and not (base / source).exists():
            source = _fixed(source)
        yield base / source


def is_excluded(component: Component, base: Path, folder: Path) -> bool:
    """Whether no file in a folder (a path without links) is one of the component's."""
    root = resolved(base)
    if not folder.is_relative_to(root):
        return False
    name = f"{folder.relative_to(root).as_posix()}/file"
    with contextlib.suppress(ValueError, re.error):  # reported by `select`
        return any(compiled(pattern, across=True).fullmatch(name) for pattern in component.exclude_files)
    return False


def _fixed(pattern: str) -> str:
    """The folder that every path of a pattern is in."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")[0]


def _check_tree(found: Files, key_path: str, reading: ManifestReading) -> None:
    """A name cannot be a file and a directory at once."""
    directories = {str(parent) for name in found for parent in PurePosixPath(name).parents}
    for name in sorted(directories & found.keys()):
        reading.report(key_path, f"{quote(name)} would be both a file and a directory")


def _mounted(mount: Mount, root: Path, excluded: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Raises ValueError."""
    source = mount.source.removeprefix("./")
    if mount.destination is not None:
        destination = mount.destination.strip("/")
        if ".." in destination.split("/"):
            raise ValueError(f"{quote(mount.destination)} leaves the guest's root")
        yield from _placed(source.rstrip("/"), destination, root, excluded)
        return
    if source in ("", ".") or source.endswith(("/.", "/..")) or ".." in source.split("/"):
        raise ValueError(f"{quote(mount.source)} has '.' or '..'; write {{source, destination}} to place a directory")
    if (root / source).exists():
        yield from _placed(source.rstrip("/"), source.rstrip("/"), root, excluded)
    elif is_glob(source):
        if source.startswith("/"):
            raise ValueError(f"{quote(source)} is outside the application's directory")
        pattern = compiled(source)
        for name in _below(root, _fixed(source), excluded):
            if pattern.fullmatch(name):
                yield name, _real(root, name)
    else:
        raise ValueError(f"{quote(source)} does not exist and is not a pattern")


def _placed(source: str, destination: str, root: Path, excluded: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """One file, or a directory with everything in it, at another path."""
    path = _real(root, source or ".")
    if path.is_dir():
        name = "" if path == root else path.relative_to(root).as_posix()
        for file in _below(root, name, excluded):
            inner = file[len(name) :].lstrip("/")
            yield f"{destination}/{inner}".lstrip("/"), _real(root, file)
    elif not destination:
        raise ValueError(f"{quote(source)} is a file, and '/' is not a file name")
    else:
        yield destination, path


def _below(root: Path, folder: str, excluded: tuple[str, ...]) -> Iterator[str]:
    """Files below a directory of the application, by their paths from its root. What the gateway
    keeps there itself is left out, and so are links to somewhere else."""
    patterns = [compiled(pattern, across=True) for pattern in excluded]
    for here, folders, files in os.walk(root / folder):
        folders[:] = sorted(name for name in folders if Path(here, name) != root / ".spin")
        for name in sorted(files):
            path = Path(here, name)
            relative = path.relative_to(root).as_posix()
            if any(pattern.fullmatch(relative) for pattern in patterns):
                continue
            with contextlib.suppress(ValueError):
                if _real(root, relative).is_file():
                    yield relative


def _real(root: Path, name: str) -> Path:
    """The file without links. Raises ValueError where it is missing, or outside
    the application's directory."""
    try:
        return real_beneath(root, name)
    except Outside:
        raise ValueError(f"{quote(name)} is outside the application's directory") from None
    except (OSError, ValueError):
        raise ValueError(f"{quote(name)} does not exist") from None
