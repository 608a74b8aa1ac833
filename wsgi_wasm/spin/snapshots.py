"""Copies of components' files to mount: directories in the cache that hold what `files` names
and nothing else.

So what lies beside those files cannot be reached, and what is changed later reaches a component
with the next load. A copy is made once for all processes and restarts. Whoever uses one holds a
lock on its directory, and what nobody has loaded for a month and nobody holds is removed when
another copy is made, or by `wsgi-wasm cache prune`.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from wsgi_wasm.engine.code.cache import DAY, UNUSED
from wsgi_wasm.errors import UntrustedFile
from wsgi_wasm.files.beneath import open_real
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locks import locked_directory, use_directory
from wsgi_wasm.files.stamp import identity
from wsgi_wasm.messages import escaped
from wsgi_wasm.spin.files import Files

_SEAL = re.compile(r"[0-9a-f]{32}")


class Snapshot:
    """A copy, and the lock that keeps it there until this object goes."""

    def __init__(self, path: Path, lock: int | None = None) -> None:
        self.path = path
        self._lock = lock

    def __del__(self) -> None:
        # Closed and not unlocked: a child of this process may go on using the copy.
        if self._lock is not None and os is not None:
            os.close(self._lock)


def snapshot(files: Files, cache_directory: Path) -> Snapshot:
    """A directory with copies of these files, made once for as long as they stay what they are.

    It lies in the cache. Where that cannot be used or has no room, it is a temporary directory of
    this process. Raises OSError.
    """
    try:
        home = snapshots_home(TrustedDirectory(cache_directory))
    except UntrustedFile:
        return Snapshot(_temporary(files, _seal(files)))
    # Somebody may remove it, or change a file, between two lines here, once or twice.
    for _ in range(10):
        seal = _seal(files)
        directory = home.directory / seal
        existing = _existing(directory)
        if existing is not None:
            return existing
        if not home.writable:
            return Snapshot(_temporary(files, seal))
        try:
            made = _made(files, directory)
        except OSError:
            # The disk of the cache is full, say; what is wrong with the files themselves is said
            # there, too.
            return Snapshot(_temporary(files, seal))
        if made is not None:
            prune(home, time.time() - UNUSED)
            return made
    raise OSError(0, f"{escaped(home.directory)}: other processes change the files, or remove their copies, repeatedly")


def snapshots_home(cache: TrustedDirectory) -> TrustedDirectory:
    """The directory of all copies. Raises UntrustedFile."""
    return TrustedDirectory(cache.directory / "files")


def _existing(directory: Path) -> Snapshot | None:
    """The copy with a lock on it, None where there is none."""
    try:
        lock = use_directory(directory)  # where the file system has no locks, age alone decides
    except FileNotFoundError:
        return None
    try:
        if not os.path.samestat(os.fstat(lock), directory.stat()):
            raise FileNotFoundError
        with contextlib.suppress(OSError):  # of another user, in a cache that is shared
            os.utime(directory)
    except FileNotFoundError:
        os.close(lock)
        return None
    return Snapshot(directory, lock)


def _made(files: Files, directory: Path) -> Snapshot | None:
    """A new copy with a lock on it, None where another process was faster or has changed a file."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    lock = use_directory(fresh)
    try:
        _copy(files, fresh, directory.parent.stat().st_mode, directory.name)
        fresh.rename(directory)
    except OSError as error:
        os.close(lock)
        shutil.rmtree(fresh, ignore_errors=True)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.EAGAIN):
            raise
        return None
    return Snapshot(directory, lock)


# What is no longer used ---------------------------------------------------------------------------


def is_used(directory: Path) -> bool:
    """Whether a process holds the copy. Raises OSError."""
    try:
        with locked_directory(directory):
            return False
    except BlockingIOError:
        return True


def copies(home: TrustedDirectory) -> Iterator[tuple[Path, float]]:
    """Every copy, and when it was last loaded (seconds since the epoch)."""
    for directory in home.directory.iterdir():
        if _SEAL.fullmatch(directory.name):
            with contextlib.suppress(OSError):
                yield directory, directory.stat().st_mtime


def prune(home: TrustedDirectory, before: float) -> list[Path]:
    """Remove the copies that were last loaded before this time and that nobody holds, and what is
    left of copies that were never finished; the copies that went."""
    removed = []
    for directory, loaded in copies(home):
        if loaded < before and _removed(directory):
            removed.append(directory)
    for directory in home.directory.glob(".*"):
        with contextlib.suppress(OSError):
            if directory.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(directory, ignore_errors=True)
    return removed


def _removed(directory: Path) -> bool:
    """Whether nobody holds it, and it is gone."""
    try:
        with locked_directory(directory):
            # Under another name first: whoever finds it from now on finds it whole or not at all.
            aside = directory.with_name(f".{directory.name}-old-{os.getpid()}")
            directory.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
    except OSError:
        return False
    return True


# The copy -----------------------------------------------------------------------------------------


_temporaries: dict[str, Path] = {}


def _temporary(files: Files, seal: str) -> Path:
    if seal not in _temporaries:
        directory = Path(tempfile.mkdtemp(prefix="wsgi-wasm-files-"))
        try:
            _copy(files, directory, 0o700, seal)
        except OSError:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        _temporaries[seal] = directory
    return _temporaries[seal]


def _seal(files: Files) -> str:
    """Changes when a file does: with its path, its inode, its size or its times."""
    return _seal_of({name: _status(path) for name, path in files.items()})


def _status(path: Path) -> os.stat_result:
    """Of the file itself: a link in its place would give this copy the seal of somebody else's."""
    descriptor = open_real(path, os.O_PATH)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _seal_of(found: Mapping[str, os.stat_result]) -> str:
    digest = hashlib.sha256()
    for name, info in sorted(found.items()):
        digest.update(f"{name}\0{identity(info)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _copy(files: Files, target: Path, mode: int, seal: str) -> None:
    """`mode` is that of the directory above: who may look in there may read the copies, whatever
    the umask says. Raises OSError, also where they are not what the seal is of: then they would be
    given to whoever has that."""
    found = {}
    for name, path in files.items():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        found[name] = info = _copy_file(path, copy)
        copy.chmod(0o600 | mode & 0o044)
        os.utime(copy, ns=(info.st_atime_ns, info.st_mtime_ns))
    if _seal_of(found) != seal:
        raise OSError(errno.EAGAIN, f"files changed while they were copied, such as {escaped(min(files.values()))}")
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o700 | mode & 0o055)


def _copy_file(path: Path, copy: Path) -> os.stat_result:
    """Copy a real path's content, and give its status. Raises OSError."""
    # Somebody may have put a link in the place of the file, or of a folder above it, since it was
    # looked at.
    descriptor = open_real(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise OSError(0, f"{escaped(path)} is no longer a regular file")
        with open(descriptor, "rb", closefd=False) as source, copy.open("xb") as output:
            shutil.copyfileobj(source, output, 1 << 20)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
