"""What of a cache directory nobody uses any more: artefacts by when they were last loaded, and what
was left behind.

An artefact may be removed while a process has it mapped, and one that looks for it has
it made anew.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.engine.code.cache import DAY, Cache
from wsgi_wasm.files.locks import locked_file
from wsgi_wasm.files.replace import MAKING
from wsgi_wasm.files.stamp import identity

_ARTEFACT = re.compile(r"[0-9a-f]{64}-[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_LEFT_BEHIND = re.compile(rf"{re.escape(MAKING)}.*")  # by a process that ended while it wrote


@dataclass(frozen=True, slots=True)
class CachedModule:
    """A compiled module: its files, their bytes, when it was last loaded (seconds since the epoch),
    and the file that it was made of, "" where that is not known."""

    path: Path
    size: int
    loaded: float
    module: str

    @property
    def note(self) -> Path:
        return self.path.with_suffix(".json")


def artefacts(cache: Cache) -> Iterator[CachedModule]:
    """Every artefact, in no order."""
    for path in cache.directory.glob("*.cwasm"):
        if _ARTEFACT.fullmatch(path.stem):
            with contextlib.suppress(OSError):
                yield _artefact(path)


def _artefact(path: Path) -> CachedModule:
    """Raises OSError."""
    info, note, module = path.stat(), path.with_suffix(".json"), ""
    size, loaded = info.st_size, info.st_mtime
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
        kept = note.stat()
        size, loaded = size + kept.st_size, max(loaded, kept.st_mtime)
        module = str(json.loads(note.read_text("ascii")).get("module", ""))
    return CachedModule(path, size, loaded, module)


def prune_artefacts(cache: Cache, before: float) -> list[CachedModule]:
    """Remove what was last loaded before this time, unless it is being made right
    now; what went."""
    removed = []
    for one in artefacts(cache):
        if one.loaded < before and _removed(one.path, (one.note, one.path)):
            removed.append(one)
    return removed


def _removed(artefact: Path, files: tuple[Path, ...]) -> bool:
    """Remove files and the lock of an artefact. Who waits for that lock makes the artefact once
    more than needed."""
    lock = artefact.with_suffix(".lock")
    try:
        with locked_file(lock, wait=False):
            for path in (*files, lock):
                path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def built_modules(cache: Cache, names: Iterable[str]) -> Iterator[tuple[Path, float]]:
    """Every module that was built into the cache under one of these names (`NAME-DIGEST.wasm`), and
    when it was last loaded."""
    for path in (path for name in names for path in cache.directory.glob(f"{name}-*.wasm")):
        if _DIGEST.fullmatch(path.stem.rpartition("-")[2]):
            with contextlib.suppress(OSError):
                info = path.stat()
                loaded = info.st_mtime
                with contextlib.suppress(OSError):
                    loaded = max(loaded, (cache.directory / f"{identity(info)}.source").stat().st_mtime)
                yield path, loaded


def prune_built_modules(
    modules: Iterable[tuple[Path, float]], before: float, needed: Callable[[Path], bool]
) -> list[Path]:
    """Remove those that are not `needed`, and that were last loaded before this time; what went."""
    removed = []
    for path, loaded in modules:
        if loaded < before and not needed(path):
            with contextlib.suppress(OSError):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                    path.with_suffix(".built").unlink(missing_ok=True)
                removed.append(path)
    return removed


def link_of(installed: Path) -> Path:
    """The link that leads, or has led, to a directory of installed packages."""
    return installed.with_name(installed.name.partition(".packages")[0] + ".packages")


def installed_packages(cache: Cache, names: Iterable[str]) -> Iterator[tuple[Path, float]]:
    """Every directory of packages that were installed for one of these interpreters, and when."""
    for path in (path for name in names for path in cache.directory.glob(f"{name}-*.packages-*")):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                yield path, path.stat().st_mtime


def prune_rest(cache: Cache, before: float) -> None:
    """Remove what takes no room by itself (remembered digests and failures, unneeded locks)
    and what processes left behind that ended while they wrote."""
    for path in list(cache.directory.iterdir()):
        with contextlib.suppress(OSError):
            changed = path.lstat().st_mtime
            if path.suffix in (".source", ".failed") and changed < before:
                path.unlink()
            elif path.suffix == ".lock" and changed < before and not path.with_suffix(".cwasm").exists():
                _removed(path, ())
            elif path.suffix == ".packages" and path.is_symlink() and not path.exists():
                path.unlink()
            elif _LEFT_BEHIND.fullmatch(path.name) and changed < time.time() - DAY:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
