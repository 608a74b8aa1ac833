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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wsgi_wasm.messages import escaped

_OPENAT2 = 437  # the number of the system call, on every processor that Wasmtime knows
_RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x04, 0x08


class Outside(OSError):
    """What a name leads to lies outside of the root."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(errno.EXDEV, f"{escaped(name)} is outside {escaped(root)}")


class _OpenHow(ctypes.Structure):
    """openat2(2): struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root: Path, name: str, flags: int) -> int:
    """A descriptor of what `name` leads to from the directory `root`, with the flags of open(2),
    O_CREAT excepted.

    `root` is taken as it is, and may be a link; `name` may be `.`, and may have links and `..` as
    long as they come back. Raises Outside, OSError; ValueError for a name with a NUL.
    """
    with _opened(root) as directory:
        if _is_plain(name):
            with suppress(_HasLinks):
                return _open_plain(directory, name, flags)
        real = real_beneath(root, name).relative_to(os.path.realpath(root))
        return _open_plain(directory, str(real), flags)


def open_real(path: Path, flags: int) -> int:
    """A descriptor of a path that was resolved before. Raises OSError if it has a link by now."""
    with _opened(Path("/")) as directory:
        return _open_plain(directory, str(path).lstrip("/"), flags)


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
    if not real.is_relative_to(os.path.realpath(root)):
        raise Outside(root, name)
    return real


class _HasLinks(OSError):
    """A part of a name is a symbolic link."""

    def __init__(self) -> None:
        super().__init__(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_plain(name: str) -> bool:
    """Whether a name says by itself where it leads, if it has no links."""
    return not name.startswith("/") and ".." not in name.split("/")


def _open_plain(directory: int, name: str, flags: int) -> int:
    """Open a plain name from a directory. Raises _HasLinks, OSError."""
    raw = os.fsencode(name)
    if b"\0" in raw:
        raise ValueError("embedded null byte")  # as from `open`; to C the name would end there
    parts = [part for part in raw.split(b"/") if part not in (b"", b".")] or [b"."]
    try:
        return _openat2(directory, b"/".join(parts), flags | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _HasLinks from None
        # The kernel is older, or a filter of system calls (seccomp) does not know it.
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise OSError(error.errno, error.strerror, name) from None
    return _walk(directory, parts, flags | os.O_CLOEXEC)


def _openat2(directory: int, name: bytes, flags: int) -> int:
    how = _OpenHow(flags=flags, resolve=_RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    arguments = ctypes.c_int(directory), ctypes.c_char_p(name), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))
    descriptor = int(_libc.syscall(ctypes.c_long(_OPENAT2), *arguments))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return descriptor


def _walk(directory: int, parts: list[bytes], flags: int) -> int:
    """The same, name by name."""
    here = os.dup(directory)
    try:
        for part in parts[:-1]:
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


@contextmanager
def _opened(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
