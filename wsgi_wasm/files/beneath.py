"""Files beneath a directory that somebody may change while we look: never one that lies elsewhere.

A name is beneath a root if its real path is, whichever links lead there. Whoever checks that path
and opens it later may find another file, as any folder of it can be swapped for a link in between.
So what is opened here is opened from the root's own descriptor, without following any link: by
`openat2` (Linux 5.6), else name by name. A name that has links is resolved first, and opened the
same way. The answers of both ways are the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Self

from wsgi_wasm.messages import escaped

_OPENAT2 = 437  # the number of the system call, on every processor that Wasmtime knows
_HERE = -100  # AT_FDCWD
_RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x04, 0x08


class Outside(OSError):
    """What a name leads to lies outside of the root."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(errno.EXDEV, f"{escaped(name)} is outside {escaped(root)}")


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory that is opened anew for each use, and never another one in its place.

    `root` is a path without links: whoever grants the directory chose it, so it was resolved when
    that was read, and a link that stands in it now was put there by somebody else. `name` is below
    it, and may have links as long as they come back.
    """

    root: Path
    name: str = "."

    @classmethod
    def at(cls, path: Path) -> Self:
        """The directory that a path leads to now."""
        return cls(Path(os.path.realpath(path)))

    @property
    def path(self) -> Path:
        """Where it is, for messages and comparisons."""
        return self.root / self.name

    def real(self) -> Path:
        """Where it is now, without links. Raises Outside, OSError."""
        return self.root if self.name == "." else real_beneath(self.root, self.name)

    def open(self) -> int:
        """A descriptor (O_PATH) of the directory. Raises Outside, OSError."""
        flags = os.O_PATH | os.O_DIRECTORY
        return open_real(self.root, flags) if self.name == "." else open_beneath(self.root, self.name, flags)


class _OpenHow(ctypes.Structure):
    """openat2(2): struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root: Path, name: str, flags: int) -> int:
    """A descriptor of what `name` leads to from the directory `root`, with the flags of open(2),
    O_CREAT excepted.

    `root` is a path without links; `name` may be `.`, and may have links and `..` as long as they
    come back. Raises Outside, OSError; ValueError for a name with a NUL.
    """
    directory = open_real(root, os.O_PATH | os.O_DIRECTORY)
    try:
        if _is_plain(name):
            with suppress(_HasLinks):
                return _open_plain(directory, name, flags)
        real = real_beneath(root, name).relative_to(root)
        return _open_plain(directory, str(real), flags)
    finally:
        os.close(directory)


def resolved(path: Path) -> Path:
    """Where a path leads now, as far as it exists: for `open_real`, later."""
    return Path(os.path.realpath(path))


def open_real(path: Path, flags: int) -> int:
    """A descriptor of an absolute path that was resolved before. Raises OSError if it has a link by
    now."""
    return _open_plain(_HERE, str(path), flags)


def stat_beneath(root: Path, name: str) -> os.stat_result:
    """The status of what `name` leads to. Raises as `open_beneath`."""
    descriptor = open_beneath(root, name, os.O_PATH)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def is_file_beneath(root: Path, name: str) -> bool:
    """Whether `name` leads to a regular file beneath `root`."""
    try:
        return stat.S_ISREG(stat_beneath(root, name).st_mode)
    except (OSError, ValueError):
        return False


def read_beneath(root: Path, name: str) -> bytes:
    """The content of a regular file. Raises as `open_beneath`."""
    descriptor = open_beneath(root, name, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def real_beneath(root: Path, name: str) -> Path:
    """Where `name` leads to: a path without links, for those who cannot take a descriptor. Raises
    as `open_beneath`."""
    real = Path(os.path.realpath(root / name, strict=True))
    if not real.is_relative_to(root):
        raise Outside(root, name)
    return real


class _HasLinks(OSError):
    """A part of a name is a symbolic link."""

    def __init__(self) -> None:
        super().__init__(errno.ELOOP, "a symbolic link has been put in its place, or in that of a folder above it")


def _is_plain(name: str) -> bool:
    """Whether a name says by itself where it leads, if it has no links."""
    return not name.startswith("/") and ".." not in name.split("/")


def _open_plain(directory: int, name: str, flags: int) -> int:
    """Open a plain name from a directory, or a path. Raises _HasLinks, OSError."""
    plain = _plain(name)
    try:
        return _openat2(directory, plain, flags | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _HasLinks from None
        # The kernel is older, or a filter of system calls (seccomp) does not know it.
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise OSError(error.errno, error.strerror, name) from None
    return _walk(directory, plain.split(b"/"), flags | os.O_CLOEXEC)


@lru_cache(1024)
def _plain(name: str) -> bytes:
    """A name as the system takes it, without empty parts. Raises ValueError."""
    raw = os.fsencode(name)
    if b"\0" in raw:
        raise ValueError("embedded null byte")  # as from `open`; to C the name would end there
    parts = [part for part in raw.split(b"/") if part not in (b"", b".")] or [b"."]
    return (b"/" if raw.startswith(b"/") else b"") + b"/".join(parts)


def _openat2(directory: int, name: bytes, flags: int) -> int:
    descriptor = int(_syscall(_OPENAT2, directory, name, _how(flags, name.startswith(b"/")), ctypes.sizeof(_OpenHow)))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return descriptor


@cache
def _how(flags: int, absolute: bool) -> ctypes.Array[ctypes.c_char]:
    resolve = _RESOLVE_NO_SYMLINKS if absolute else _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS
    return ctypes.create_string_buffer(bytes(_OpenHow(flags=flags, resolve=resolve)))


def _walk(directory: int, parts: list[bytes], flags: int) -> int:
    """The same, name by name."""
    # The first part of a path is nothing.
    here = os.dup(directory) if parts[0] else os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        for part in filter(None, parts[:-1]):
            below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
            _refuse_link(os.fstat(here))
        # Some flags make open(2) say something else of a link, or open it itself.
        _refuse_link(os.stat(parts[-1], dir_fd=here, follow_symlinks=False))
        found = os.open(parts[-1], flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)
    try:
        _refuse_link(os.fstat(found))
    except OSError:
        os.close(found)
        raise
    return found


def _refuse_link(info: os.stat_result) -> None:
    if stat.S_ISLNK(info.st_mode):
        raise _HasLinks


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t
_syscall.restype = ctypes.c_long
